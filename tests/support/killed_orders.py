"""Runs of production that are killed at a step of an order, and what the journal then has."""

import os
from collections.abc import Callable

from sqlalchemy import select

from arena import production
from arena.context import Arena, utc_now
from arena.models import ClipOrder, OrderState
from generator.clips import FailedClip, GeneratedClip


def produce(
    arena: Arena, *, count: int | None = None, order_again: bool = False, workers: int = 0
) -> list[GeneratedClip | FailedClip]:
    """Make missing clips: in this process, or with processes."""
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key", order_again=order_again)
    return list(
        production.produce(
            arena.database, arena.store, pending[:count], workers=workers, clock=utc_now
        )
    )


def run_and_kill(
    arena: Arena, owner: type, method: str, *, after: bool, count: int | None = None
) -> None:
    """Make clips in a process that is killed before or after it calls a method."""
    child = os.fork()
    if child == 0:
        arena.database.engine.dispose(close=False)  # the parent's connections
        original: Callable[..., object] = getattr(owner, method)

        def killed(*arguments: object, **options: object) -> None:
            if after:
                original(*arguments, **options)
            os._exit(9)

        setattr(owner, method, killed)
        try:
            produce(arena, count=count)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def order_states(arena: Arena) -> list[OrderState]:
    """The states of all orders, the oldest first."""
    with arena.database.reading() as session:
        return list(session.scalars(select(ClipOrder.state).order_by(ClipOrder.id)))
