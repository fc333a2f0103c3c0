"""Writes clips: asks what is missing, has it generated, stores it. The one door to `generator`.

What is missing is a query (entrants x prompts x seeds of a track, minus ready clips), so a run that
was stopped or killed is continued by running it again.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog import find_entrant
from arena.database import Database
from arena.entries import EntrantEntry
from arena.errors import CatalogError, NotFound, ProductionError
from arena.manifest import ImportRow
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Entrant, EntrantTrack, Prompt, PromptTrack, Track
from generator.engine import adopt, check, generate
from generator.errors import GeneratorError
from generator.spec import (
    ClipRequest,
    FailedClip,
    GeneratedClip,
    TrackSettings,
    read_entrant,
)
from generator.spec import Entrant as EntrantSpec


@dataclass(frozen=True)
class Missing:
    """One clip that is not there: the rows it belongs to, and what to ask of the generator."""

    entrant_id: int
    track_id: int
    prompt_id: str
    seed: int
    request: ClipRequest


def built_in_entrants() -> list[Path]:
    """The specifications of the built-in model's entrants."""
    folder = files("generator.foal") / "entrants"
    return sorted(Path(str(file)) for file in folder.iterdir() if file.name.endswith(".toml"))


def read_entrant_file(path: Path) -> EntrantEntry:
    """An entrant's specification, its paths made absolute.

    Raises:
        CatalogError: the file cannot be used: which key, and what to do.
    """
    try:
        spec = read_entrant(path)
    except GeneratorError as error:
        raise CatalogError(str(error)) from error
    return EntrantEntry(slug=spec.slug, **spec.model_dump())


def check_entrant(entry: EntrantEntry, tracks: list[Track]) -> None:
    """Whether the entrant's backend can serve the tracks it names, before anything runs.

    Raises:
        CatalogError: what it cannot do, in one sentence.
    """
    spec = EntrantSpec.model_validate(entry.model_dump(exclude={"slug"}))
    try:
        for track in tracks:
            if track.name in spec.tracks:
                check(spec, _settings(track))
    except GeneratorError as error:
        raise CatalogError(str(error)) from error


def _settings(track: Track) -> TrackSettings:
    return TrackSettings.model_validate(track, from_attributes=True)


def _spec(entrant: Entrant) -> EntrantSpec:
    return EntrantSpec(
        name=entrant.name,
        creator=entrant.creator,
        release_date=entrant.release_date,
        licence=entrant.licence,
        tracks=tuple(track.name for track in entrant.tracks),
        codename=entrant.codename,
        price_usd_per_minute=entrant.price_usd_per_minute,
        backend=entrant.backend,
    )


def find_missing(
    session: Session, *, track: Track | None = None, entrant: Entrant | None = None
) -> list[Missing]:
    """Every clip that active entrants owe to active prompts, by track, entrant, prompt, seed."""
    pairs = (
        select(Track, Entrant, Prompt)
        .join(EntrantTrack, EntrantTrack.track_id == Track.id)
        .join(Entrant, Entrant.id == EntrantTrack.entrant_id)
        .join(PromptTrack, PromptTrack.track_id == Track.id)
        .join(Prompt, Prompt.id == PromptTrack.prompt_id)
        .where(Track.closed_at.is_(None), Entrant.retired_at.is_(None), Prompt.retired_at.is_(None))
        .order_by(Entrant.id, Track.id, Prompt.id)
    )
    ready = select(Clip.entrant_id, Clip.track_id, Clip.prompt_id, Clip.seed).where(
        Clip.status == ClipStatus.READY
    )
    if track is not None:
        pairs = pairs.where(Track.id == track.id)
    if entrant is not None:
        pairs = pairs.where(Entrant.id == entrant.id)
    there = {tuple(row) for row in session.execute(ready)}
    specs: dict[int, EntrantSpec] = {}
    missing = []
    for row_track, row_entrant, prompt in session.execute(pairs):
        spec = specs.setdefault(row_entrant.id, _spec(row_entrant))
        for seed in range(row_track.seeds):
            key = (row_entrant.id, row_track.id, prompt.id, seed)
            if key in there:
                continue
            request = ClipRequest(
                entrant=spec,
                track=_settings(row_track),
                prompt_id=prompt.id,
                prompt=prompt.text,
                seed=seed,
                source=Path(prompt.source) if prompt.source else None,
            )
            missing.append(Missing(*key, request=request))
    return missing


