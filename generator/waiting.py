"""Waiting for services: polls of many orders in one process, and how they are stopped.

A backend that waits calls `pause` or `pause_until_poll` instead of `time.sleep`. The process that
runs it in several threads stops all of them through the event of `stopped_by`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, Lock

# Polls of this process in a second, however many orders wait: a poll takes 1 to 2 ms of a core.
MAX_POLLS_PER_S = 15.0
POLL_MARGIN_S = 0.01  # past the deadline, so that the last poll sees that it has passed

_stop: ContextVar[Event | None] = ContextVar("stop", default=None)
_lock = Lock()
_waiting = 0  # threads of this process in `pause_until_poll`


@contextmanager
def stopped_by(event: Event) -> Iterator[None]:
    """Within the block, waiting in this thread ends with SystemExit once `event` is set."""
    token = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(token)


def pause(seconds: float) -> None:
    """Wait.

    Raises:
        SystemExit: the process is being stopped.
    """
    event = _stop.get()
    if event is None:
        time.sleep(max(0.0, seconds))  # of a process with one order: a signal ends it
    elif event.wait(max(0.0, seconds)):
        raise SystemExit


def pause_until_poll(seconds: float, *, deadline: float) -> None:
    """Wait until the next poll of an order, longer if many orders wait in this process.

    Args:
        seconds: between two polls of the order.
        deadline: in seconds of `time.monotonic`; the wait ends shortly after it.

    Raises:
        SystemExit: the process is being stopped.
    """
    global _waiting
    with _lock:
        _waiting += 1
        interval_s = max(seconds, _waiting / MAX_POLLS_PER_S)
    try:
        remaining_s = max(0.0, deadline - time.monotonic())
        pause(min(interval_s, remaining_s + POLL_MARGIN_S))
    finally:
        with _lock:
            _waiting -= 1
