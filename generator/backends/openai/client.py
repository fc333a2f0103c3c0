"""Talk to an OpenAI Videos API through the official client, which retries with backoff.

A server is not trusted: it cannot redirect to another host, and its responses are limited in size
and time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
import openai
from openai.types import Video
from pydantic import BaseModel

from generator.backends.openai.messages import ERROR_KEYS, is_html, read_reason
from generator.backends.openai.options import OpenaiOptions
from generator.backends.openai.orders import MAX_RETRY_S, RETRY_S, may_be_accepted, order_once
from generator.backends.openai.responses import limit_response, same_host_only
from generator.backends.openai.statuses import Stage, progress_of, stage_of
from generator.backends.ordering import goes_on, outcome_unknown, sending
from generator.errors import BackendError, OrderError, RefusalError
from generator.jsonable import one_line
from generator.orders import OrderEnd, OrderJournal
from generator.progress import report_progress
from generator.waiting import pause, pause_until_poll

REQUEST_TIMEOUT_S = 120.0  # until a response begins; downloading a video may take longer
DELETE_TIMEOUT_S = 3.0  # an interrupted run waits no longer for its video to be deleted
NO_KEY = "no-key"  # the client requires a key, and would send OPENAI_API_KEY to any server
# OpenAI's codes for content refused before, during and after generation.
REFUSALS = frozenset({"content_policy_violation", "moderation_blocked", "sentinel_block"})
MAX_MESSAGE = 300  # characters of a server's error message
MAX_STATUS = 80  # characters of a server's status word, and of a video's id in a message
FILE_NOT_READY = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)
UNKNOWN_ID = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
FILE_READY_S = 60.0  # a completed video's file is waited for no longer
KEPT_CONNECTIONS, KEPT_S = 16, 60.0  # of polls
NO_COMPRESSION = {"Accept-Encoding": "identity"}  # so that a small response cannot expand


@dataclass(frozen=True)
class Placed:
    """A video that was ordered; None: by an earlier run, so that its state is not known."""

    id: str
    video: Video | None = None


@dataclass(frozen=True)
class Order:
    """A video with a final status, and the unknown statuses that it had before."""

    id: str
    video: Video
    unknown_statuses: tuple[str, ...]


@dataclass(frozen=True)
class VideosApi:
    """A connection to one server, with its limits."""

    name: str  # of the entrant, for error messages
    options: OpenaiOptions
    key: str | None
    client: openai.OpenAI
    polls: openai.OpenAI

    @classmethod
    def connect(cls, name: str, options: OpenaiOptions, key: str | None) -> "VideosApi":
        """Create a client; sends no request."""
        # A server may close an idle connection just as an order is sent on it; nobody would know
        # whether it was accepted. So every request opens its own, but for polls: they can be
        # repeated, and opening the connection is most of their time.
        client = _client(options, key, httpx2.Limits(max_keepalive_connections=0))
        kept = httpx2.Limits(max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_S)
        return cls(name, options, key, client, polls=_client(options, key, kept))

    def create(
        self, arguments: dict[str, Any], *, journal: OrderJournal, deadline: float
    ) -> Placed:
        """Order a video.

        Args:
            arguments: Keyword arguments of `videos.create`.
            journal: Gets the video's id.
            deadline: Latest start of an attempt, in seconds of `time.monotonic`.

        Raises:
            RefusalError: The server's content policy does not allow the video.
            OrderError: The order may have been accepted, and its id is not known.
            BackendError: The server rejects the order.
        """
        video = self._order(arguments, journal=journal, deadline=deadline)
        journal.accepted(video.id)
        return Placed(video.id, video)

    def fetch(
        self, placed: Placed, *, journal: OrderJournal, deadline: float
    ) -> tuple[Order, bytes]:
        """Poll a video until it is completed, and download its file.

        An unfinished one is deleted, unless the journal lets a later run continue it.

        Raises:
            RefusalError: The server's content policy does not allow the video.
            OrderError: No video was received, and it may be billed.
            BackendError: The server failed to generate the video.
        """
        order = self._finish(placed.id, placed.video, journal=journal, deadline=deadline)
        return order, self.download(placed.id, journal=journal, deadline=deadline)

    def _finish(
        self, video_id: str, video: Video | None, *, journal: OrderJournal, deadline: float
    ) -> Order:
        with self._ordered(video_id, journal):
            order = self._wait(video_id, video, journal=journal, deadline=deadline)
        if stage_of(order.video.status) is Stage.FAILED:
            failure = self._failure(order.video)
            is_refusal = isinstance(failure, RefusalError)
            journal.ended(OrderEnd.REFUSED if is_refusal else OrderEnd.FAILED, str(failure))
            raise failure
        return order

    def download(self, video_id: str, *, journal: OrderJournal, deadline: float) -> bytes:
        """Download the file of a completed video, retrying when the connection breaks.

        Raises:
            OrderError: The server rejects the request, or the file is too large or too slow.
        """
        attempt = 0
        not_ready_until = min(deadline, time.monotonic() + FILE_READY_S)
        with self._ordered(video_id, journal), self._translate_errors():
            while True:
                journal.waiting()
                try:
                    return self._read(video_id, deadline=deadline)
                except openai.APIStatusError as error:
                    # Some servers report a completed video before its file can be read.
                    not_ready = error.status_code in FILE_NOT_READY
                    if not not_ready or time.monotonic() >= not_ready_until:
                        raise
                    pause(min(self.options.poll_s, MAX_RETRY_S))
                except httpx2.TransportError:
                    if attempt == self.options.max_retries:
                        raise
                    pause(min(MAX_RETRY_S, RETRY_S * 2**attempt))
                    attempt += 1

    def _order(self, arguments: dict[str, Any], *, journal: OrderJournal, deadline: float) -> Video:
        """Send the order, once unless the server surely did not accept it."""
        with sending(journal):
            return self._send_order(arguments, journal=journal, deadline=deadline)

    def _send_order(
        self, arguments: dict[str, Any], *, journal: OrderJournal, deadline: float
    ) -> Video:
        create = self.client.with_options(max_retries=0).videos.create
        try:
            with self._translate_errors():
                answer = order_once(
                    lambda: create(**arguments),
                    journal=journal,
                    max_retries=self.options.max_retries,
                    deadline=deadline,
                )
        except BackendError as error:
            cause = error.__context__
            lost = not isinstance(cause, openai.OpenAIError) or may_be_accepted(cause)
            if lost:
                raise self._unknown(error, "order") from None
            raise
        if isinstance(answer, Video) and isinstance(getattr(answer, "id", None), str):
            return answer
        reason = read_reason(_error_fields(answer))
        if reason:
            raise BackendError(
                f"{self.name}: {self.options.host} rejected the request: {self._shorten(reason)}"
            )
        problem = self._not_a_video()
        if isinstance(answer, str) and is_html(answer):  # another site than the API
            raise problem
        raise self._unknown(problem, "order")

    def _wait(
        self, video_id: str, video: Video | None, *, journal: OrderJournal, deadline: float
    ) -> Order:
        """Poll until the video has a final status; `video` is its last known state."""
        unknown = dict[str, None]()
        name = self._clean(video_id)[:MAX_STATUS]
        finished = journal.continues  # then it is not deleted either
        try:
            with self._translate_errors():
                if video is None:
                    video = self.polls.videos.retrieve(video_id)
                while True:
                    status = self._status(video)
                    stage = stage_of(status)
                    if stage in (Stage.COMPLETED, Stage.FAILED):
                        finished = True
                        return Order(video_id, video, tuple(unknown))
                    state = f"the video {name} is {status or 'without a status'}"
                    if status and stage is Stage.UNKNOWN:
                        unknown[status] = None
                        state += ", a status that is not known"
                    fraction = progress_of(getattr(video, "progress", None))
                    if fraction is not None:
                        report_progress(fraction)
                    self._check_deadline(deadline, state)
                    pause_until_poll(self.options.poll_s, deadline=deadline)
                    journal.waiting()
                    video = self.polls.videos.retrieve(video_id)
        finally:
            if not finished:  # also on Ctrl-C and SIGTERM
                self._delete(video_id)

    def _status(self, video: object) -> str:
        """The status of a polled video as one line; the client does not validate types."""
        status = getattr(video, "status", "")
        if not isinstance(video, Video) or not isinstance(status, str | int | None):
            reason = read_reason(_error_fields(video))
            if reason:
                raise BackendError(f"{self.name}: {self.options.host}: {self._shorten(reason)}")
            raise self._not_a_video()
        return self._clean(str("" if status is None else status))[:MAX_STATUS]

    def _failure(self, video: Video) -> BackendError:
        """The error of a video that the server failed to generate."""
        error = getattr(video, "error", None)
        code = getattr(error, "code", None)
        if isinstance(error, BaseModel):
            error = error.model_dump()
        reason = read_reason(error) or read_reason(video.model_extra) or "no reason given"
        details = [code] if isinstance(code, str) and code else []
        status = self._status(video)
        if not details and status.lower() != "failed":
            details = [f"status {status}"]
        reason += "".join(f" ({detail})" for detail in details)
        return _error_class(code)(
            f"{self.name}: {self.options.host} did not generate the video: {self._shorten(reason)}"
        )

    @contextmanager
    def _ordered(self, video_id: str, journal: OrderJournal) -> Iterator[None]:
        """Within the block, an error does not undo the order: it may still be billed."""
        try:
            yield
        except OrderError:
            raise
        except RefusalError as error:
            journal.ended(OrderEnd.REFUSED, str(error))
            raise
        except BackendError as error:
            name = self._clean(video_id)[:MAX_STATUS]
            cause = error.__context__
            forgotten = isinstance(cause, openai.APIStatusError) and cause.status_code in UNKNOWN_ID
            if journal.continues and not forgotten:
                raise goes_on(error, f"order of the video {name}") from None
            unknown = self._unknown(error, f"order of the video {name}")
            journal.ended(OrderEnd.UNKNOWN, str(unknown))
            raise unknown from None

    def _unknown(self, error: BackendError, order: str) -> OrderError:
        return outcome_unknown(error, order, self.options.host)

    def _not_a_video(self) -> BackendError:
        return BackendError(
            f"{self.name}: the response of {self.options.host} is not a video of the OpenAI "
            "Videos API; check backend.base_url."
        )

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self.polls.close()

    def _read(self, video_id: str, *, deadline: float) -> bytes:
        max_bytes = self.options.max_download_mib * 2**20
        data = bytearray()
        content = self.client.videos.with_streaming_response.download_content(video_id)
        with content as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > max_bytes:
                    raise BackendError(
                        f"{self.name}: the file from {self.options.host} has more than "
                        f"{self.options.max_download_mib} MiB; request a smaller video."
                    )
                self._check_deadline(deadline, "the file is still downloading")
        return bytes(data)

    def _check_deadline(self, deadline: float, state: str) -> None:
        if time.monotonic() > deadline:
            raise BackendError(
                f"{self.name}: {self.options.host} took more than {self.options.timeout_s:g} s and "
                f"{state}; try again, or increase backend.timeout_s."
            )

    def _delete(self, video_id: str) -> None:
        client = self.client.with_options(timeout=DELETE_TIMEOUT_S, max_retries=0)
        with suppress(openai.OpenAIError):
            client.videos.delete(video_id)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn the client's exceptions into a BackendError, or a RefusalError for `REFUSALS`."""
        host = self.options.host
        try:
            yield
        except openai.APIStatusError as error:
            if error.response.is_redirect:
                raise BackendError(
                    f"{self.name}: {host} redirects to another host, which is not followed; "
                    "correct backend.base_url."
                ) from None
            reason = self._shorten(read_reason(error.body) or f"status {error.status_code}")
            if error.status_code == HTTPStatus.NOT_FOUND:
                reason += " Check backend.base_url, which often ends in /v1, and backend.model."
            verb = "failed" if error.status_code >= 500 else "rejected the request"
            error_class = _error_class(error.code)
            raise error_class(
                f"{self.name}: {host} {verb} ({error.status_code}): {reason}"
            ) from None
        except openai.APITimeoutError:
            raise BackendError(f"{self.name}: {host} does not respond; try again later.") from None
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            if isinstance(error.__cause__, BackendError):
                raise BackendError(f"{self.name}: {error.__cause__}") from None
            reason = type(error.__cause__ or error).__name__
            raise BackendError(
                f"{self.name}: {host} cannot be reached ({reason}); check backend.base_url and the "
                "network."
            ) from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BackendError(
                f"{self.name}: the response of {host} cannot be read "
                f"({type(error).__name__}); check backend.base_url."
            ) from None

    def _clean(self, text: str) -> str:
        """A text of the server on one line, without control characters and the API key."""
        return one_line(text if self.key is None else text.replace(self.key, "…"))

    def _shorten(self, message: str) -> str:
        """A server's message as one short sentence."""
        line = self._clean(message)
        short = line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"
        return short if short.endswith((".", "!", "?", "…")) else f"{short}."


def _error_fields(answer: object) -> dict[str, object]:
    """The fields of an answer, with a successful status, that report an error."""
    if not isinstance(answer, BaseModel):
        return {}
    fields = {name: getattr(answer, name, None) for name in (*ERROR_KEYS, "message")}
    return {
        name: value.model_dump() if isinstance(value, BaseModel) else value
        for name, value in fields.items()
        if value
    }


def _error_class(code: object) -> type[BackendError]:
    """Distinguish content refusals from other failures; servers send codes of any type."""
    return RefusalError if isinstance(code, str) and code in REFUSALS else BackendError


def _client(options: OpenaiOptions, key: str | None, limits: httpx2.Limits) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=options.base_url,
        api_key=key or NO_KEY,
        max_retries=options.max_retries,
        timeout=REQUEST_TIMEOUT_S,
        default_headers=NO_COMPRESSION,
        http_client=openai.DefaultHttpxClient(
            limits=limits,
            event_hooks={
                "response": [
                    same_host_only(httpx2.URL(options.base_url)),
                    limit_response(options.host, seconds=min(REQUEST_TIMEOUT_S, options.timeout_s)),
                ]
            },
        ),
    )
