"""Talk to an OpenAI Videos API through the official client, which retries with backoff.

A server is not trusted: it cannot redirect to another host, and its responses are limited in size
and time.
"""

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

REQUEST_TIMEOUT_S = 120.0  # until a response begins; downloading a video may take longer
DELETE_TIMEOUT_S = 3.0  # an interrupted run waits no longer for its video to be deleted
NO_KEY = "no-key"  # the client requires a key, and would send OPENAI_API_KEY to any server
PENDING = ("queued", "in_progress")
# OpenAI's codes for content refused before, during and after generation.
REFUSALS = frozenset({"content_policy_violation", "moderation_blocked", "sentinel_block"})
MAX_MESSAGE = 300  # characters of a server's error message
RETRY_S, MAX_RETRY_S = 0.5, 8.0  # the same as the client's
MAX_JSON_BYTES = 4 * 2**20  # video files have their own limit, in `_read`
FILE_PATH_SUFFIX = "/content"
NO_COMPRESSION = {"Accept-Encoding": "identity"}  # so that a small response cannot expand


@dataclass(frozen=True)
class VideosApi:
    """A connection to one server, with its limits."""

    name: str  # of the entrant, for error messages
    options: OpenaiOptions
    key: str | None
    client: openai.OpenAI

    @classmethod
    def connect(cls, name: str, options: OpenaiOptions, key: str | None) -> "VideosApi":
        """Create a client; sends no request."""
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
                        limit_response(
                            options.host, seconds=min(REQUEST_TIMEOUT_S, options.timeout_s)
                        ),
                    ]
                }
            ),
        )
        return cls(name, options, key, client)

    def create(self, arguments: dict[str, Any], *, deadline: float) -> Video:
        """Create a video and poll until it is completed; an unfinished one is deleted.

        Args:
            arguments: Keyword arguments of `videos.create`.
            deadline: Latest completion, in seconds of `time.monotonic`.

        Raises:
            RefusalError: The server's content policy does not allow the video.
            BackendError: The server rejects the request, fails, or exceeds the deadline.
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
                if not finished:  # also on Ctrl-C and SIGTERM
                    self._delete(video.id)
        if video.status != "completed":
            error = video.error
            reason = "no reason given" if error is None else f"{error.message} ({error.code})"
            error_class = _error_class(None if error is None else error.code)
            raise error_class(
                f"{self.name}: {self.options.host} did not generate the video: "
                f"{self._shorten(reason)}"
            )
        return video

    def download(self, video_id: str, *, deadline: float) -> bytes:
        """Download the file of a completed video, retrying when the connection breaks.

        Raises:
            BackendError: The server rejects the request, or the file is too large or too slow.
        """
        with self._translate_errors():
            for attempt in range(self.options.max_retries):
                with suppress(httpx2.TransportError):
                    return self._read(video_id, deadline=deadline)
                time.sleep(min(MAX_RETRY_S, RETRY_S * 2**attempt))
            return self._read(video_id, deadline=deadline)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

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

    def _checked(self, video: object) -> Video:
        """Return the response if it is a video: the client does not validate types."""
        fields = {key: getattr(video, key, None) for key in ("id", "status")}
        if isinstance(video, Video) and all(isinstance(text, str) for text in fields.values()):
            return video
        raise BackendError(
            f"{self.name}: the response of {self.options.host} is not a video of the OpenAI "
            "Videos API; check backend.base_url."
        )

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
            body = error.body
            message = body.get("message") if isinstance(body, dict) else None
            reason = self._shorten(str(message or f"status {error.status_code}"))
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

    def _shorten(self, message: str) -> str:
        """Return a server's message as one short sentence, without the API key that some echo."""
        if self.key is not None:
            message = message.replace(self.key, "…")
        line = " ".join(message.split())
        short = line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"
        return short if short.endswith((".", "!", "?", "…")) else f"{short}."


def _error_class(code: object) -> type[BackendError]:
    """Distinguish content refusals from other failures; servers send codes of any type."""
    return RefusalError if isinstance(code, str) and code in REFUSALS else BackendError


def same_host_only(base: httpx2.URL) -> Callable[[httpx2.Response], None]:
    """Return a response hook that drops redirects to other hosts.

    Following them would let a server reach addresses that only this machine can reach.
    """

    def drop_redirect(response: httpx2.Response) -> None:
        if response.has_redirect_location:
            target = response.request.url.join(response.headers["location"])
            if (target.scheme, target.netloc) != (base.scheme, base.netloc):
                del response.headers["location"]

    return drop_redirect


def limit_response(host: str, *, seconds: float) -> Callable[[httpx2.Response], None]:
    """Return a response hook that limits size and time of all responses except video files."""

    def limit(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise BackendError(f"{host} compresses its responses although that was not accepted.")
        stream = response.stream
        is_file = response.request.url.path.endswith(FILE_PATH_SUFFIX)
        if not is_file and isinstance(stream, httpx2.SyncByteStream):
            response.stream = _LimitedStream(stream, host, time.monotonic() + seconds)

    return limit


class _LimitedStream(httpx2.SyncByteStream):
    """A response body that raises once it is too large or too late."""

    def __init__(self, stream: httpx2.SyncByteStream, host: str, deadline: float) -> None:
        self._stream, self._host, self._deadline = stream, host, deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > MAX_JSON_BYTES:
                raise BackendError(
                    f"{self._host} sends more than {MAX_JSON_BYTES // 2**20} MiB of JSON."
                )
            if time.monotonic() > self._deadline:
                raise BackendError(f"{self._host} takes too long to send its response.")
            yield part

    def close(self) -> None:
        self._stream.close()
