"""The journal of orders: what was ordered from a service that may bill it, so that it is once.

A backend that orders clips writes to the journal of its request, `ClipRequest.orders`, before and
after each step. Whoever keeps the clips implements `OrderJournal`, in a way that survives the
process; here is only the interface, and `NoJournal` for a clip that nobody will continue.

The steps of one order, and what a later run does if this one is killed after it:

    begin      nothing was sent yet                        orders the clip
    placing    the order may have been sent                reports it as unknown, orders nothing;
                                                           if the service takes names for orders,
                                                           finds it or sends it again
    accepted   the service has given the order an id       goes on waiting for this id
    ended      `OrderEnd` says how                         depends on `OrderEnd`
"""

from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

NOTE = "note"  # the key of a request that documents it and is not compared


class OrderEnd(StrEnum):
    """How an order ended."""

    REJECTED = "rejected"  # surely not accepted: the clip may be ordered again
    REFUSED = "refused"  # by the service's rules of content: not ordered again unless asked
    FAILED = "failed"  # the service reports that it made no clip: it may be ordered again
    RECEIVED = "received"  # its file was downloaded
    UNKNOWN = "unknown"  # it may have been accepted, and billed, and cannot be continued


class OrderJournal(Protocol):
    """The orders of one clip; passed to the worker's process with the request."""

    @property
    def continues(self) -> bool:
        """Whether a later run can continue the order, so that it is not cancelled on an error."""

    @property
    def name(self) -> str:
        """A UUID for the order that was begun: the same when another run continues it."""

    @property
    def maybe_placed(self) -> bool:
        """Whether an earlier run was stopped while it sent the order that was begun."""

    def begin(self, service: str, request: dict[str, Any], *, named: bool = False) -> str | None:
        """Claim the clip for this process.

        Args:
            service: where it is ordered; an order is only continued there.
            request: what is ordered, as JSON values without keys and passwords; an order is only
                continued for the same request. What its key `NOTE` holds is only kept.
            named: the service takes `name` with the order, so that one that may have been sent can
                be found or sent again, and is not unknown.

        Returns:
            The service's id of an order that was accepted earlier and is to be continued. None if
            the clip is to be ordered.

        Raises:
            OrderError: an earlier order may have been accepted, and cannot be continued.
            RefusalError: the service has refused the clip.
            MissingClip: another run has claimed the clip.
            GeneratorError: the journal cannot be written, so nothing may be ordered.
        """

    def placing(self) -> None:
        """Store that the order is about to be sent, before each attempt to send it.

        Raises:
            MissingClip: another run has taken over the clip.
            GeneratorError: the journal cannot be written, so nothing may be ordered.
        """

    def accepted(self, order_id: str) -> None:
        """Store the service's id of the order, before anything else is done with it."""

    def waiting(self) -> None:
        """Note that this process still waits for the order; called for every poll."""

    def ended(self, end: OrderEnd, reason: str | None = None) -> None:
        """Store how the order ended; `reason` is one sentence, if there is one."""

    def release(self) -> None:
        """Give up the claim on a clip that was not received; called however its making ends."""


class NoJournal:
    """Remembers nothing: each clip is ordered, by one process, for this run only."""

    continues = False
    maybe_placed = False

    def __init__(self) -> None:
        self.name = str(uuid4())

    def begin(self, service: str, request: dict[str, Any], *, named: bool = False) -> str | None:
        """Have the clip ordered."""
        return None

    def placing(self) -> None: ...

    def accepted(self, order_id: str) -> None: ...

    def waiting(self) -> None: ...

    def ended(self, end: OrderEnd, reason: str | None = None) -> None: ...

    def release(self) -> None: ...
