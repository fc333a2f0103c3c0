"""Progress of the clip being generated, from the backend to the process that shows it.

A backend calls `report_progress`; the worker around it sets the listener. A thread generates one
clip at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def progress_listener(listener: Listener) -> Iterator[None]:
    """Within the block, call `listener` with the fraction, 0 to 1, of the current clip."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_progress(fraction: float) -> None:
    """Report the finished fraction of the current clip; without a listener, do nothing."""
    listener = _listener.get()
    if listener is not None:
        listener(min(1.0, max(0.0, fraction)))