def produce(
    database: Database,
    store: MediaStore,
    missing: list[Missing],
    *,
    workers: int | None,
    clock: Callable[[], datetime],
) -> Iterator[GeneratedClip | FailedClip]:
    """Have the missing clips generated, store each as it comes, and hand it on for the report."""
    owed = {_key(item.request): item for item in missing}
    for result in generate([item.request for item in missing], workers=workers):
        clip = _put(store, owed[_key(result.request)], result, now=clock())
        with database.writing() as session:
            _enter(session, store, clip)
        yield result


def failure_of(result: GeneratedClip | FailedClip) -> str | None:
    """Why no clip came of it; None where one did."""
    return result.reason if isinstance(result, FailedClip) else None


def _key(request: ClipRequest) -> tuple[str, str, str, int]:
    return request.entrant.name, request.track.name, request.prompt_id, request.seed


def _put(
    store: MediaStore, item: Missing, result: GeneratedClip | FailedClip, *, now: datetime
) -> Clip:
    """Files first, then the row: a kill between leaves files that no row names, no half clip."""
    clip = Clip(
        entrant_id=item.entrant_id,
        track_id=item.track_id,
        prompt_id=item.prompt_id,
        seed=item.seed,
        status=ClipStatus.FAILED,
        created_at=now,
    )
    if isinstance(result, FailedClip):
        clip.failure = result.reason
        return clip
    clip.status = ClipStatus.READY
    clip.master_path = store.put(result.master, folder="masters", suffix=result.master_suffix)
    clip.rendition_path = store.put(result.rendition, folder="renditions", suffix=".mp4")
    clip.master_sha256 = hashlib.sha256(result.master).hexdigest()
    clip.sha256 = hashlib.sha256(result.rendition).hexdigest()
    clip.provenance = result.provenance.model_dump(mode="json")
    clip.measures = result.measures
    return clip


def _enter(session: Session, store: MediaStore, clip: Clip) -> None:
    """The clip's row; a failed one gives way, and a ready one of another run stands."""
    before = session.scalar(
        select(Clip).where(
            Clip.entrant_id == clip.entrant_id,
            Clip.track_id == clip.track_id,
            Clip.prompt_id == clip.prompt_id,
            Clip.seed == clip.seed,
        )
    )
    if before is not None and before.status is ClipStatus.READY:
        _discard(store, clip)
        return
    if before is not None:
        session.delete(before)
        session.flush()
    session.add(clip)


def _discard(store: MediaStore, clip: Clip) -> None:
    for path in (clip.master_path, clip.rendition_path):
        if path is not None:
            store.delete(path)


def import_clips(
    database: Database,
    store: MediaStore,
    rows: list[ImportRow],
    *,
    clock: Callable[[], datetime],
    on_clip: Callable[[ImportRow], None],
) -> None:
    """Take in clips made elsewhere, all of them in one transaction or none.

    Raises:
        ProductionError: naming the row that cannot be taken; then nothing was stored.
    """
    with database.reading() as session:
        items = [_resolve(session, row) for row in rows]
    clips: list[Clip] = []
    try:
        for row, item in zip(rows, items, strict=True):
            try:
                clips.append(_put(store, item, adopt(row.path, item.request), now=clock()))
            except GeneratorError as error:
                raise ProductionError(f"Row {row.number}: {error}") from error
            on_clip(row)
        with database.writing() as session:
            for clip in clips:
                _enter(session, store, clip)
    except BaseException:
        # Ctrl-C too: what was stored for this import is named by no row and goes.
        for clip in clips:
            _discard(store, clip)
        raise


def _resolve(session: Session, row: ImportRow) -> Missing:
    try:
        entrant = find_entrant(session, row.entrant)
    except NotFound as error:
        raise ProductionError(f"Row {row.number}: {error}") from error
    track = session.scalar(select(Track).where(Track.name == row.track))
    if track is None or track not in entrant.tracks:
        raise ProductionError(
            f"Row {row.number}: {entrant.name} does not compete in the track '{row.track}'."
        )
    prompt = session.get(Prompt, row.prompt_id)
    if prompt is None or track not in prompt.tracks:
        raise ProductionError(
            f"Row {row.number}: the track {track.name} has no prompt '{row.prompt_id}'."
        )
    if row.seed >= track.seeds:
        raise ProductionError(
            f"Row {row.number}: the track {track.name} has seeds 0 to {track.seeds - 1}, "
            f"not {row.seed}."
        )
    request = ClipRequest(
        entrant=_spec(entrant),
        track=_settings(track),
        prompt_id=prompt.id,
        prompt=prompt.text,
        seed=row.seed,
    )
    return Missing(entrant.id, track.id, prompt.id, row.seed, request=request)
