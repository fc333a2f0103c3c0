"""Runs requests that write to the database on a few threads of their own, with one deadline.

Other requests have the rest of the threads: while another program holds the database's lock, votes
wait or are refused, and clips, pages and health checks are served as always.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from arena.database import WRITE_WAIT_S, write_deadline
from arena.errors import StoreUnavailable

THREADS = 8  # SQLite writes one transaction at a time; other databases as many at once
MAX_WAITING = 256  # requests; at 300 writes a second, under a second
STUCK_S = 2.0  # a write that takes this long waits for a lock or for the disk
BUSY = "The arena is busy: try again."

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class WriterPool:
    """The threads of requests that write, and the requests that wait for one."""

    def __init__(
        self,
        *,
        threads: int = THREADS,
        max_waiting: int = MAX_WAITING,
        wait_s: float = WRITE_WAIT_S,
    ) -> None:
        self._threads, self._max_waiting, self._wait_s = threads, max_waiting, wait_s
        self._free = asyncio.Semaphore(threads)
        self._limiter = anyio.CapacityLimiter(threads)
        self._waiting = 0
        self._started: dict[object, float] = {}  # when each running request got its thread

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run a function on one of the threads; `Database.writing` in it has what time is left.

        Raises:
            StoreUnavailable: too many requests wait, or no thread is free before the deadline.
        """
        until = time.monotonic() + self._wait_s
        if self._waiting >= self._max_waiting or self._is_stuck():
            raise StoreUnavailable(BUSY)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise StoreUnavailable(BUSY) from error
        finally:
            self._waiting -= 1
        request = object()
        self._started[request] = time.monotonic()
        try:
            with write_deadline(until):
                return await anyio.to_thread.run_sync(function, limiter=self._limiter)
        finally:
            del self._started[request]
            self._free.release()

    def endpoint(
        self, function: Callable[Parameters, Result]
    ) -> Callable[Parameters, Awaitable[Result]]:
        """Make a route's function run on these threads; its parameters stay the same."""

        @wraps(function)
        async def run(*args: Parameters.args, **values: Parameters.kwargs) -> Result:
            return await self.run(partial(function, *args, **values))

        return run

    def _is_stuck(self) -> bool:
        """Whether all threads are taken, none has finished lately, and more requests wait."""
        if len(self._started) < self._threads or self._waiting < self._threads:
            return False
        return time.monotonic() - max(self._started.values()) > STUCK_S
