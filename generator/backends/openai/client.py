"""Talking to an OpenAI Videos API by the official client, which retries and backs off."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
import openai
from openai.types import Video

from generator.backends.openai.options import OpenaiOptions
from generator.errors import BackendError, RefusalError
from generator.progress import report_progress

REQUEST_TIMEOUT_S = 120.0  # for one answer to begin; a video's file may take longer
DELETE_TIMEOUT_S = (
    3.0  # an interrupted run does not wait longer for its unfinished video to be deleted
)
NO_KEY = "no-key"  # the client insists on one, and would take OPENAI_API_KEY for any server
PENDING = ("queued", "in_progress")
# Codes of OpenAI's own, before, while and after a video is made.
REFUSALS = frozenset({"content_policy_violation", "moderation_blocked", "sentinel_block"})
MAX_MESSAGE = 300  # characters of what a server says
RETRY_S, MAX_RETRY_S = 0.5, 8.0  # the client's own
MAX_BYTES = 4 * 2**20  # of an answer in JSON; a video's file is read elsewhere, and counted there
FILE = "/content"  # how the addresses of files end
NO_COMPRESSION = {"Accept-Encoding": "identity"}  # a small packed answer can be a large one


@dataclass(frozen=True)
class VideosApi:
    """One server, and how long and how often to ask it."""

    name: str  # of the entrant, for messages
    options: OpenaiOptions
    key: str | None
    client: openai.OpenAI

    @classmethod
    def connect(cls, name: str, options: OpenaiOptions, key: str | None) -> "VideosApi":
        """A client that has asked nothing yet."""
        client = openai.OpenAI(
            base_url=options.base_url,
            api_key=key or NO_KEY,
            max_retries=options.max_retries,
            timeout=REQUEST_TIMEOUT_S,
            default_headers=NO_COMPRESSION,
            http_client=openai.DefaultHttpxClient(
                event_hooks={
                    "response": [
                        same_host_only(httpx2.URL(options.base_url)),
                        bound(options.host, seconds=min(REQUEST_TIMEOUT_S, options.timeout_s)),
                    ]
                }
            ),
        )
        return cls(name, options, key, client)

    def make(self, arguments: dict[str, Any], *, deadline: float) -> Video:
        """Order a video and wait until it is completed; an unfinished one is deleted.

        Raises:
            RefusalError: The server's rules of content do not allow the video.
            BackendError: The server refuses, fails, or needs longer than the deadline.
        """
        with self._translate_errors():
            video = self._checked(self.client.videos.create(**arguments))
            finished = False
            try:
                while video.status in PENDING:
                    report_progress((getattr(video, "progress", None) or 0) / 100)
                    self._check_deadline(deadline, f"the video {video.id} is {video.status}")
                    time.sleep(self.options.poll_s)
                    video = self._checked(self.client.videos.retrieve(video.id))
                finished = True
            finally:
                if not finished:  # also on Ctrl-C, and where the process is told to end
                    self._delete(video.id)
        if video.status != "completed":
            error = video.error
            told = "no reason" if error is None else f"{error.message} ({error.code})"
            kind = _error_class(None if error is None else error.code)
            raise kind(f"{self.name}: {self.options.host} made no video: {self._say(told)}")
        return video

    def download(self, video_id: str, *, deadline: float) -> bytes:
        """The file of a completed video, asked for again where the connection breaks.

        Raises:
            BackendError: The server refuses, or the file is too large or comes too slowly.
        """
        with self._translate_errors():
            for attempt in range(self.options.max_retries):
                with suppress(httpx2.TransportError):
                    return self._read(video_id, deadline=deadline)
                time.sleep(min(MAX_RETRY_S, RETRY_S * 2**attempt))
            return self._read(video_id, deadline=deadline)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()

    def _read(self, video_id: str, *, deadline: float) -> bytes:
        most = self.options.max_download_mib * 2**20
        data = bytearray()
        content = self.client.videos.with_streaming_response.download_content(video_id)
        with content as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > most:
                    raise BackendError(
                        f"{self.name}: the file from {self.options.host} has more than "
                        f"{self.options.max_download_mib} MiB; ask for a smaller video."
                    )
                self._check_deadline(deadline, "its file is still coming")
        return bytes(data)

    def _checked(self, video: object) -> Video:
        """What the server gave, if it is a video: the client checks no types."""
        fields = {key: getattr(video, key, None) for key in ("id", "status")}
        if isinstance(video, Video) and all(isinstance(text, str) for text in fields.values()):
            return video
        raise BackendError(
            f"{self.name}: {self.options.host} gave an answer that is no video of the OpenAI "
            "Videos API; check backend.base_url."
        )

    def _check_deadline(self, deadline: float, state: str) -> None:
        if time.monotonic() > deadline:
            raise BackendError(
                f"{self.name}: {self.options.host} took more than {self.options.timeout_s:g} s and "
                f"{state}; try again, or raise backend.timeout_s."
            )

    def _delete(self, video_id: str) -> None:
        hasty = self.client.with_options(timeout=DELETE_TIMEOUT_S, max_retries=0)
        with suppress(openai.OpenAIError):
            hasty.videos.delete(video_id)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        host = self.options.host
        try:
            yield
        except openai.APIStatusError as error:
            if error.response.is_redirect:
                told = "sends its clients to another host, and they do not follow; correct base_url"
                raise BackendError(f"{self.name}: {host} {told}.") from None
            body = error.body
            message = body.get("message") if isinstance(body, dict) else None
            told = self._say(str(message or f"status {error.status_code}"))
            if error.status_code == HTTPStatus.NOT_FOUND:
                told += " Check backend.base_url, which often ends in /v1, and backend.model."
            does = "fails" if error.status_code >= 500 else "refuses"
            kind = _error_class(error.code)
            raise kind(f"{self.name}: {host} {does} ({error.status_code}): {told}") from None
        except openai.APITimeoutError:
            raise BackendError(f"{self.name}: {host} does not answer; try again later.") from None
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            if isinstance(error.__cause__, BackendError):
                raise BackendError(f"{self.name}: {error.__cause__}") from None
            reason = type(error.__cause__ or error).__name__
            raise BackendError(
                f"{self.name}: {host} cannot be reached ({reason}); check base_url and the network."
            ) from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BackendError(
                f"{self.name}: {host} gave an answer that cannot be read "
                f"({type(error).__name__}); check backend.base_url."
            ) from None

    def _say(self, told: str) -> str:
        """A server's words as one short sentence, without the key that some repeat."""
        if self.key is not None:
            told = told.replace(self.key, "…")
        words = " ".join(told.split())
        short = words if len(words) <= MAX_MESSAGE else f"{words[:MAX_MESSAGE]}…"
        return short if short.endswith((".", "!", "?", "…")) else f"{short}."


