"""Files that never change while the server runs, compressed once and sent with validators.

Only files that are listed when the server starts can be requested, so no path leaves their folder.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
GZIP_LEVEL = 9
MIN_COMPRESSED_BYTES = 500  # below, the headers cost more than compression saves
HASHED_NAME = re.compile(r"\.[A-Za-z0-9_-]{8}\.[a-z0-9]+$")  # as Vite names a file by its content
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
COMPRESSIBLE = {".css", ".html", ".js", ".json", ".svg", ".ttf", ".txt", ".wasm"}


@dataclass(frozen=True)
class StaticFile:
    """A file's content, and the same compressed if that is smaller."""

    content: bytes
    compressed: bytes | None
    etag: str
    media_type: str
    cache_control: str

    @classmethod
    def make(cls, name: str, content: bytes, *, cache_control: str) -> "StaticFile":
        """Compress a file whose media type is that of its name."""
        suffix = name[name.rfind(".") :]
        compressed = None
        if suffix in COMPRESSIBLE and len(content) >= MIN_COMPRESSED_BYTES:
            compressed = gzip.compress(content, GZIP_LEVEL, mtime=0)
        if compressed is not None and len(compressed) >= len(content):
            compressed = None
        return cls(
            content=content,
            compressed=compressed,
            etag=hashlib.sha256(content).hexdigest()[:16],
            media_type=MEDIA_TYPES.get(suffix, "application/octet-stream"),
            cache_control=cache_control,
        )

    def response(self, headers: Headers) -> Response:
        """The response to a request with these headers; 304 if the client has the file already."""
        body, etag = self.content, f'"{self.etag}"'
        sent = {"Cache-Control": self.cache_control}
        if self.compressed is not None:
            sent["Vary"] = "Accept-Encoding"
            if accepts_gzip(headers.get("accept-encoding", "")):
                body, etag = self.compressed, f'"{self.etag}-gzip"'
                sent["Content-Encoding"] = "gzip"
        sent["ETag"] = etag
        if _matches(headers.get("if-none-match"), etag):
            sent.pop("Content-Encoding", None)
            return Response(status_code=304, headers=sent)
        return Response(body, headers=sent, media_type=self.media_type)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` header allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        _, _, weight = parameter.partition("=")
        try:
            weights[coding.strip()] = float(weight) if weight.strip() else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in tags or "*" in tags


class StaticFolder:
    """The files of a folder, read and compressed when they are first requested."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self._load = cache(self._read)

    async def get(self, name: str) -> StaticFile | None:
        """The file of this relative path; None if there is none."""
        if name not in self._paths:
            return None
        return await run_in_threadpool(self._load, name)

    def _read(self, name: str) -> StaticFile:
        cache_control = IMMUTABLE if HASHED_NAME.search(name) else REVALIDATE
        return StaticFile.make(name, self._paths[name].read_bytes(), cache_control=cache_control)
