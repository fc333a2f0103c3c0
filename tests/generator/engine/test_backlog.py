"""The number of unfinished clips of a worker is limited by count and by bytes."""

from threading import Thread

from generator.engine.worker import MAX_BYTES, MAX_CLIPS, MIN_CLIPS, Backlog

TIMEOUT_S = 60.0  # only a deadlock takes that long


def filled(clips: int, size: int) -> Backlog:
    """A backlog of `clips` clips of `size` bytes each."""
    backlog = Backlog()
    for _ in range(clips):
        assert backlog.acquire(blocking=False)
        backlog.add_bytes(size)
    return backlog


def test_small_clips_are_limited_by_count() -> None:
    backlog = filled(MAX_CLIPS, size=1)
    assert not backlog.acquire(blocking=False)
    backlog.release(1)
    assert backlog.acquire(blocking=False)
    assert not backlog.acquire(blocking=False)


def test_large_clips_are_limited_by_bytes() -> None:
    backlog = filled(MIN_CLIPS, size=MAX_BYTES)
    assert not backlog.acquire(blocking=False)
    backlog.release(MAX_BYTES)
    assert backlog.acquire(blocking=False)


def test_a_failed_clip_frees_its_capacity() -> None:
    backlog = filled(MAX_CLIPS, size=0)
    backlog.release(0)
    assert backlog.acquire(blocking=False)


def test_a_full_backlog_blocks_until_a_clip_is_released() -> None:
    backlog = filled(MAX_CLIPS, size=1)
    blocked = Thread(target=backlog.acquire, daemon=True)
    blocked.start()
    backlog.release(1)
    blocked.join(TIMEOUT_S)
    assert not blocked.is_alive()
    assert not backlog.acquire(blocking=False)
