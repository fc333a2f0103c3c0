"""Renders missing clips from the stored masters of a track with other settings."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.errors import NotFound, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Track
from arena.production.pending import PendingClip
from arena.text import pluralize
from generator.clips import Provenance, StoredMaster
from generator.errors import ClipError
from generator.media.encode import ENCODING


def find_stored_masters(
    session: Session, store: MediaStore, pending: list[PendingClip], *, target: Track, source: Track
) -> list[PendingClip]:
    """Return those of a track's missing clips whose entrant has a master in another track.

    Their requests refer to that master, so that no model runs.

    Raises:
        ProductionError: the tracks are the same or differ in modality.
    """
    if target.id == source.id or target.modality != source.modality:
        raise ProductionError(
            f"The track {target.name} cannot use masters of {source.name}: they must be two "
            "tracks of one modality."
        )
    query = select(Clip).where(
        Clip.track_id == source.id,
        Clip.status == ClipStatus.READY,
        Clip.master_path.is_not(None),
        Clip.provenance.is_not(None),
    )
    masters = {
        (clip.entrant_id, clip.prompt_id, clip.seed): clip for clip in session.scalars(query)
    }
    return list(_with_masters(store, pending, masters, source=source.name))


def other_encodings(session: Session, pending: list[PendingClip]) -> list[str]:
    """Return a sentence for each track whose stored files were encoded by other rules.

    Voters could tell the new files from those, and so the entrants.
    """
    encoding = Clip.provenance["encoding"].as_integer()
    query = (
        select(Track.name, func.count(Clip.id))
        .join(Clip, Clip.track_id == Track.id)
        .where(
            Track.id.in_({item.track_id for item in pending}),
            *(Clip.status == ClipStatus.READY, Clip.damage.is_(None)),
            encoding.is_(None) | (encoding != ENCODING),
        )
        .group_by(Track.name)
        .order_by(Track.name)
    )
    return [
        f"The track {name} has {pluralize(count, 'clip')} of an earlier version's encoding, "
        "whose files can be distinguished from new ones. Add a track with the same settings, fill "
        f"it with `arena generate --track NEW --masters-of {name}`, and close the old one."
        for name, count in session.execute(query)
    ]


def _with_masters(
    store: MediaStore,
    pending: list[PendingClip],
    masters: dict[tuple[int, str, int], Clip],
    *,
    source: str,
) -> Iterator[PendingClip]:
    for item in pending:
        clip = masters.get((item.entrant_id, item.prompt_id, item.seed))
        if clip is None or clip.master_path is None:
            continue
        request = item.request
        description = (
            f"The master of {request.entrant.name}, prompt {request.prompt_id}, seed {request.seed}"
        )
        changed = {
            "adapted": (f"rendered from the master of the track {source}",),
            "rendered_from": source,
            "cost_usd": None,  # depends on the length shown, so it is computed again
        }
        provenance = Provenance.model_validate(clip.provenance).model_copy(update=changed)
        read = _ReadMaster(store, clip.master_path, clip.master_sha256, description)
        yield replace(item, request=replace(request, stored_master=StoredMaster(read, provenance)))


@dataclass(frozen=True)
class _ReadMaster:
    """Reads a stored master and checks its hash, when the generator needs it."""

    store: MediaStore
    path: str
    sha256: str | None
    description: str

    def __call__(self) -> bytes:
        try:
            master = self.store.read(self.path)
        except NotFound:
            raise ClipError(f"{self.description} is missing from the store.") from None
        if hashlib.sha256(master).hexdigest() != self.sha256:
            raise ClipError(f"{self.description} is not the file that was stored.")
        return master
