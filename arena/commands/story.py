"""The steps of `arena demo --story`: a codename enters, wins, is claimed, and anyone can check it.

The story has an arena of its own below ARENA_HOME, with one track. Its votes are simulated, and
marked as such everywhere.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from sqlalchemy import func, select

from arena import production
from arena.audit.keys import open_signer
from arena.audit.seals import seal_votes
from arena.catalog import retirement
from arena.catalog.claims import claim
from arena.catalog.entering import enter
from arena.catalog.openings import Opening, opening_path, read_opening
from arena.catalog.prompts import find_prompt
from arena.catalog.tracks import find_track
from arena.commands.generating import generate_pending
from arena.context import Arena, make_arena, utc_now
from arena.errors import CatalogError, ProductionError, ReleaseError
from arena.models import OVERALL, Entrant, Seal, Vote, VoterKind
from arena.published import releases_folder
from arena.release.publish import copy_release, publish_release
from arena.settings import Settings
from arena.shipped import Collection
from arena.simulation import simulate
from arena.standings import standings
from arena.standings.boards import Board, BoardRow
from arena.text import pluralize

FOLDER = "story"  # below ARENA_HOME
TRACK = "text-to-video"
OPEN = ("foal-xs.toml", "foal-s.toml", "foal-m.toml")
CONTENDER = "foal-l.toml"  # under another name, which nothing else in the arena has
CODENAME, NAME, MAKER = "Grey Colt", "Lightfoot 1.0", "Meadow Laboratory"
BEFORE, AFTER = "before-the-claim", "after-the-claim"
PAGES = (
    *("/api/v1/tracks", f"/api/v1/leaderboard?track={TRACK}&voters=simulated"),
    *(f"/api/v1/leaderboard?track={TRACK}&voters=simulated&format=csv", "/api/v1/seals"),
    *("/api/v1/releases", "/metrics", "/api/docs", "/api/openapi.json"),
)


@dataclass(frozen=True)
class Extent:
    """How large the story's arena is.

    Attributes:
        prompts: of the track; the others are retired.
        votes: simulated ones.
        voters: who cast them.
        open_entrants: specifications of the models that compete openly.
    """

    prompts: int = 20
    votes: int = 3000
    voters: int = 60
    open_entrants: tuple[str, ...] = OPEN


def open_story(settings: Settings, extent: Extent) -> Arena:
    """Make the story's arena, in a folder of its own; keep what exists."""
    home = settings.home / FOLDER
    own = {"home": home, "database_url": "", "media_url": "", "title": "A story of a codename"}
    arena = make_arena(settings.model_copy(update=own), Collection.DEMO)
    with arena.database.writing() as session:
        track = find_track(session, TRACK)
        shown = [prompt.id for prompt in track.prompts if prompt.retired_at is None]
        for prompt_id in sorted(shown)[extent.prompts :]:
            retirement.retire(session, find_prompt(session, prompt_id), now=utc_now())
    seal_votes(arena, now=utc_now())
    return arena


def tell(arena: Arena, extent: Extent, *, workers: int | None = None) -> Iterator[str]:
    """Let the story happen, as far as it has not yet, and report it.

    Args:
        arena: from `open_story`.
        extent: how large it is.
        workers: processes that generate clips; None: chosen by the machine.

    Yields:
        Sentences, each after what it reports.

    Raises:
        ReleaseError: a release does not verify, or names the model before its claim.
        CatalogError: the claim was refused, or a false one accepted.
        ProductionError: a clip failed.
    """
    fingerprint = open_signer(arena.settings.home, arena.database, now=utc_now()).fingerprint
    yield f"An arena opens. Its votes are sealed with the key {fingerprint}: note it."
    names = [_enter(arena, name) for name in extent.open_entrants]
    yield f"{len(names)} models compete openly in the track {TRACK}: {', '.join(names)}."
    commitment = _enter_contender(arena)
    opening = opening_path(arena.settings.home, CODENAME)
    yield (
        f"A model that nobody knows enters as {CODENAME}. What it is, is in {opening}, which its "
        f"maker keeps. Public is the commitment to it, {commitment}, in seal "
        f"{_seal_of(arena, commitment)}, before the first vote."
    )
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key=arena.settings.seed_key())
    if pending:
        yield f"{pluralize(len(pending), 'clip')} are generated, all models' from the same seeds."
        failed = generate_pending(arena, pending, workers=workers).failed
        if failed:
            raise ProductionError(f"{pluralize(failed, 'clip')} failed: `arena failures` says why.")
    _vote(arena, extent)
    yield (
        f"{pluralize(extent.votes, 'blind vote')} by {pluralize(extent.voters, 'simulated voter')} "
        "follow, marked as simulated."
    )
    yield _describe_top(_board(arena))
    if not _is_claimed(arena):
        yield from _guess(arena, opening)
        yield _claim(arena, opening)
    publish_release(arena, release_id=AFTER, now=utc_now())
    yield f"The board names it now. {_describe_top(_board(arena))}"
    yield "A stranger takes the release to a place where there is no arena, and checks it there:"
    yield _verify_elsewhere(releases_folder(arena.settings.home) / AFTER, fingerprint)


