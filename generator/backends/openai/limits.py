"""What a server's answers may be: on its own host, of a size that descriptions have, in time."""

import time
from collections.abc import Callable, Iterator

import httpx2

from generator.errors import BackendError

MOST_BYTES = 4 * 2**20  # of an answer in JSON; a video's file is read elsewhere, and counted there
FILE = "/content"  # how the addresses of files end
NO_PACKING = {"Accept-Encoding": "identity"}  # a small packed answer can be a large one


def stay_on(base: httpx2.URL) -> Callable[[httpx2.Response], None]:
    """A hook that keeps a server from sending us on to places that only we can reach."""

    def forget_other_hosts(response: httpx2.Response) -> None:
        if response.has_redirect_location:
            target = response.request.url.join(response.headers["location"])
            if (target.scheme, target.netloc) != (base.scheme, base.netloc):
                del response.headers["location"]

    return forget_other_hosts


def bound(host: str, *, seconds: float) -> Callable[[httpx2.Response], None]:
    """A hook that ends answers of more than `MOST_BYTES` or `seconds`, but for files."""

    def limit(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise BackendError(f"{host} packs its answers, which it was asked not to.")
        stream = response.stream
        if not response.request.url.path.endswith(FILE) and isinstance(
            stream, httpx2.SyncByteStream
        ):
            response.stream = _Bounded(stream, host, time.monotonic() + seconds)

    return limit


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, host: str, deadline: float) -> None:
        self._stream, self._host, self._deadline = stream, host, deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > MOST_BYTES:
                raise BackendError(
                    f"{self._host} answers with more than {MOST_BYTES // 2**20} MiB where a "
                    "video is described."
                )
            if time.monotonic() > self._deadline:
                raise BackendError(f"{self._host} takes too long over its answer.")
            yield part

    def close(self) -> None:
        self._stream.close()
