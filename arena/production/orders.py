"""Stores what was ordered from paid services, so that nothing is ordered twice.

The only writer of `clip_order`. `StoredOrders` is the journal of one clip (`generator.orders`); the
process that makes the clip opens the database itself, so every machine that orders clips must reach
it.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from uuid import NAMESPACE_OID, uuid5

import psutil  # type: ignore[import-untyped]
from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session, aliased

from arena.context import utc_now
from arena.database import Database
from arena.errors import ArenaError
from arena.models import Clip, ClipOrder, Entrant, OrderState, Track
from generator.errors import GeneratorError, MissingClip, OrderError, RefusalError
from generator.orders import NOTE, OrderEnd

log = logging.getLogger(__name__)
T = TypeVar("T")

RENEW_S = 180.0  # between two notes that a process still waits for its order
# How long a step waits for the database: hundreds of orders may be placed at once, by threads that
# write one after the other.
WRITE_WAIT_S = 60.0
# A process of another machine that has noted nothing for so long has ended. One that has not is
# only slow: it can no longer order, and the id of an order that it has placed is still stored.
ABANDONED_AFTER = timedelta(minutes=10)
# With `order_again`, an order that the service has accepted and not finished is given up after:
GIVEN_UP_AFTER = timedelta(hours=24)

_STATES = {
    OrderEnd.REJECTED: OrderState.REJECTED,
    OrderEnd.REFUSED: OrderState.REFUSED,
    OrderEnd.FAILED: OrderState.FAILED,
    OrderEnd.RECEIVED: OrderState.RECEIVED,
    OrderEnd.UNKNOWN: OrderState.UNKNOWN,
}
_WITH_ID = (OrderState.ACCEPTED, OrderState.RECEIVED)
_ENDED_WITHOUT_CLIP = (OrderState.REJECTED, OrderState.FAILED)


@dataclass(frozen=True)
class ClipKey:
    """What identifies a clip."""

    entrant_id: int
    track_id: int
    prompt_id: str
    seed: int


@dataclass
class StoredOrders:
    """The journal of one clip's orders, in the database; pickled to the process that makes it.

    Args:
        url: of the database.
        key: of the clip.
        order_again: whether to order a clip again although it may have been billed already, or was
            refused.
    """

    url: str = field(repr=False)  # may hold a password
    key: ClipKey
    order_again: bool = False
    _order: int | None = None  # the row's id
    _holder: str = ""
    _unsaved_id: str | None = None
    _renewed_at: datetime | None = None
    name: str = ""
    maybe_placed: bool = False

    continues = True

    def begin(self, service: str, request: dict[str, Any], *, named: bool = False) -> str | None:
        """Claim the clip, and return the service's id of an order to continue, if there is one.

        Raises:
            GeneratorError: as `generator.orders.OrderJournal` says.
        """
        self._holder = _new_holder()
        return self._write(lambda session: self._claim(session, service, request, named))()

    def _claim(
        self, session: Session, service: str, request: dict[str, Any], named: bool
    ) -> Callable[[], str | None]:
        """Claim the clip; the returned function gives the id, or raises after the commit."""
        now = utc_now()
        last = _last_order(session, self.key)
        if last is not None and _is_held(last, now):
            raise self._claimed_elsewhere()
        other = last is not None and (
            last.service != service or _comparable(last.request) != _comparable(request)
        )
        self.maybe_placed = last is not None and last.state is OrderState.PLACING
        if last is not None and self.maybe_placed and (other or not named):
            last.state, last.updated_at = OrderState.UNKNOWN, now
            last.reason = "The run ended while the order was sent; it may have been billed."
        if last is None or last.state in _ENDED_WITHOUT_CLIP or self._may_replace(last, now):
            return self._insert(session, last, service, request, now)
        if last.state is OrderState.PLANNED:
            last.service, last.request = service, request
        elif last.state is OrderState.REFUSED:
            return _raising(RefusalError(last.reason or "The service refused to make the clip."))
        elif last.state is OrderState.UNKNOWN:
            return _raising(self._may_be_billed(last, last.reason or "Its outcome is unknown."))
        elif last.state is OrderState.RECEIVED and last.order_id is None:
            reason = "The file came with the answer to the order, and was not kept."
            return _raising(self._may_be_billed(last, reason))
        elif other:
            reason = f"The order {last.order_id} was placed with other settings."
            return _raising(self._may_be_billed(last, reason))
        self._order, self.name = last.id, _name_of(last)
        last.holder, last.held_at, last.updated_at = self._holder, now, now
        continued = last.order_id if last.state in _WITH_ID else None
        return lambda: continued

    def _may_replace(self, last: ClipOrder, now: datetime) -> bool:
        """Whether to order again although the last order may have been billed, or was refused."""
        if not self.order_again:
            return False
        is_late = now - last.created_at > GIVEN_UP_AFTER
        is_over = last.state in (OrderState.UNKNOWN, OrderState.RECEIVED, OrderState.REFUSED)
        return is_over or (last.state is OrderState.ACCEPTED and is_late)

    def _insert(
        self,
        session: Session,
        last: ClipOrder | None,
        service: str,
        request: dict[str, Any],
        now: datetime,
    ) -> Callable[[], str | None]:
        order = ClipOrder(
            entrant_id=self.key.entrant_id,
            track_id=self.key.track_id,
            prompt_id=self.key.prompt_id,
            seed=self.key.seed,
            attempt=1 if last is None else last.attempt + 1,
            state=OrderState.PLANNED,
            service=service,
            request=request,
            holder=self._holder,
            held_at=now,
            created_at=now,
            updated_at=now,
        )
        session.add(order)
        session.flush()  # if another run has just inserted it, `_write` calls `_claim` again
        self._order, self.name, self.maybe_placed = order.id, _name_of(order), False
        return lambda: None

    def placing(self) -> None:
        """Store that the order is about to be sent.

        Raises:
            MissingClip: another run has taken over the clip.
            GeneratorError: the database cannot be written.
        """
        if not self._update(held_only=True, state=OrderState.PLACING, reason=None):
            raise self._claimed_elsewhere()

    def accepted(self, order_id: str) -> None:
        """Store the service's id of the order; if the database is away, try again at each poll."""
        try:
            now = utc_now()
            self._update(state=OrderState.ACCEPTED, order_id=order_id, held_at=now)
            self._renewed_at = now
        except GeneratorError as error:
            log.warning("The order %s is not stored yet: %s", order_id, error)
            self._unsaved_id = order_id
        else:
            self._unsaved_id = None

    def waiting(self) -> None:
        """Note from time to time that this process waits for the order."""
        if self._unsaved_id is not None:
            self.accepted(self._unsaved_id)
        now = utc_now()
        if self._renewed_at is None or (now - self._renewed_at).total_seconds() >= RENEW_S:
            self._renewed_at = now
            self._try_update(held_at=now)

    def ended(self, end: OrderEnd, reason: str | None = None) -> None:
        """Store how the order ended."""
        self._try_update(state=_STATES[end], reason=reason, updated_at=utc_now())

    def release(self) -> None:
        """Give up the claim, unless the file was received: then it ends with the clip's row."""
        self._try_update(unless=OrderState.RECEIVED, holder=None)

    def _try_update(self, **values: Any) -> None:
        try:
            self._update(**values)
        except GeneratorError as error:
            log.warning("The journal of orders is not up to date: %s", error)

    def _update(
        self, *, held_only: bool = False, unless: OrderState | None = None, **values: Any
    ) -> bool:
        """Change the order's row; return whether it was changed."""
        if "state" in values:
            values = {"updated_at": utc_now()} | values
        change = update(ClipOrder).where(ClipOrder.id == self._order).values(**values)
        if held_only or "holder" in values:
            change = change.where(ClipOrder.holder == self._holder)
        if unless is not None:
            change = change.where(ClipOrder.state != unless)
        result: Any = self._write(lambda session: session.execute(change))
        return bool(result.rowcount)

    def _write(self, work: Callable[[Session], T]) -> T:
        try:
            return _database(self.url).write(work, until=time.monotonic() + WRITE_WAIT_S)
        except ArenaError as error:
            raise GeneratorError(
                f"Nothing is ordered, because the arena's database cannot be written: {error}"
            ) from error

    def _claimed_elsewhere(self) -> MissingClip:
        return MissingClip(f"Another run is ordering the clip of prompt {self.key.prompt_id}.")

    def _may_be_billed(self, order: ClipOrder, reason: str) -> OrderError:
        return OrderError(
            f"{reason.rstrip('.')}; the order {order.id} of `arena orders` may have been billed: "
            "check your account before ordering the clip again."
        )