def _error_class(code: object) -> type[BackendError]:
    """Whether a model would not make a video, or only did not; servers give codes of any type."""
    return RefusalError if isinstance(code, str) and code in REFUSALS else BackendError


def same_host_only(base: httpx2.URL) -> Callable[[httpx2.Response], None]:
    """A hook that keeps a server from sending us on to places that only we can reach."""

    def forget_other_hosts(response: httpx2.Response) -> None:
        if response.has_redirect_location:
            target = response.request.url.join(response.headers["location"])
            if (target.scheme, target.netloc) != (base.scheme, base.netloc):
                del response.headers["location"]

    return forget_other_hosts


def bound(host: str, *, seconds: float) -> Callable[[httpx2.Response], None]:
    """A hook that ends answers of more than `MAX_BYTES` or `seconds`, but for files."""

    def limit(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise BackendError(f"{host} packs its answers, which it was asked not to.")
        stream = response.stream
        if not response.request.url.path.endswith(FILE) and isinstance(
            stream, httpx2.SyncByteStream
        ):
            response.stream = _LimitedStream(stream, host, time.monotonic() + seconds)

    return limit


class _LimitedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, host: str, deadline: float) -> None:
        self._stream, self._host, self._deadline = stream, host, deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > MAX_BYTES:
                raise BackendError(
                    f"{self._host} answers with more than {MAX_BYTES // 2**20} MiB where a "
                    "video is described."
                )
            if time.monotonic() > self._deadline:
                raise BackendError(f"{self._host} takes too long over its answer.")
            yield part

    def close(self) -> None:
        self._stream.close()
