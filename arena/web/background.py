"""Does the background work of a served arena in a process of its own, below the others' priority.

Leaderboards, seals, the rules about voters, the counts of battles and the check of stored files are
computed here: in a process that answers requests, every vote would wait for their turns of the
Python interpreter.

The process ends with the one that started it, also if that is killed: it reads the pipe that has
sent it the settings until the other end is closed. If it is killed itself, it is started again.
"""

import asyncio
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import BinaryIO, cast

from arena.audit.hold_job import HoldJob
from arena.audit.job import SealJob
from arena.context import Arena, open_arena
from arena.errors import ArenaError
from arena.settings import Settings
from arena.standings.job import StandingsJob
from arena.standings.leased_job import NICENESS
from arena.web.log import log_to_stderr
from arena.web.sweep import sweep_forever
from arena.web.upkeep import upkeep_forever

RESTART_S = 2.0  # after the process ended by itself
# The matrices have as many rows as models: more threads would only wait for each other, and for
# those that answer requests.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
STOP_S = 15.0  # in which it has to end a round and keep what the next start needs

log = logging.getLogger(__name__)


@contextmanager
def background_process(settings: Settings) -> Iterator[None]:
    """Run the process beside the block, and start it again whenever it ends.

    Args:
        settings: of the arena, which the process opens for itself.
    """
    ended = Event()
    running: list[subprocess.Popen[bytes]] = []

    def supervise() -> None:
        while not ended.is_set():
            process = _start(settings)
            running[:] = [process]
            if ended.is_set():  # since the process was started
                _stop(process)
                break
            if status := process.wait():
                log.warning(
                    "The background process ended with status %s: it is started again.", status
                )
            ended.wait(RESTART_S)

    thread = Thread(target=supervise, name="background process", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        for process in running:
            _stop(process)
        thread.join(STOP_S)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        # Without the current folder on the path, where a module could shadow an installed one.
        [sys.executable, "-P", "-m", "arena.web.background"],
        stdin=subprocess.PIPE,
        env=os.environ | ONE_THREAD,
    )
    pipe = cast(BinaryIO, process.stdin)
    with suppress(BrokenPipeError):  # it has ended already
        pickle.dump(settings, pipe)
        pipe.flush()
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        cast(BinaryIO, process.stdin).close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()  # in a long computation, whose result may be lost
        process.wait()


def run(pipe: BinaryIO) -> None:
    """Do the work until the other end of the pipe is closed.

    Args:
        pipe: has the pickled settings.
    """
    # Ctrl-C reaches all processes of a terminal: the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        os.nice(NICENESS)
    log_to_stderr()
    settings: Settings = pickle.load(pipe)  # noqa: S301  (from the process that started this one)
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

    def wait_for_end() -> None:
        while pipe.read(1):
            pass
        loop.call_soon_threadsafe(ended.set)

    Thread(target=wait_for_end, daemon=True).start()
    await ended.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(
        *tasks, *(asyncio.to_thread(job.stop) for job in jobs), return_exceptions=True
    )
    arena.database.dispose()


def main() -> None:
    """Run as a process; the settings come from standard input."""
    try:
        run(sys.stdin.buffer)
    except ArenaError as error:
        log.error("The background work cannot begin: %s", error)
        time.sleep(RESTART_S)
        sys.exit(1)
    except EOFError:  # the server ended before it sent the settings
        sys.exit(0)


if __name__ == "__main__":
    main()
