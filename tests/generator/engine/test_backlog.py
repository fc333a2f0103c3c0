"""How many clips may be unfinished at once."""

from threading import Thread

from generator.engine.backlog import MAX_BYTES, MAX_CLIPS, MIN_CLIPS, Backlog

SOON_S, LATE_S = 0.2, 10.0


def entering(backlog: Backlog) -> Thread:
    thread = Thread(target=backlog.acquire, daemon=True)
    thread.start()
    return thread


def filled(clips: int, size: int) -> Backlog:
    """With so many clips of so many bytes each, all of which found room."""
    backlog = Backlog()
    for _ in range(clips):
        thread = entering(backlog)
        thread.join(LATE_S)
        assert not thread.is_alive()
        backlog.add_bytes(size)
    return backlog


def waits(thread: Thread) -> bool:
    thread.join(SOON_S)
    return thread.is_alive()


def test_many_small_clips_may_wait_to_be_finished() -> None:
    backlog = filled(MAX_CLIPS, size=1)
    late = entering(backlog)
    assert waits(late)

    backlog.release(1)

    late.join(LATE_S)
    assert not late.is_alive()


def test_of_large_clips_few_may_wait() -> None:
    backlog = filled(MIN_CLIPS, size=MAX_BYTES)
    late = entering(backlog)
    assert waits(late)

    backlog.release(MAX_BYTES)

    late.join(LATE_S)
    assert not late.is_alive()


def test_a_clip_that_failed_leaves_its_place() -> None:
    backlog = filled(MAX_CLIPS, size=0)
    backlog.release(0)
    assert not waits(entering(backlog))
