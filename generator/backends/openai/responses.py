"""Limits on the responses of a server that is not trusted: where they lead, their size and time."""

import time
from collections.abc import Callable, Iterator

import httpx2

from generator.errors import BackendError

MAX_JSON_BYTES = 4 * 2**20  # video files have their own limit, in `client`
FILE_PATH_SUFFIX = "/content"


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
