"""Carries one order out: place it, wait for it, fetch its file, cancel it.

The journal gets the service's id before anything else is done with it, and the order is sent again
only where it surely was not accepted, or where the service takes a name for it.
"""

import base64
import binascii
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from generator.backends.api.answers import (
    Answer,
    Meaning,
    at,
    meaning_of,
    number_at,
    reason_of,
    text_at,
    word_at,
)
from generator.backends.api.http import FileGone, Http, Interrupted, Lost, NotSent
from generator.backends.api.schema import Poll, Provider
from generator.backends.ordering import goes_on, outcome_unknown, sending
from generator.errors import BackendError, BilledRefusal, OrderError, RefusalError
from generator.jsonable import one_line
from generator.orders import OrderEnd, OrderJournal
from generator.progress import report_progress
from generator.waiting import pause, pause_until_poll

RETRY_S, MAX_RETRY_S = 1.0, 60.0  # between attempts, doubled each time
CANCEL_TIMEOUT_S = 3.0
MAX_ID = 1000  # characters of an id, with the addresses of later steps
MAX_UNREADABLE = 5  # polls in a row whose answers are no use


@dataclass(frozen=True)
class Delivery:
    """What became of an order: the file, the last answer, and words that nobody knows.

    Attributes:
        seconds: from sending the order to having its whole file; None: another run ordered it.
        queue_seconds: of these, until the last answer that said that the order was in the queue;
            None if the service does not say.
    """

    file: bytes = field(repr=False)
    data: Any = field(repr=False)
    unknown_words: tuple[str, ...]
    seconds: float | None = None
    queue_seconds: float | None = None


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
class Placing:
    """One order of one clip.

    Args:
        http: to the service.
        provider: how it is spoken to.
        path: of the order.
        journal: of the clip.
        poll_s: seconds between two polls.
        deadline: for the whole order, in seconds of `time.monotonic`.
        max_bytes: of the file.
    """

    http: Http
    provider: Provider
    path: str
    journal: OrderJournal
    poll_s: float
    deadline: float
    max_bytes: int
    times: Times = field(default_factory=Times)

    def place(self, body: Any, headers: dict[str, str]) -> Handle:
        """Send the order, and have the journal store the service's id of it.

        Raises:
            RefusalError: the service's rules of content do not allow it.
            OrderError: it may have been accepted, and has no id.
            BackendError: it was surely not accepted.
        """
        with sending(self.journal):
            found = self._found() if self.journal.maybe_placed else None
            handle = found or self._send(body, headers)
        if handle.file is None:
            self.journal.accepted(handle.text)
        return handle

    def deliver(self, handle: Handle) -> Delivery:
        """Wait for an accepted order and download its file.

        Raises:
            RefusalError: the service refused to make or to hand over the clip.
            OrderError: the order goes on without us, or nobody knows what became of it.
            BackendError: the service made no clip.
        """
        if handle.file is not None:
            return Delivery(handle.file, None, (), *self._measured(None))
        try:
            return self._deliver(handle)
        except (OrderError, RefusalError):
            raise
        except _Failed as error:
            raise BackendError(str(error)) from None
        except BackendError as error:
            raise self._goes_on(handle, error) from None
        except BaseException:  # Ctrl-C, SIGTERM
            if not self.journal.continues:
                self.cancel(handle)
            raise

    def cancel(self, handle: Handle) -> None:
        """Cancel an order that nobody waits for any more, if the service lets us."""
        cancel = self.provider.cancel
        if cancel is None:
            return
        address = self._address(cancel.path, handle) if cancel.path else ""
        try:
            self.http.request(
                cancel.method,
                address or handle.cancel_url,
                deadline=time.monotonic() + CANCEL_TIMEOUT_S,
            )
        except BackendError:
            pass  # it is finished and billed, like one that cannot be cancelled

    def _found(self) -> Handle | None:
        """The order of this name, where the service can be asked for it.

        Raises:
            OrderError: the service does not say whether it has the order.
        """
        name = self.provider.order_name
        if name is None or name.find is None:
            return None  # the same name is sent again, and makes no second clip
        address = name.find.replace("{order_name}", quote(self.journal.name))
        try:
            answer = self.http.request("GET", address, deadline=self.deadline)
        except BackendError as error:
            raise self._unknown(str(error)) from None
        found = text_at(answer.data, [str(name.id_at)])
        if found is None and not (answer.ok and isinstance(answer.data, dict)):
            raise self._unknown(f"{self._who}: {reason_of(answer, self.provider.errors)}.")
        return None if found is None else Handle(found[:MAX_ID])

    def _send(self, body: Any, headers: dict[str, str]) -> Handle:
        """Send the order until it is accepted, or surely not."""
        attempt = 0
        while True:
            self.journal.placing()
            wait_s = min(MAX_RETRY_S, RETRY_S * 2**attempt)
            self.times.ordered = time.monotonic()
            try:
                answer = self.http.request(
                    "POST",
                    self.path,
                    body=body,
                    headers=headers,
                    deadline=self.deadline,
                    file_bytes=self.max_bytes if self.provider.create.file else 0,
                )
            except NotSent as error:
                if time.monotonic() + wait_s > self.deadline:
                    raise BackendError(str(error)) from None
                self.journal.ended(OrderEnd.REJECTED, str(error))
            except Lost as error:
                name = self.provider.order_name
                if name is None or time.monotonic() + wait_s > self.deadline:
                    raise self._unknown(str(error)) from None
                if found := self._found():
                    return found
            else:
                handle = self._accepted(answer)
                if isinstance(handle, Handle):
                    return handle
                self.journal.ended(OrderEnd.REJECTED, handle)
                if answer.retry_after_s is not None:
                    # Not less: with a clock behind ours, a date has passed already.
                    wait_s = max(RETRY_S, min(answer.retry_after_s, MAX_RETRY_S))
                if time.monotonic() + wait_s > self.deadline:
                    raise BackendError(handle)
            attempt += 1
            pause(wait_s)

    def _accepted(self, answer: Answer) -> Handle | str:
        """The handle of an accepted order, or why it is to be sent again later.

        Raises:
            RefusalError, OrderError, BackendError: as `place` does.
        """
        create, errors = self.provider.create, self.provider.errors
        if answer.file is not None:
            return Handle("", file=answer.file)
        order_id = None if create.id_at is None else text_at(answer.data, [create.id_at])
        said_ok = create.ok_at is None or word_at(answer.data, create.ok_at) == create.ok
        if answer.ok and said_ok and order_id:
            return self._handle(order_id, answer.data)
        reason = f"{self._who} did not accept the order: {reason_of(answer, errors)}."
        meaning = meaning_of(answer, errors)
        if meaning is Meaning.REFUSED:
            if errors.refusal_billed:
                raise BilledRefusal(f"{reason} It may be billed.")
            raise RefusalError(reason)
        if meaning is Meaning.LATER:
            return reason
        is_answer = isinstance(answer.data, dict)
        if meaning is Meaning.UNCLEAR or (answer.ok and (said_ok or not is_answer)):
            raise self._unknown(reason)
        raise BackendError(reason)

    def _handle(self, order_id: str, data: Any) -> Handle:
        create = self.provider.create
        places = (create.poll_url_at, create.result_url_at, create.cancel_url_at)
        addresses = [text_at(data, [place]) or "" if place else "" for place in places]
        handle = Handle(order_id.replace(" ", ""), *addresses)
        if len(handle.text) > MAX_ID or any(" " in each for each in addresses):
            raise self._unknown(f"{self._who} gives an id that cannot be used.")
        return handle

    def _deliver(self, handle: Handle) -> Delivery:
        unknown: dict[str, None] = {}
        data = self._wait(handle, unknown)
        for attempt in range(2):
            try:
                file = self._file(handle, data)
                return Delivery(file, data, tuple(unknown), *self._measured(data))
            except FileGone as error:
                if attempt:  # also at an address that was asked for anew
                    raise self._over(handle, str(error)) from None
                data = self._wait(handle, unknown)
        raise AssertionError

    def _measured(self, data: Any) -> tuple[float | None, float | None]:
        """Seconds of the delivery that has just ended, and of these in the queue."""
        ordered = self.times.ordered
        if ordered is None:
            return None, None
        in_queue = number_at(data, self.provider.queue_seconds_at)
        if in_queue is None and self.provider.poll and self.provider.poll.queued:
            in_queue = 0.0 if self.times.queued is None else self.times.queued - ordered
        return time.monotonic() - ordered, in_queue

    def _wait(self, handle: Handle, unknown: dict[str, None]) -> Any:
        """Poll until the order is done; return the last answer."""
        poll = self._poll
        address = handle.poll_url if poll.path is None else self._address(poll.path, handle)
        unreadable = 0
        while True:
            word, reason = "", ""
            wait_s = self.poll_s
            try:
                answer = self.http.request("GET", address, deadline=self.deadline)
            except (NotSent, Lost) as error:
                reason = str(error)
            else:
                word = word_at(answer.data, poll.status_at)
                if answer.ok and isinstance(answer.data, dict):
                    self._check_failure(handle, answer, word)
                    if word in poll.done:
                        return answer.data
                    if word in poll.waiting:
                        unreadable = 0
                        if word in poll.queued:
                            self.times.queued = time.monotonic()
                        self._report(answer.data)
                    elif at(answer.data, poll.status_at) is not None:
                        unreadable = 0
                        unknown[word] = None
                    else:
                        reason = f"{self._who} gives no status of the order."
                else:
                    reason = self._poll_error(handle, answer)
                if answer.retry_after_s is not None:
                    wait_s = max(wait_s, min(answer.retry_after_s, MAX_RETRY_S))
            unreadable += bool(reason)
            if unreadable > MAX_UNREADABLE:
                raise BackendError(reason)
            self._pause(handle, reason or f"it is {word}", wait_s)

    def _check_failure(self, handle: Handle, answer: Answer, word: str) -> None:
        """Raise if a poll says that the order has failed, was refused, or is not known."""
        poll, errors = self._poll, self.provider.errors
        if word in poll.lost:
            raise self._over(handle, f"{self._who} does not know the order any more ({word}).")
        failed = poll.error_at is not None and at(answer.data, poll.error_at) is not None
        if word in poll.refused or word in poll.failed or failed:
            reason = f"{self._who} made no clip: {reason_of(answer, errors)}."
            is_refused = word in poll.refused or meaning_of(answer, errors) is Meaning.REFUSED
            raise self._ended(reason, refused=is_refused)

    def _poll_error(self, handle: Handle, answer: Answer) -> str:
        """Why a poll is asked again.

        Raises:
            OrderError: the service does not know the order any more.
        """
        reason = f"{self._who}: {reason_of(answer, self.provider.errors)}."
        if answer.status in (404, 410):
            raise self._over(handle, f"{self._who} does not know the order any more: {reason}")
        meaning = meaning_of(answer, self.provider.errors)
        if meaning is Meaning.REFUSED:
            raise self._ended(reason, refused=True)
        return reason

    def _file(self, handle: Handle, data: Any) -> bytes:
        """The file of a finished order."""
        poll, result = self._poll, self.provider.result
        if encoded := at(data, poll.base64_at):
            try:
                return base64.b64decode(str(encoded), validate=True)
            except (binascii.Error, ValueError):
                raise self._ended(f"{self._who} gives a file that is not base64.") from None
        address = text_at(data, [poll.file_at]) if poll.file_at else None
        answer = Answer(200, data, "")
        if result is not None and (address or poll.file_at is None):
            answer = self._result(handle, address or "")
            address = text_at(answer.data, [result.file_at])
        if not address:
            reason = reason_of(answer, self.provider.errors)
            raise self._ended(
                f"{self._who} is done and gives no file: {reason}.",
                refused=poll.no_file == "refused"
                or meaning_of(answer, self.provider.errors) is Meaning.REFUSED,
            )
        query = self.provider.file_query
        if query and query not in address:
            address += ("&" if "?" in address else "?") + query
        attempt = 0
        while True:
            self.journal.waiting()
            try:
                return self.http.download(
                    address,
                    with_key=self.provider.file_key,
                    deadline=self.deadline,
                    max_bytes=self.max_bytes,
                )
            except Interrupted:
                wait_s = min(MAX_RETRY_S, RETRY_S * 2**attempt)
                attempt += 1
                if attempt > 2 or time.monotonic() + wait_s > self.deadline:
                    raise
                pause(wait_s)

    def _result(self, handle: Handle, file: str) -> Answer:
        """The answer to the further request for the file's address."""
        result = self.provider.result
        address = handle.result_url
        if result is not None and result.path is not None:
            path = result.path.replace("{id}", quote(handle.id, safe="/:"))
            address = path.replace("{file}", quote(file, safe=""))
        answer = self.http.request("GET", address, deadline=self.deadline)
        if answer.ok:
            return answer
        reason = f"{self._who} made no clip: {reason_of(answer, self.provider.errors)}."
        match meaning_of(answer, self.provider.errors):
            case Meaning.REFUSED:
                raise self._ended(reason, refused=True)
            case Meaning.FAILED if answer.status not in (404, 410):
                raise self._ended(reason)
            case Meaning.FAILED:
                raise FileGone(reason)
            case _:
                raise BackendError(reason)

    def _report(self, data: Any) -> None:
        done = number_at(data, self._poll.progress_at)
        if done is not None:
            report_progress(done / self._poll.progress_of)

    def _pause(self, handle: Handle, state: str, wait_s: float) -> None:
        """Wait until the next poll; give up at the deadline."""
        if time.monotonic() > self.deadline:
            raise BackendError(
                f"{self._who} did not finish within the time limit, and {one_line(state)}; set "
                "backend.timeout_s higher."
            )
        pause_until_poll(wait_s, deadline=self.deadline)
        self.journal.waiting()

    def _ended(self, reason: str, *, refused: bool = False) -> BackendError:
        """Note that the service made no clip; return the error to raise."""
        billed = refused and self.provider.errors.refusal_billed
        self.journal.ended(OrderEnd.UNKNOWN if billed else OrderEnd.FAILED, reason)
        if billed:
            return BilledRefusal(f"{reason} The service bills refusals.")
        return RefusalError(reason) if refused else _Failed(reason)

    def _over(self, handle: Handle, reason: str) -> OrderError:
        """Note that an accepted order cannot be continued."""
        error = self._unknown(reason, handle.id)
        self.journal.ended(OrderEnd.UNKNOWN, str(error))
        return error

    def _goes_on(self, handle: Handle, error: BackendError) -> OrderError:
        """The error of an order that a later run can continue, or that is given up."""
        if self.journal.continues:
            return goes_on(error, f"order {handle.id}")
        self.cancel(handle)
        return self._over(handle, str(error))

    def _unknown(self, reason: str, order_id: str | None = None) -> OrderError:
        when = time.strftime("%H:%M:%SZ", time.gmtime())
        order = f"order {order_id}" if order_id else f"order of {when}"
        return outcome_unknown(reason, order, self.http.host)

    def _address(self, path: str, handle: Handle) -> str:
        """The path of a later step of the order."""
        return path.replace("{path}", self.path).replace("{id}", quote(handle.id, safe="/:"))

    @property
    def _poll(self) -> Poll:
        if self.provider.poll is None:
            raise BackendError(f"{self._who} brings the file with its answer and has no polls.")
        return self.provider.poll

    @property
    def _who(self) -> str:
        return f"{self.http.name}: {self.http.host}"


class _Failed(BackendError):
    """The service reports that it made no clip."""
