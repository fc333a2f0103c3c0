"""Collects what a voter's browser receives: answers, headers, addresses, timings and files.

It serves a copy of the database on a free loopback port, so that nothing of it is stored in the
arena: the copy's battles and votes are deleted with it. Files are read from the arena's own store.
"""

import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import select
from sqlalchemy.orm import aliased

from arena.catalog.withholding import is_withheld
from arena.context import Arena
from arena.database import Database
from arena.database_copy import copy_database
from arena.errors import ArenaError, StoreUnavailable
from arena.models import Battle, Clip, Entrant, Track, WithheldCause, WithheldClip

BATTLES_A_VOTER = 12
CHOICES = ("a", "b", "tie", "bad", "skip")
TIMEOUT_S = 60.0
SIDES = ("a", "b")
# Set by the clock or by the server process, before the clip is known.
IGNORED_HEADERS = {"date"}
ADDRESS_CHARACTERS = 64


@dataclass(frozen=True)
class Served:
    """One side of a battle as a browser received it. Entrants and prompts are added afterwards."""

    token: str
    side: str
    answer: tuple[float, ...]  # numbers of the JSON, the headers and the address
    timings: tuple[float, ...]  # seconds
    sha256: str
    same_as_other: bool


@dataclass
class Collection:
    """Everything that was received, and the entrant and prompt of each clip."""

    served: list[Served] = field(default_factory=list)
    battles: int = 0
    files: dict[str, bytes] = field(default_factory=dict)  # by SHA-256
    owners: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # by token, side


def collect(
    arena: Arena, track: Track, *, battles: int, seed: int, on_battle: Callable[[], object]
) -> Collection:
    """Serve a copy of the arena, and vote at random in `battles` battles of a track.

    Raises:
        ArenaError: the server does not start, or answers with an error.
    """
    with tempfile.TemporaryDirectory(prefix="blindness-") as folder:
        copy = Database(f"sqlite:///{Path(folder) / 'arena.sqlite'}")
        copy_database(arena.database, copy, on_rows=lambda _: None)
        _withhold_copies(copy)
        with _served(arena, Path(folder)) as address:
            collection = _vote(address, track.name, battles, seed=seed, on_battle=on_battle)
        _add_owners(copy, collection)
        copy.dispose()
    return collection


def _withhold_copies(copy: Database) -> None:
    """Let no battle be a honey pair: its two clips are of one entrant, and say nothing here."""
    with copy.writing() as session:
        copies = select(Clip).where(Clip.damage.is_not(None), ~is_withheld())
        for clip in session.scalars(copies).all():
            session.add(
                WithheldClip(
                    clip_id=clip.id,
                    cause=WithheldCause.OPERATOR,
                    reason="a damaged copy",
                    withheld_at=clip.created_at,
                )
            )


@contextmanager
def _served(arena: Arena, folder: Path) -> Iterator[str]:
    settings = {
        "ARENA_HOME": str(folder),
        "ARENA_DATABASE_URL": "",
        "ARENA_MEDIA_URL": arena.settings.media,
        "ARENA_SECRET_KEY": arena.settings.signing_key(),
        "ARENA_PUBLIC_URL": "",
        "ARENA_RATE_LIMIT": "off",  # without it a vote has to wait until the clips were watched
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "serve", "--port", "0"],
        env=os.environ | settings,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        address = next((word for word in line.split() if word.startswith("http://")), None)
        if address is None:
            raise StoreUnavailable("The server of the audit did not start: try `arena serve`.")
        yield address
    finally:
        process.terminate()
        process.wait()


def _vote(
    address: str, track: str, battles: int, *, seed: int, on_battle: Callable[[], object]
) -> Collection:
    rng = random.Random(seed)  # noqa: S311
    collection = Collection()
    while collection.battles < battles:
        with httpx2.Client(base_url=address, timeout=TIMEOUT_S) as client:
            before = collection.battles
            _vote_as_one(client, track, collection, min(BATTLES_A_VOTER, battles - before), rng)
            for _ in range(collection.battles - before):
                on_battle()
            if collection.battles == before:
                break  # no voter gets a pair
    return collection


def _vote_as_one(
    client: Any, track: str, collection: Collection, battles: int, rng: random.Random
) -> None:
    for _ in range(battles):
        started = time.perf_counter()
        answer = client.post("/api/v1/battles", json={"track": track})
        issued = time.perf_counter() - started
        if answer.status_code == 409:  # this voter has seen every pair
            return
        _check(answer)
        battle = answer.json()
        sides = rng.sample(SIDES, 2)
        files = {}
        for order, side in enumerate(sides):
            files[side] = _fetch(client, battle, side, order, answer, issued)
        same = files["a"][1] == files["b"][1]
        for side, (make, data) in files.items():
            digest = hashlib.sha256(data).hexdigest()
            collection.files[digest] = data
            collection.served.append(
                Served(battle["token"], side, *make, sha256=digest, same_as_other=same)
            )
        collection.battles += 1
        vote = client.post(
            f"/api/v1/battles/{battle['token']}/vote", json={"choice": rng.choice(CHOICES)}
        )
        _check(vote)


def _fetch(
    client: Any, battle: dict[str, Any], side: str, order: int, answer: Any, issued: float
) -> tuple[tuple[tuple[float, ...], tuple[float, ...]], bytes]:
    """Return the features of one side, as answers and as timings, and the file."""
    address = battle[side]["video"]
    started = time.perf_counter()
    with client.stream("GET", address) as response:
        first_byte = time.perf_counter() - started
        data = response.read()
        total = time.perf_counter() - started
    _check(response)
    features = [
        float(SIDES.index(side)),
        float(order),
        float(len(answer.content)),
        float(battle["min_watch_ms"]),
        *_of_text(" ".join(sorted(battle))),
        *_of_text(" ".join(sorted(battle[side]))),
        float(len(address)),
        *(float(ord(character)) for character in address[-ADDRESS_CHARACTERS:]),
        *_of_headers(answer.headers),
        *_of_headers(response.headers),
        float(response.status_code),
    ]
    return (tuple(features), (issued, first_byte, total - first_byte)), data


def _of_headers(headers: Any) -> list[float]:
    shown = sorted(
        (name.lower(), value)
        for name, value in headers.multi_items()
        if name.lower() not in IGNORED_HEADERS | {"set-cookie", "content-length"}
    )
    length = float(headers.get("content-length", -1))
    return [length, float(len(shown)), *_of_text(repr(shown))]


def _of_text(text: str) -> list[float]:
    """Describe a text by its length and a checksum: equal texts have equal numbers."""
    return [float(len(text)), float(zlib.crc32(text.encode()))]


def _check(response: Any) -> None:
    if response.status_code >= 400:
        response.read()
        raise ArenaError(
            f"The audit's request {response.request.url.path[:40]} was answered with "
            f"{response.status_code}: {response.text[:200]}"
        )


def _add_owners(copy: Database, collection: Collection) -> None:
    a, b = aliased(Clip), aliased(Clip)
    query = (
        select(Battle.token, Battle.prompt_id, a.entrant_id, b.entrant_id)
        .join(a, a.id == Battle.clip_a_id)
        .join(b, b.id == Battle.clip_b_id)
    )
    with copy.reading() as session:
        names = {each.id: each.shown_name for each in session.scalars(select(Entrant))}
        for token, prompt, left, right in session.execute(query):
            collection.owners[token, "a"] = names[left], prompt
            collection.owners[token, "b"] = names[right], prompt
