"""Requests that write have threads of their own and one deadline; a long queue is refused."""

import asyncio
import threading
import time
from itertools import islice

import pytest

from arena.errors import StoreUnavailable
from arena.web.routes.writers import WriterPool


def run_until_refused(pool: WriterPool, requests: int, refused: int) -> list[object]:
    """Run requests that end once that many of them are refused; return each result or error."""
    work = threading.Event()

    async def main() -> list[object]:
        tasks = [asyncio.create_task(pool.run(lambda: work.wait(60))) for _ in range(requests)]
        for refusal in islice(asyncio.as_completed(tasks), refused):
            with pytest.raises(StoreUnavailable):
                await refusal
        work.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    return asyncio.run(main())


def test_a_request_returns_what_its_function_returns() -> None:
    pool = WriterPool(threads=1)

    @pool.endpoint
    def add(a: int, *, b: int) -> int:
        return a + b

    assert asyncio.run(add(1, b=2)) == 3  # type: ignore[arg-type]


def test_requests_beyond_the_queue_are_refused_at_once_and_the_others_served() -> None:
    pool = WriterPool(threads=2, max_waiting=3, wait_s=60)
    results = run_until_refused(pool, 10, 5)
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    served = [result for result in results if result is True]
    assert len(served) + len(refused) == 10
    assert 2 <= len(served) <= 5


def test_a_request_does_not_wait_longer_than_the_deadline() -> None:
    results = run_until_refused(WriterPool(threads=1, wait_s=0.5), 3, 2)
    assert [isinstance(result, StoreUnavailable) for result in results] == [False, True, True]


def test_while_all_threads_are_stuck_new_requests_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("arena.web.routes.writers.STUCK_S", 0.2)
    pool, work = WriterPool(threads=2, wait_s=60), threading.Event()

    async def main() -> None:
        first = [asyncio.create_task(pool.run(lambda: work.wait(60))) for _ in range(4)]
        await asyncio.sleep(0.5)
        with pytest.raises(StoreUnavailable, match="busy"):
            await pool.run(lambda: None)
        assert not any(request.done() for request in first)
        work.set()
        await asyncio.gather(*first)
        await pool.run(lambda: None)  # and accepted again afterwards

    asyncio.run(main())


def test_the_deadline_covers_the_queue_and_the_database() -> None:
    from arena.database import _deadline

    pool = WriterPool(threads=1, wait_s=5)
    asked = time.monotonic()
    until = asyncio.run(pool.run(_deadline.get))
    assert until is not None
    assert asked + 4 < until < time.monotonic() + 5
