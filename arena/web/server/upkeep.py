"""Counts battles and deletes visitors who did not vote, again and again while the server runs."""

import asyncio
import logging
import time

import anyio.to_thread

from arena.audit.completion_review import review_completion
from arena.context import Arena, utc_now
from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import DatabaseError
from arena.text import pluralize
from arena.voting.budgets import delete_old_counts
from arena.voting.completion import count_battles
from arena.voting.visitors import sweep_visitors

EVERY_S = 30.0
REVIEW_S = 300.0  # between two reviews, which read the counts of all days
PAUSE_S = 0.2  # between two transactions, so that votes wait for neither

log = logging.getLogger(__name__)


def upkeep_step(database: Database) -> bool:
    """Do a part of what there is to do, in short transactions; whether there may be more."""
    now = utc_now()
    done = count_battles(database, now=now) + sweep_visitors(database, now=now)
    delete_old_counts(database, now=now)
    return done > 0


def review_step(database: Database) -> None:
    """Put votes under review, if there is an alarm."""
    held = review_completion(database, now=utc_now())
    if held:
        log.warning("%s under review: `arena holds list` says why.", pluralize(held, "vote"))


async def upkeep_forever(arena: Arena) -> None:
    """Keep up. Ends when it is cancelled."""
    errors = ErrorLog(log, "Counting battles")
    reviewed_at = -REVIEW_S
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            while await anyio.to_thread.run_sync(upkeep_step, arena.database):
                await asyncio.sleep(PAUSE_S)
            if time.monotonic() - reviewed_at >= REVIEW_S:
                await anyio.to_thread.run_sync(review_step, arena.database)
                reviewed_at = time.monotonic()
        except DatabaseError as error:
            errors.failed(str(error))
        else:
            errors.succeeded()