@dataclass(frozen=True)
class PlacedOrder:
    """An order as it is listed."""

    id: int
    entrant: str
    track: str
    prompt_id: str
    seed: int
    state: OrderState
    order_id: str | None  # of the service
    placed_at: datetime
    updated_at: datetime
    reason: str | None


def list_orders(
    session: Session, *, track: Track | None = None, entrant: Entrant | None = None
) -> list[PlacedOrder]:
    """Return all orders, the oldest first."""
    query = (
        select(ClipOrder, Entrant.name, Track.name)
        .join(Entrant, Entrant.id == ClipOrder.entrant_id)
        .join(Track, Track.id == ClipOrder.track_id)
        .order_by(ClipOrder.id)
    )
    if track is not None:
        query = query.where(ClipOrder.track_id == track.id)
    if entrant is not None:
        query = query.where(ClipOrder.entrant_id == entrant.id)
    return [
        PlacedOrder(
            id=order.id,
            entrant=entrant_name,
            track=track_name,
            prompt_id=order.prompt_id,
            seed=order.seed,
            state=order.state,
            order_id=order.order_id,
            placed_at=order.created_at,
            updated_at=order.updated_at,
            reason=order.reason,
        )
        for order, entrant_name, track_name in session.execute(query)
    ]


def unfinished_orders(session: Session) -> set[ClipKey]:
    """The clips whose last order the service has accepted: they are fetched, not ordered."""
    query = select(ClipOrder).order_by(ClipOrder.attempt)
    last = {
        ClipKey(order.entrant_id, order.track_id, order.prompt_id, order.seed): order
        for order in session.scalars(query)
    }
    return {
        key for key, order in last.items() if order.state in _WITH_ID and order.order_id is not None
    }


