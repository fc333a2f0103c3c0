"""How far the clip in work is, told by whatever makes it to whoever wants to know.

A clip is far from the place that shows its progress: a backend tells it here, and only the worker
around it knows who listens. One clip at a time is made in a thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def progress_listener(listener: Listener) -> Iterator[None]:
    """Have `listener` called with the share, 0 to 1, of clips made inside."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def report_progress(share: float) -> None:
    """Say which share of the clip in work is done; nothing happens where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(min(1.0, max(0.0, share)))
