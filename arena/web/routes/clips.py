"""`/clip/…`: one side of a battle, or the source of its prompt, for its voter, with range requests.

The headers are the same for every clip: no ETag, no date, no name. All renditions of a track have
the same size, so the length identifies no clip either.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope

from arena.context import Arena, utc_now
from arena.errors import NotFound, StoreUnavailable
from arena.integrity import ELSEWHERE, FileChecker, has_clips, withhold_damaged
from arena.media import MediaStore
from arena.voting.fetches import FetchLedger
from arena.voting.served_files import NO_CLIP, StoredFile, file_of
from arena.web.middleware.direct_routes import DirectRoute
from arena.web.middleware.problem_details import problem
from arena.web.routes.clip_urls import ClipUrls

PATH = "/clip/{name}"
THREADS = 8
WITHHOLD_S = 1.0  # how long a request for a damaged clip waits to have it withheld
MAX_DIGITS = 18
CHUNK_BYTES = 256 * 1024  # 1.4 ms of CPU a MB, against 2.4 to 3.7 at 64 KiB
WHOLE_BYTES = (
    2 * CHUNK_BYTES
)  # up to this, a part is sent at once: each chunk takes a thread's turn
HEADERS = {
    "Accept-Ranges": "bytes",
    # URLs are unique to a battle, so a cached clip reveals nothing about another battle.
    "Cache-Control": "private, max-age=1800",
}


class UnsatisfiableRange(Exception):
    """The range contains no byte of the file."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Parse a `Range` header into (start, end), end exclusive; None to send the whole file.

    Headers that are malformed or contain several ranges are ignored, as RFC 9110 allows.

    Raises:
        UnsatisfiableRange: the range contains no byte of the file.
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
        start, end = max(0, size - _number(last)), size
        if _number(last) == 0:
            raise UnsatisfiableRange
    else:
        start, end = _number(first), min(size, _number(last) + 1) if last else size
        if last and _number(last) < start:
            return None
    if start >= size:
        raise UnsatisfiableRange
    return start, end


def _number(digits: str) -> int:
    # Longer ones are beyond any file, and Python refuses to convert thousands of digits.
    return int(digits) if len(digits) <= MAX_DIGITS else sys.maxsize


def _chunks(
    store: MediaStore, path: str, start: int, end: int, on_sent: Callable[[int], None]
) -> Iterator[bytes]:
    for position in range(start, end, CHUNK_BYTES):
        chunk = store.read(path, position, min(end, position + CHUNK_BYTES))
        on_sent(len(chunk))
        yield chunk


def _check_file(arena: Arena, checker: FileChecker, file: StoredFile) -> None:
    """Withhold a file that is missing or damaged, so that no battle shows it any more.

    Raises:
        NotFound: the file is damaged.
        StoreUnavailable: the media store cannot be read, or has none of the arena's clips.
    """
    damage = checker.find_damage(file)
    if damage is None:
        return
    if not has_clips(arena.database, arena.store):
        raise StoreUnavailable(ELSEWHERE)
    with suppress(StoreUnavailable):  # the database logs it; the sweep finds the file again
        until = time.monotonic() + WITHHOLD_S
        withhold_damaged(arena.database, arena.store, file, damage, now=utc_now(), until=until)
    raise NotFound(NO_CLIP)


class Clips:
    """What answers requests for clips and sources.

    Args:
        arena: whose clips they are.
        clip_urls: of the battles.
        fetches: learns what was sent.
    """

    def __init__(self, arena: Arena, clip_urls: ClipUrls, fetches: FetchLedger) -> None:
        self._arena, self._clip_urls, self._fetches = arena, clip_urls, fetches
        self._checker = FileChecker(arena.store)
        # Not the threads of all other requests: each that computes keeps the interpreter from
        # votes, and clips are asked for by the dozen.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="clips")

    async def respond(self, scope: Scope, name: str) -> Response:
        """Return the response to GET or HEAD.

        Raises:
            NotFound: the name is forged or another voter's, or the file is withheld.
            StoreUnavailable: the database or the media store cannot be read.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._respond, scope, name)

    def _respond(self, scope: Scope, name: str) -> Response:
        headers_of, voter_key = Headers(scope=scope), scope["state"]["voter_key"]
        battle_id, file = self._clip_urls.read(name, voter_key=voter_key)
        with self._arena.database.reading() as session:
            stored = file_of(
                session,
                battle_id=battle_id,
                file=file,
                voter_key=voter_key,
                now=utc_now(),
            )
        size = stored.bytes
        _check_file(self._arena, self._checker, stored)
        try:
            # There is no validator, so a conditional range gets the whole file (RFC 9110).
            header = None if "if-range" in headers_of else headers_of.get("range")
            part = parse_range(header, size)
        except UnsatisfiableRange:
            headers = HEADERS | {"Content-Range": f"bytes */{size}"}
            return problem(416, "range", f"The clip has only {size} bytes.", headers=headers)
        start, end = part or (0, size)
        headers = HEADERS | {"Content-Length": str(end - start)}
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206 if part else 200
        if scope["method"] == "HEAD":
            return Response(None, status, headers, stored.media_type)

        def on_sent(sent: int) -> None:
            self._fetches.record(battle_id, file, sent=sent, now=utc_now())

        store = self._arena.store
        if end - start <= WHOLE_BYTES:
            content = store.read(stored.path, start, end)
            on_sent(len(content))
            return Response(content, status, headers, stored.media_type)
        body = _chunks(store, stored.path, start, end, on_sent)
        return StreamingResponse(body, status, headers, stored.media_type)


def make_router(clips: Clips) -> APIRouter:
    """The route of clips: GET and HEAD."""
    router = APIRouter()

    @router.api_route(PATH, methods=["GET", "HEAD"], include_in_schema=False)
    async def get_clip(request: Request, name: str) -> Response:
        return await clips.respond(request.scope, name)

    return router


def direct_route(clips: Clips) -> DirectRoute:
    """The same route, without FastAPI."""

    async def answer(scope: Scope, _receive: Receive, name: str) -> Response:
        return await clips.respond(scope, name)

    return DirectRoute(PATH, frozenset({"GET", "HEAD"}), "[^/]+", answer)
