"""Requests that write have threads of their own and one deadline; a long queue is refused."""

import asyncio
import threading
import time

import pytest

from arena.errors import StoreUnavailable
from arena.web.writers import WriterPool


def run_with(pool: WriterPool, requests: int, work: threading.Event) -> list[object]:
    """Run requests that all wait for `work`; return each result or error."""

    async def main() -> list[object]:
        tasks = [pool.run(lambda: work.wait(20)) for _ in range(requests)]
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    return asyncio.run(main())


def test_a_request_returns_what_its_function_returns() -> None:
    pool = WriterPool(threads=1)

    @pool.endpoint
    def add(a: int, *, b: int) -> int:
        return a + b

    assert asyncio.run(add(1, b=2)) == 3  # type: ignore[arg-type]


def test_requests_beyond_the_queue_are_refused_at_once_and_the_others_served() -> None:
    pool, work = WriterPool(threads=2, max_waiting=3, wait_s=30), threading.Event()
    threading.Timer(0.5, work.set).start()
    results = run_with(pool, 10, work)
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    served = [result for result in results if result is True]
    assert len(served) + len(refused) == 10
    assert 2 <= len(served) <= 5


def test_a_request_does_not_wait_longer_than_the_deadline() -> None:
    pool, work = WriterPool(threads=1, wait_s=0.3), threading.Event()
    threading.Timer(1.5, work.set).start()
    started = time.monotonic()
    results = run_with(pool, 3, work)
    assert [isinstance(result, StoreUnavailable) for result in results] == [False, True, True]
    assert time.monotonic() - started < 15


def test_while_all_threads_are_stuck_new_requests_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("arena.web.writers.STUCK_S", 0.2)
    pool, work = WriterPool(threads=2, wait_s=30), threading.Event()

    async def main() -> float:
        first = [asyncio.create_task(pool.run(lambda: work.wait(20))) for _ in range(4)]
        await asyncio.sleep(0.5)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="busy"):
            await pool.run(lambda: None)
        waited = time.monotonic() - started
        work.set()
        await asyncio.gather(*first)
        await pool.run(lambda: None)  # and accepted again afterwards
        return waited

    assert asyncio.run(main()) < 5


def test_the_deadline_covers_the_queue_and_the_database() -> None:
    from arena.database import _deadline

    pool = WriterPool(threads=1, wait_s=5)
    asked = time.monotonic()
    until = asyncio.run(pool.run(_deadline.get))
    assert until is not None
    assert asked + 4 < until < time.monotonic() + 5
