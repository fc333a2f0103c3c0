"""Clips of a track with other terms, rendered from masters that are there: no model runs."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.database import Database
from arena.errors import NotFound, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Track
from arena.production.making import store_clip
from arena.production.missing import Missing
from generator.engine import render_again
from generator.spec import FailedClip, GeneratedClip, Provenance


@dataclass(frozen=True)
class Kept:
    """A clip that a track lacks, and the master of the same that another track has."""

    item: Missing
    master_path: str
    master_sha256: str | None
    provenance: Provenance


def find_kept(session: Session, missing: list[Missing], *, source: Track) -> list[Kept]:
    """Those of the missing clips whose entrant made the same prompt and seed for another track.

    Raises:
        ProductionError: the tracks begin with other things, or are the same.
    """
    query = select(Clip).where(
        Clip.track_id == source.id,
        Clip.status == ClipStatus.READY,
        Clip.master_path.is_not(None),
        Clip.provenance.is_not(None),
    )
    there = {(clip.entrant_id, clip.prompt_id, clip.seed): clip for clip in session.scalars(query)}
    kept = []
    for item in missing:
        track = item.request.track
        if item.track_id == source.id or track.modality != source.modality:
            raise ProductionError(
                f"The track {track.name} cannot take masters of {source.name}: they must be two "
                "tracks of one modality."
            )
        clip = there.get((item.entrant_id, item.prompt_id, item.seed))
        if clip is not None and clip.master_path is not None:
            told = Provenance.model_validate(clip.provenance)
            note = f"rendered from the master of the track {source.name}"
            # The price is that of a minute of what is shown: it is worked out anew.
            told = told.model_copy(update={"adapted": (note,), "cost_usd": None})
            kept.append(Kept(item, clip.master_path, clip.master_sha256, told))
    return kept


def rerender(
    database: Database, store: MediaStore, kept: list[Kept], *, clock: Callable[[], datetime]
) -> Iterator[GeneratedClip | FailedClip]:
    """Render each master in its new track's terms, store the clip, and hand it on.

    What fails is handed on and not stored: no model failed, and it can still be generated.
    """
    for each in kept:
        result = _render(store, each)
        if isinstance(result, GeneratedClip):
            store_clip(database, store, each.item, result, now=clock())
        yield result


def _render(store: MediaStore, kept: Kept) -> GeneratedClip | FailedClip:
    request = kept.item.request
    which = f"The master of {request.entrant.name}, prompt {request.prompt_id}, seed {request.seed}"
    try:
        master = store.read(kept.master_path)
    except NotFound:
        return FailedClip(request, f"{which} is gone from the store.")
    if hashlib.sha256(master).hexdigest() != kept.master_sha256:
        return FailedClip(request, f"{which} is not the file that was stored.")
    return render_again(master, request, kept.provenance)
