"""Sends one order: once, unless it surely was not accepted or the service takes names for orders.

The journal gets the service's id before anything else is done with it.
"""

import time
from typing import Any
from urllib.parse import quote

from generator.backends.api.answers import Answer, Meaning, meaning_of, reason_of, text_at, word_at
from generator.backends.api.http import Lost, NotSent
from generator.backends.api.pending_order import MAX_RETRY_S, RETRY_S, Handle, PendingOrder
from generator.backends.ordering import sending
from generator.errors import BackendError, BilledRefusal, RefusalError
from generator.orders import OrderEnd
from generator.waiting import pause

MAX_ID = 1000  # characters of an id, with the addresses of later steps


class Placing(PendingOrder):
    """Sends an order."""

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
            raise self.unknown(str(error)) from None
        found = text_at(answer.data, [str(name.id_at)])
        if found is None and not (answer.ok and isinstance(answer.data, dict)):
            raise self.unknown(f"{self.who}: {reason_of(answer, self.provider.errors)}.")
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
                    raise self.unknown(str(error)) from None
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
        reason = f"{self.who} did not accept the order: {reason_of(answer, errors)}."
        meaning = meaning_of(answer, errors)
        if meaning is Meaning.REFUSED:
            if errors.refusal_billed:
                raise BilledRefusal(f"{reason} It may be billed.")
            raise RefusalError(reason)
        if meaning is Meaning.LATER:
            return reason
        is_answer = isinstance(answer.data, dict)
        if meaning is Meaning.UNCLEAR or (answer.ok and (said_ok or not is_answer)):
            raise self.unknown(reason)
        raise BackendError(reason)

    def _handle(self, order_id: str, data: Any) -> Handle:
        create = self.provider.create
        places = (create.poll_url_at, create.result_url_at, create.cancel_url_at)
        addresses = [text_at(data, [place]) or "" if place else "" for place in places]
        handle = Handle(order_id.replace(" ", ""), *addresses)
        if len(handle.text) > MAX_ID or any(" " in each for each in addresses):
            raise self.unknown(f"{self.who} gives an id that cannot be used.")
        return handle
