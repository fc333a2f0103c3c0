"""Waits for an accepted order and fetches its file, or cancels it."""

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
from generator.backends.api.http import FileGone, Interrupted, Lost, NotSent
from generator.backends.api.pending_order import MAX_RETRY_S, RETRY_S, Handle, PendingOrder
from generator.backends.api.schema_parts import Poll
from generator.backends.ordering import goes_on
from generator.errors import BackendError, BilledRefusal, OrderError, RefusalError
from generator.jsonable import one_line
from generator.orders import OrderEnd
from generator.progress import report_progress
from generator.waiting import pause, pause_until_poll

CANCEL_TIMEOUT_S = 3.0
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


class Delivering(PendingOrder):
    """Brings the file of an accepted order."""

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
        address = self.address(cancel.path, handle) if cancel.path else ""
        try:
            self.http.request(
                cancel.method,
                address or handle.cancel_url,
                deadline=time.monotonic() + CANCEL_TIMEOUT_S,
            )
        except BackendError:
            pass  # it is finished and billed, like one that cannot be cancelled

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
        address = handle.poll_url if poll.path is None else self.address(poll.path, handle)
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
                        reason = f"{self.who} gives no status of the order."
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
            raise self._over(handle, f"{self.who} does not know the order any more ({word}).")
        failed = poll.error_at is not None and at(answer.data, poll.error_at) is not None
        if word in poll.refused or word in poll.failed or failed:
            reason = f"{self.who} made no clip: {reason_of(answer, errors)}."
            is_refused = word in poll.refused or meaning_of(answer, errors) is Meaning.REFUSED
            raise self._ended(reason, refused=is_refused)

    def _poll_error(self, handle: Handle, answer: Answer) -> str:
        """Why a poll is asked again.

        Raises:
            OrderError: the service does not know the order any more.
        """
        reason = f"{self.who}: {reason_of(answer, self.provider.errors)}."
        if answer.status in (404, 410):
            raise self._over(handle, f"{self.who} does not know the order any more: {reason}")
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
                raise self._ended(f"{self.who} gives a file that is not base64.") from None
        address = text_at(data, [poll.file_at]) if poll.file_at else None
        answer = Answer(200, data, "")
        if result is not None and (address or poll.file_at is None):
            answer = self._result(handle, address or "")
            address = text_at(answer.data, [result.file_at])
        if not address:
            reason = reason_of(answer, self.provider.errors)
            raise self._ended(
                f"{self.who} is done and gives no file: {reason}.",
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
        reason = f"{self.who} made no clip: {reason_of(answer, self.provider.errors)}."
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
                f"{self.who} did not finish within the time limit, and {one_line(state)}; set "
                "backend.timeout_s higher."
            )
        pause_until_poll(wait_s, deadline=self.deadline)
        self.journal.waiting()

    def _ended(self, reason: str, *, refused: bool = False) -> BackendError:
        """Note that the service made no clip; return the error to raise."""
        if not refused:
            self.journal.ended(OrderEnd.FAILED, reason)
            return _Failed(reason)
        is_billed = self.provider.errors.refusal_billed
        reason = f"{reason} The service bills refusals." if is_billed else reason
        self.journal.ended(OrderEnd.REFUSED, reason)
        return BilledRefusal(reason) if is_billed else RefusalError(reason)

    def _over(self, handle: Handle, reason: str) -> OrderError:
        """Note that an accepted order cannot be continued."""
        error = self.unknown(reason, handle.id)
        self.journal.ended(OrderEnd.UNKNOWN, str(error))
        return error

    def _goes_on(self, handle: Handle, error: BackendError) -> OrderError:
        """The error of an order that a later run can continue, or that is given up."""
        if self.journal.continues:
            return goes_on(error, f"order {handle.id}")
        self.cancel(handle)
        return self._over(handle, str(error))

    @property
    def _poll(self) -> Poll:
        if self.provider.poll is None:
            raise BackendError(f"{self.who} brings the file with its answer and has no polls.")
        return self.provider.poll


class _Failed(BackendError):
    """The service reports that it made no clip."""
