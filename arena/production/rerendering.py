"""Clips of a track with other terms, rendered from masters that are there: no model runs."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import NotFound, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Track
from arena.production.pending import PendingClip
from generator.clips import Provenance, StoredMaster
from generator.errors import ClipError


def find_stored_masters(
    session: Session, store: MediaStore, missing: list[PendingClip], *, target: Track, source: Track
) -> list[PendingClip]:
    """Those of a track's missing clips that the same entrant made for another track, to be
    rendered from its masters.

    Raises:
        ProductionError: the tracks begin with other things, or are the same.
    """
    if target.id == source.id or target.modality != source.modality:
        raise ProductionError(
            f"The track {target.name} cannot take masters of {source.name}: they must be two "
            "tracks of one modality."
        )
    query = select(Clip).where(
        Clip.track_id == source.id,
        Clip.status == ClipStatus.READY,
        Clip.master_path.is_not(None),
        Clip.provenance.is_not(None),
    )
    there = {(clip.entrant_id, clip.prompt_id, clip.seed): clip for clip in session.scalars(query)}
    return list(_rendered(store, missing, there, source=source.name))


def _rendered(
    store: MediaStore,
    missing: list[PendingClip],
    there: dict[tuple[int, str, int], Clip],
    *,
    source: str,
) -> Iterator[PendingClip]:
    for item in missing:
        clip = there.get((item.entrant_id, item.prompt_id, item.seed))
        if clip is None or clip.master_path is None:
            continue
        request = item.request
        which = (
            f"The master of {request.entrant.name}, prompt {request.prompt_id}, seed {request.seed}"
        )
        changed = {
            "adapted": (f"rendered from the master of the track {source}",),
            "rendered_from": source,
            "cost_usd": None,  # the price of a minute of what is shown: it is worked out anew
        }
        told = Provenance.model_validate(clip.provenance).model_copy(update=changed)
        read: Callable[[], bytes] = _Reading(store, clip.master_path, clip.master_sha256, which)
        yield replace(item, request=replace(request, stored_master=StoredMaster(read, told)))


@dataclass(frozen=True)
class _Reading:
    """Reads a master, if it is the file that was stored."""

    store: MediaStore
    path: str
    sha256: str | None
    which: str

    def __call__(self) -> bytes:
        try:
            master = self.store.read(self.path)
        except NotFound:
            raise ClipError(f"{self.which} is gone from the store.") from None
        if hashlib.sha256(master).hexdigest() != self.sha256:
            raise ClipError(f"{self.which} is not the file that was stored.")
        return master
