"""Ordering a clip from a service: the steps that all backends share.

An order is claimed in the journal of its clip, sent once, and continued by a later run. Here is
what does not depend on the service's interface; `generator.orders` says what the journal promises.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any, Generic, TypeVar

import httpx2

from generator.backends.rate_limit import SharedRateLimit
from generator.clips import ClipRequest
from generator.errors import BackendError, ClipError, OrderError, RefusalError
from generator.media.images import load_image
from generator.orders import OrderEnd, OrderJournal

Order = TypeVar("Order")
File = TypeVar("File")

# The connection was never made, so that no byte of the order was sent.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True)
class Purchase(Generic[File]):
    """A file that a service delivered.

    Attributes:
        file: what `fetch` returned.
        seconds: from the order to the end of the download; None if another run placed the order.
    """

    file: File
    seconds: float | None


@dataclass(frozen=True)
class Steps(Generic[Order, File]):
    """The steps of one order at one service; deadlines are in seconds of `time.monotonic`.

    Attributes:
        place: sends the order; uses the journal from `placing` to `accepted`.
        resume: the order of a stored id.
        fetch: waits for the order and downloads its file.
    """

    place: Callable[[float], Order]
    resume: Callable[[str], Order]
    fetch: Callable[[Order, float], File]


def buy(
    steps: Steps[Order, File],
    journal: OrderJournal,
    *,
    service: str,
    request: dict[str, Any],
    named: bool,
    limit: SharedRateLimit | None,
    timeout_s: float,
) -> Purchase[File]:
    """Order a clip, or continue an earlier order of the same one, and download its file.

    Args:
        steps: of the order.
        journal: of the clip.
        service: the service's address; an order is only continued there.
        request: what is ordered, without keys; an order is only continued for the same.
        named: whether the service takes a name for the order.
        limit: how often orders may be sent; waiting for it does not count as time of the order.
        timeout_s: wall-clock time from the order to the file.

    Raises:
        GeneratorError: as `OrderJournal.begin` and the steps do.
    """
    order_id = journal.begin(service, request, named=named)
    try:
        if order_id is None and limit is not None:
            limit.wait()
        started = time.monotonic()
        deadline = started + timeout_s
        order = steps.place(deadline) if order_id is None else steps.resume(order_id)
        file = steps.fetch(order, deadline)
        journal.ended(OrderEnd.RECEIVED)
    finally:
        journal.release()
    return Purchase(file, None if order_id is not None else time.monotonic() - started)


@contextmanager
def sending(journal: OrderJournal) -> Iterator[None]:
    """Within the block an order is sent; an error is noted by whether it may be accepted."""
    try:
        yield
    except RefusalError as error:
        journal.ended(OrderEnd.REFUSED, str(error))
        raise
    except OrderError as error:
        journal.ended(OrderEnd.UNKNOWN, str(error))
        raise
    except BackendError as error:
        journal.ended(OrderEnd.REJECTED, str(error))
        raise


def goes_on(reason: object, order: str) -> OrderError:
    """The error of an order that a later run continues."""
    return OrderError(
        f"{str(reason).rstrip('.')}; the {order} goes on: generate again to continue it."
    )


def outcome_unknown(reason: object, order: str, host: str) -> OrderError:
    """The error of an order that may have been accepted, and cannot be continued."""
    return OrderError(
        f"{str(reason).rstrip('.')}; the outcome of the {order} is unknown, may have been billed: "
        f"check your account at {host} before ordering it again."
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a response asks to wait, as a number or as a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def source_image(request: ClipRequest, size: tuple[int, int]) -> bytes:
    """The prompt's image as a PNG file in the size of the clip, without metadata.

    Raises:
        ClipError: there is none, or it cannot be opened.
    """
    if request.source is None:
        raise missing_source(request, "an image")
    buffer = BytesIO()
    load_image(request.source, size).save(buffer, "PNG")
    return buffer.getvalue()


def missing_source(request: ClipRequest, kind: str) -> ClipError:
    """The error of a prompt without the source that its track needs."""
    return ClipError(
        f"The prompt {request.prompt_id} has no source and the track {request.track.name} "
        f"needs one; set the prompt's source to {kind}."
    )


def sha256(data: bytes) -> str:
    """A hash, in place of a file in the journal."""
    return hashlib.sha256(data).hexdigest()
