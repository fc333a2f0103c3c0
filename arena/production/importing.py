"""Imports clips made elsewhere: all clips of a manifest or none."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.entrants import find_entrant
from arena.catalog.manifest import ImportRow
from arena.database import Database
from arena.errors import NotFound, ProductionError
from arena.media import MediaStore
from arena.models import Clip, Prompt, Track
from arena.production.entrants import entrant_spec
from arena.production.pending import PendingClip, make_request
from arena.production.produce_clips import delete_files, insert_clip, store_files, stored_files
from generator.engine import import_clip
from generator.errors import GeneratorError


def import_clips(
    database: Database,
    store: MediaStore,
    rows: list[ImportRow],
    *,
    clock: Callable[[], datetime],
    on_clip: Callable[[ImportRow], None],
) -> int:
    """Import clips made elsewhere in one transaction; existing clips are kept.

    Returns:
        The number of new clips.

    Raises:
        ProductionError: names the row that cannot be imported; then nothing was stored.
    """
    with database.reading() as session:
        items = [_resolve(session, row) for row in rows]
    clips: list[Clip] = []
    try:
        for row, item in zip(rows, items, strict=True):
            try:
                clips.append(
                    store_files(store, item, import_clip(row.path, item.request), now=clock())
                )
            except GeneratorError as error:
                raise ProductionError(f"Row {row.number}: {error}") from error
            on_clip(row)
        with database.writing() as session:
            unused = [path for clip in clips for path in insert_clip(session, clip)]
            new = sum(clip in session for clip in clips)
    except BaseException:
        # On Ctrl-C too: no row refers to the files that were stored for this import.
        for clip in clips:
            delete_files(store, stored_files(clip))
        raise
    delete_files(store, unused)
    return new


def _resolve(session: Session, row: ImportRow) -> PendingClip:
    try:
        entrant = find_entrant(session, row.entrant)
    except NotFound as error:
        raise ProductionError(f"Row {row.number}: {error}") from error
    track = session.scalar(select(Track).where(Track.name == row.track))
    if track is None or track not in entrant.tracks:
        raise ProductionError(
            f"Row {row.number}: {entrant.shown_name} does not compete in the track '{row.track}'."
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
    request = make_request(entrant_spec(entrant), track, prompt, row.seed)
    return PendingClip(entrant.id, track.id, prompt.id, row.seed, request=request)