def finish_order(session: Session, clip: Clip) -> None:
    """End the claim on a clip whose row is stored; mark a failed one that was paid for.

    A file that the service has delivered, and that cannot be used, is not ordered again unless
    somebody asks for it.
    """
    key = ClipKey(clip.entrant_id, clip.track_id, clip.prompt_id, clip.seed)
    order = _last_order(session, key)
    if order is not None and order.state is OrderState.RECEIVED:
        order.holder = None
        clip.maybe_billed = clip.maybe_billed or clip.rendition_path is None


def can_continue() -> ColumnElement[bool]:
    """SQL condition on `Clip`: its last order was accepted, so that it is not ordered again."""
    later = aliased(ClipOrder)
    return exists().where(
        *_of_same_clip(ClipOrder, Clip),
        ClipOrder.state == OrderState.ACCEPTED,
        ~exists().where(*_of_same_clip(later, ClipOrder), later.attempt > ClipOrder.attempt),
    )


def was_ordered() -> ColumnElement[bool]:
    """SQL condition on `Clip`: it was ordered from a service."""
    return exists().where(*_of_same_clip(ClipOrder, Clip))


def _of_same_clip(one: Any, other: Any) -> list[ColumnElement[bool]]:
    """SQL conditions: the rows of two tables are of the same clip."""
    names = ("entrant_id", "track_id", "prompt_id", "seed")
    return [getattr(one, name) == getattr(other, name) for name in names]


def _last_order(session: Session, key: ClipKey) -> ClipOrder | None:
    return session.scalar(
        select(ClipOrder)
        .where(
            ClipOrder.entrant_id == key.entrant_id,
            ClipOrder.track_id == key.track_id,
            ClipOrder.prompt_id == key.prompt_id,
            ClipOrder.seed == key.seed,
        )
        .order_by(ClipOrder.attempt.desc())
        .limit(1)
        .with_for_update()
    )


def _comparable(request: dict[str, Any]) -> dict[str, Any]:
    """A request without what only documents it."""
    return {key: value for key, value in request.items() if key != NOTE}


def _name_of(order: ClipOrder) -> str:
    """A UUID of an order, which does not depend on the run; other arenas have other ones."""
    identity = (
        *(order.entrant_id, order.track_id, order.prompt_id, order.seed, order.attempt),
        f"{order.created_at:%Y-%m-%dT%H:%M:%S.%f}",
    )
    return str(uuid5(NAMESPACE_OID, repr(identity)))


def _raising(error: GeneratorError) -> Callable[[], str | None]:
    def function() -> str | None:
        raise error

    return function


@lru_cache(maxsize=4)
def _database(url: str) -> Database:
    return Database(url)


def _new_holder() -> str:
    """This process, and which of its claims: host, process id, start time, a random word."""
    process = psutil.Process()
    return (
        f"{socket.gethostname()} {os.getpid()} {process.create_time():.0f} {secrets.token_hex(8)}"
    )


def _is_held(order: ClipOrder, now: datetime) -> bool:
    """Whether the process that has claimed the order still runs."""
    if order.holder is None or order.held_at is None:
        return False
    host, pid, started, _ = order.holder.rsplit(" ", 3)
    if host != socket.gethostname():
        return now - order.held_at < ABANDONED_AFTER
    try:
        process = psutil.Process(int(pid))
        is_same = f"{process.create_time():.0f}" == started
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
