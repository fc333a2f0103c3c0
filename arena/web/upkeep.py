"""Counts battles and deletes visitors who did not vote, again and again while the server runs."""

import asyncio
import logging

import anyio.to_thread

from arena.context import Arena, utc_now
from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import DatabaseError
from arena.voting.budgets import delete_old_counts
from arena.voting.completion import count_battles
from arena.voting.visitors import sweep_visitors

EVERY_S = 30.0
PAUSE_S = 0.2  # between two transactions, so that votes wait for neither

log = logging.getLogger(__name__)


def upkeep_step(database: Database) -> bool:
    """Do a part of what there is to do, in short transactions; whether there may be more."""
    now = utc_now()
    with database.writing() as session:
        done = count_battles(session, now=now)
    with database.writing() as session:
        done += sweep_visitors(session, now=now)
        delete_old_counts(session, now=now)
    return done > 0


async def upkeep_forever(arena: Arena) -> None:
    """Keep up. Ends when it is cancelled."""
    errors = ErrorLog(log, "Counting battles")
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            while await anyio.to_thread.run_sync(upkeep_step, arena.database):
                await asyncio.sleep(PAUSE_S)
        except DatabaseError as error:
            errors.failed(str(error))
        else:
            errors.succeeded()
