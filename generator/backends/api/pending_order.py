"""An order as the steps that carry it out share it: its place, its limits, its id."""

import time
from dataclasses import dataclass, field
from urllib.parse import quote

from generator.backends.api.http import Http
from generator.backends.api.schema import Provider
from generator.backends.ordering import outcome_unknown
from generator.errors import OrderError
from generator.orders import OrderJournal

RETRY_S, MAX_RETRY_S = 1.0, 60.0  # between attempts, doubled each time


@dataclass
class Times:
    """When an order was sent, and last seen in the queue, in seconds of `time.monotonic`."""

    ordered: float | None = None
    queued: float | None = None


@dataclass(frozen=True)
class Handle:
    """An accepted order: its id, and what else the answer brought: addresses, or the file."""

    id: str
    poll_url: str = ""
    result_url: str = ""
    cancel_url: str = ""
    file: bytes | None = field(default=None, repr=False, kw_only=True)

    @property
    def text(self) -> str:
        """As the journal stores it: the id, then the addresses, if there are any."""
        addresses = [each or "-" for each in (self.poll_url, self.result_url, self.cancel_url)]
        return self.id if addresses == ["-"] * 3 else " ".join([self.id, *addresses])

    @classmethod
    def parse(cls, text: str) -> "Handle":
        """The handle of a stored text."""
        order_id, *addresses = text.split(" ")
        return cls(order_id, *("" if each == "-" else each for each in addresses[:3]))


@dataclass(frozen=True)
class PendingOrder:
    """One order of one clip.

    Args:
        http: to the service.
        provider: how it is spoken to.
        path: of the order.
        journal: of the clip.
        poll_s: seconds between two polls.
        deadline: for the whole order, in seconds of `time.monotonic`.
        max_bytes: of the file.
        times: shared by the steps of the order.
    """

    http: Http
    provider: Provider
    path: str
    journal: OrderJournal
    poll_s: float
    deadline: float
    max_bytes: int
    times: Times = field(default_factory=Times)

    @property
    def who(self) -> str:
        """Entrant and host, as the subject of a sentence."""
        return f"{self.http.name}: {self.http.host}"

    def unknown(self, reason: str, order_id: str | None = None) -> OrderError:
        """The error of an order that may have been accepted, and cannot be continued."""
        when = time.strftime("%H:%M:%SZ", time.gmtime())
        order = f"order {order_id}" if order_id else f"order of {when}"
        return outcome_unknown(reason, order, self.http.host)

    def address(self, path: str, handle: Handle) -> str:
        """The path of a later step of the order."""
        return path.replace("{path}", self.path).replace("{id}", quote(handle.id, safe="/:"))