def _enter(arena: Arena, file: str) -> str:
    path = next(path for path in production.built_in_entrants() if path.name == file)
    entry = production.read_entrant_file(path).model_copy(update={"tracks": (TRACK,)})
    fingerprint = production.fingerprint_of(entry)
    enter(arena.database, arena.settings.home, entry, fingerprint=fingerprint, now=utc_now())
    return entry.name


def _enter_contender(arena: Arena) -> str:
    """Enter the model under its codename, and seal its commitment; returns that."""
    path = next(path for path in production.built_in_entrants() if path.name == CONTENDER)
    entry = production.read_entrant_file(path).model_copy(
        update={
            **{"name": NAME, "creator": MAKER, "codename": CODENAME, "tracks": (TRACK,)},
            **{"slug": "lightfoot-1-0", "chosen_slug": None, "release_date": None},
        }
    )
    fingerprint = production.fingerprint_of(entry)
    entered = enter(
        arena.database, arena.settings.home, entry, fingerprint=fingerprint, now=utc_now()
    )
    seal_votes(arena, now=utc_now())
    return str(entered.added.entrant.commitment)


def _seal_of(arena: Arena, commitment: str) -> int:
    """The number of the first seal that has a commitment."""
    with arena.database.reading() as session:
        for seal in session.scalars(select(Seal).order_by(Seal.number)):
            if commitment in seal.payload:
                return seal.number
    raise CatalogError("No seal has the commitment: run `arena seals make`.")


def _vote(arena: Arena, extent: Extent) -> None:
    with arena.database.reading() as session:
        cast = session.scalar(select(func.count(Vote.id))) or 0
    if cast < extent.votes:
        simulate(
            arena.database,
            votes=extent.votes - cast,
            track=TRACK,
            voters=extent.voters,
            seed=0,
            now=utc_now(),
            on_vote=lambda: None,
        )
    seal_votes(arena, now=utc_now())


def _board(arena: Arena) -> Board:
    return standings.leaderboard(
        arena.database,
        track_name=TRACK,
        category=OVERALL,
        voters=VoterKind.SIMULATED,
        now=utc_now(),
    )


def _describe_top(board: Board) -> str:
    first, second = board.rows[0], board.rows[1]
    apart = (first.rating_lower or 0.0) > (second.rating_upper or 0.0)
    return (
        f"{_describe(first)} leads {_describe(second)}; their intervals "
        f"{'do not overlap' if apart else 'overlap, so the first place is not settled'}."
    )


def _describe(row: BoardRow) -> str:
    return f"{row.model} (Elo {row.rating:.0f}, {row.rating_lower:.0f} to {row.rating_upper:.0f})"


def _is_claimed(arena: Arena) -> bool:
    with arena.database.reading() as session:
        found = session.scalar(select(Entrant).where(Entrant.codename == CODENAME))
        return found is not None and found.claimed_at is not None


def _guess(arena: Arena, opening: Path) -> Iterator[str]:
    """Look for the model's name in all that is public, and try a false claim."""
    publish_release(arena, release_id=BEFORE, now=utc_now())
    folder = releases_folder(arena.settings.home) / BEFORE
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    public = files | asyncio.run(_answers(arena))
    true = read_opening(opening)
    secrets = [NAME, MAKER, true.nonce, true.fingerprint.partition(":")[2]]
    for where, content in public.items():
        if any(secret.encode() in content for secret in secrets):
            raise ReleaseError(f"{where} says what {CODENAME} is before it is claimed.")
    yield (
        f"Everybody guesses. {pluralize(len(files), 'file')} of a release and "
        f"{pluralize(len(public) - len(files), 'answer')} of the server contain neither its name "
        "nor its maker, nonce or weights' hash."
    )
    false = Opening.model_validate(true.model_dump() | {"creator": "Somebody Else"})
    try:
        with arena.database.writing() as session:
            claim(session, CODENAME, false, now=utc_now())
    except CatalogError as error:
        yield f"Somebody else claims it and is refused: {error}"
    else:
        raise CatalogError(f"A false claim of {CODENAME} was accepted.")


async def _answers(arena: Arena) -> dict[str, bytes]:
    from arena.web.app import make_api  # loads the web server

    transport = httpx2.ASGITransport(app=make_api(arena))
    answers = {}
    async with httpx2.AsyncClient(transport=transport, base_url="http://arena") as client:
        for page in PAGES:
            answer = await client.get(page)
            answers[page] = answer.content + json.dumps(dict(answer.headers)).encode()
    return answers


def _claim(arena: Arena, opening: Path) -> str:
    with arena.database.writing() as session:
        claim(session, CODENAME, read_opening(opening), now=utc_now())
    seal_votes(arena, now=utc_now())
    return f"Its maker publishes the opening: {CODENAME} is {NAME} by {MAKER}."


def _verify_elsewhere(release: Path, fingerprint: str) -> str:
    """Verify a copy of a release in a new process, from a folder without an arena."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "release"
        copy_release(release, copy)
        done = subprocess.run(  # noqa: S603  (this program)
            [sys.executable, "-m", "arena", "verify", str(copy), "--key", fingerprint],
            cwd=name,
            env=os.environ | {"ARENA_HOME": str(Path(name) / "none"), "COLUMNS": "100000"},
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise ReleaseError(done.stderr.strip() or "The release could not be verified.")
    return done.stdout.strip()
