"""`/clip/…`: the bytes of one side of a battle, to its voter, in ranges.

Every clip is answered with the same headers: no ETag, no date, no name. A rendition's size is the
track's, so the length says nothing either.
"""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from arena.context import Arena, utc_now
from arena.errors import NotFound
from arena.media import MediaStore
from arena.voting.ballots import clip_of
from arena.web.clip_urls import ClipUrls
from arena.web.problem_details import problem

CHUNK_BYTES = 256 * 1024  # 1.4 ms of CPU a MB, against 2.4 to 3.7 at 64 KiB
HEADERS = {
    "Accept-Ranges": "bytes",
    # A battle's addresses are its own, so what is kept can tell nothing about another battle.
    "Cache-Control": "private, max-age=1800",
}
MEDIA_TYPE = "video/mp4"


class UnsatisfiableRange(Exception):
    """No byte of the file is in the range asked for."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last of a single range; None to send the whole file.

    A header that is not understood is ignored, as RFC 9110 asks.

    Raises:
        UnsatisfiableRange: the range starts beyond the end.
    """
    unit, _, spec = (header or "").strip().partition("=")
    if unit.strip().lower() != "bytes" or "," in spec:
        return None
    first, dash, last = (part.strip() for part in spec.partition("-"))
    if (
        not dash
        or not (first or last)
        or not all(part.isdecimal() for part in (first, last) if part)
    ):
        return None
    if not first:
        start, end = max(0, size - int(last)), size
        if int(last) == 0:
            raise UnsatisfiableRange
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise UnsatisfiableRange
    return start, end


def _chunks(store: MediaStore, path: str, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, CHUNK_BYTES):
        yield store.read(path, at, min(end, at + CHUNK_BYTES))


def make_router(arena: Arena, clip_urls: ClipUrls) -> APIRouter:
    """The one route, GET and HEAD."""
    router = APIRouter()

    @router.api_route("/clip/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    def get_clip(request: Request, name: str) -> Response:
        voter_key = request.state.voter_key
        battle_id, side = clip_urls.read(name, voter_key=voter_key)
        with arena.database.reading() as session:
            clip = clip_of(
                session,
                battle_id=battle_id,
                side=side,
                voter_key=voter_key,
                now=utc_now(),
            )
            path = clip.rendition_path
        if path is None:
            raise NotFound("There is no clip at this address for you.")
        size = arena.store.size(path)
        try:
            # Nothing here can be validated, so a conditional range gets the whole (RFC 9110).
            wanted = None if "if-range" in request.headers else request.headers.get("range")
            part = parse_range(wanted, size)
        except UnsatisfiableRange:
            refusal = problem(416, "range", "The clip has no such bytes.", headers=dict(HEADERS))
            refusal.headers["Content-Range"] = f"bytes */{size}"
            return refusal
        start, end = part or (0, size)
        headers = HEADERS | {"Content-Length": str(end - start)}
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206 if part else 200
        if request.method == "HEAD":
            return Response(None, status, headers, MEDIA_TYPE)
        body = _chunks(arena.store, path, start, end)
        return StreamingResponse(body, status, headers, MEDIA_TYPE)

    return router
