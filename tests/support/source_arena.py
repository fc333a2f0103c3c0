"""An arena whose track shows sources, with files that a server can send but nobody can play."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from weakref import WeakKeyDictionary

from PIL import Image
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.sources import copied_sources
from arena.catalog.tracks import add_track, find_track
from arena.context import Arena, make_arena
from arena.database import Database
from arena.models import Clip, ClipStatus
from arena.shipped import Collection
from arena.web.app import add_security, make_api
from playable import settings_for
from small_arena import NAMES, START, entrant_entry, track_entry

TRACK = "portraits"
SOURCE_SIZE = (40, 30)
COLOURS = ("red", "blue", "green")
API = "/api/v1"


def image_bytes(colour: str, size: tuple[int, int] = SOURCE_SIZE, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def import_with_sources(arena: Arena, entries: Sequence[PromptEntry]) -> None:
    with (
        copied_sources(arena.database, arena.store, entries) as sources,
        arena.database.writing() as session,
    ):
        import_prompts(session, entries, sources=sources, now=START)


def make_source_arena(home: Path, *, audio: bool = False, **settings: str) -> Arena:
    """Create an arena with an image-to-video track: three entrants, and three prompts."""
    arena = make_arena(settings_for(home, **{"rate_limit": "off", **settings}), Collection.STANDARD)
    entries = []
    for colour in COLOURS:
        path = home / f"{colour}.png"
        path.write_bytes(image_bytes(colour))
        entries.append(
            PromptEntry(id=colour, text=f"{colour} moves", tracks=(TRACK,), source=str(path))
        )
    with arena.database.writing() as session:
        entry = track_entry(TRACK, modality="image-to-video", audio=audio)
        add_track(session, entry, now=START)
        for name in NAMES:
            add_entrant(session, entrant_entry(name, tracks=(TRACK,)), now=START)
    import_with_sources(arena, entries)
    add_clip_files(arena)
    return arena


def add_clip_files(arena: Arena) -> None:
    """Store a file and a row for every entrant and prompt of the track."""
    with arena.database.writing() as session:
        track = find_track(session, TRACK)
        for entrant in track.entrants:
            for prompt in track.prompts:
                data = f"{entrant.slug} {prompt.id}".encode().ljust(track.bytes, b"\0")
                session.add(
                    Clip(
                        entrant_id=entrant.id,
                        track_id=track.id,
                        prompt_id=prompt.id,
                        seed=0,
                        status=ClipStatus.READY,
                        rendition_path=arena.store.put(data, folder="renditions", suffix=".mp4"),
                        sha256=hashlib.sha256(data).hexdigest(),
                        created_at=START,
                    )
                )


_apps: WeakKeyDictionary[Database, ASGIApp] = WeakKeyDictionary()


def client_of(arena: Arena) -> TestClient:
    """Return a new voter's browser: it keeps its cookie."""
    if arena.database not in _apps:
        _apps[arena.database] = add_security(make_api(arena), arena)
    app = _apps[arena.database]
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
