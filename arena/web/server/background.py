"""Does the background work of a served arena in a process of its own, below the others' priority.

Leaderboards, seals, the rules about voters, the counts of battles and the check of stored files are
computed here: in a process that answers requests, every vote would wait for their turns of the
Python interpreter.

The process ends with the one that started it, and is started again if it is killed itself
(`arena/web/server/child_process.py`).
"""

import asyncio
import gc
import logging
import os
from contextlib import AbstractContextManager, suppress
from threading import Event
from typing import BinaryIO

from arena.audit.hold_job import HoldJob
from arena.audit.job import SealJob
from arena.context import Arena, open_arena
from arena.settings import Settings
from arena.standings.job import StandingsJob
from arena.standings.leased_job import NICENESS
from arena.web.server.child_process import call_at_end, child_process, read_value, run_child
from arena.web.server.log import log_to_stderr
from arena.web.server.sweep import sweep_forever
from arena.web.server.upkeep import upkeep_forever

# The matrices have as many rows as models: more threads would only wait for each other, and for
# those that answer requests.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

log = logging.getLogger(__name__)


def background_process(settings: Settings, *, after: Event) -> AbstractContextManager[None]:
    """Run the process beside the block, and start it again whenever it ends.

    Args:
        settings: of the arena, which the process opens for itself.
        after: the process is started once this is set.
    """
    return child_process(
        "arena.web.server.background",
        settings,
        name="background process",
        after=after,
        environment=ONE_THREAD,
    )


def run(pipe: BinaryIO) -> None:
    """Do the work until the other end of the pipe is closed.

    Args:
        pipe: has the pickled settings.
    """
    settings: Settings = read_value(pipe)
    with suppress(AttributeError, OSError):
        os.nice(NICENESS)
    log_to_stderr()
    with suppress(asyncio.CancelledError):
        asyncio.run(_work(open_arena(settings), pipe))


async def _work(arena: Arena, pipe: BinaryIO) -> None:
    jobs = [
        StandingsJob(arena.database, folder=arena.settings.home),
        SealJob(arena),
        HoldJob(arena.database),
    ]
    tasks = [asyncio.create_task(each) for each in (sweep_forever(arena), upkeep_forever(arena))]
    for job in jobs:
        job.start()
    # Objects created by imports are never garbage: exclude them from collections.
    gc.freeze()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    call_at_end(pipe, lambda: loop.call_soon_threadsafe(ended.set))
    await ended.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(
        *tasks, *(asyncio.to_thread(job.stop) for job in jobs), return_exceptions=True
    )
    arena.database.dispose()


def main() -> None:
    """Run as a process; the settings come from standard input."""
    run_child(run, "The background work cannot begin")


if __name__ == "__main__":
    main()
