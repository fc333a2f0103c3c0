"""Makes clips again that are there, to see whether they can be made again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Entrant, Track
from arena.production.entrants import entrant_spec
from arena.production.missing import make_request, request_key
from generator.clips import ClipRequest, FailedClip
from generator.compare import Difference, compare
from generator.engine import generate
from generator.errors import GeneratorError

MADE_ELSEWHERE = frozenset({"import", "folder"})  # backends that would only copy the file again


@dataclass(frozen=True)
class Ready:
    """A clip that is there: what was asked, its master, what it ran on."""

    request: ClipRequest
    master_path: str
    hardware: str | None


@dataclass(frozen=True)
class Recheck:
    """A clip made again: how far from the first, or why it could not be made."""

    ready: Ready
    same_hardware: bool
    difference: Difference | None
    failure: str | None

    @property
    def good(self) -> bool:
        """Made again, and to the same bits where that can be expected."""
        if self.difference is None:
            return False
        return self.difference.same or not self.same_hardware

    def words(self) -> str:
        """What came of it, in a few words."""
        if self.difference is None:
            return str(self.failure)
        if self.difference.same:
            return "the same bytes"
        sound = self.difference.sound_db
        heard = "" if sound is None else f", sound {sound:.1f} dB"
        return f"pictures {self.difference.picture_db:.1f} dB{heard}"


def draw_ready(
    session: Session, count: int, *, track: Track | None, entrant: Entrant | None
) -> list[Ready]:
    """So many random clips that were generated here, and for their own track."""
    query = select(Clip).where(Clip.status == ClipStatus.READY, Clip.master_path.is_not(None))
    if track is not None:
        query = query.where(Clip.track_id == track.id)
    if entrant is not None:
        query = query.where(Clip.entrant_id == entrant.id)
    clips = [
        clip
        for clip in session.scalars(query.order_by(Clip.id))
        if clip.provenance
        and clip.provenance["backend"] not in MADE_ELSEWHERE
        and not clip.provenance.get("rendered_from")
    ]
    drawn = random.sample(clips, min(count, len(clips)))
    return [
        Ready(
            make_request(entrant_spec(clip.entrant), clip.track, clip.prompt, clip.seed),
            str(clip.master_path),
            (clip.provenance or {}).get("hardware"),
        )
        for clip in drawn
    ]


def recheck(
    store: MediaStore, drawn: list[Ready], *, workers: int | None, ray: str | None = None
) -> Iterator[Recheck]:
    """Make the clips again and compare them with their masters; nothing is stored.

    Raises:
        ProductionError: no clip can be generated at all, and why.
    """
    by_key = {request_key(ready.request): ready for ready in drawn}
    try:
        for made in generate([ready.request for ready in drawn], workers=workers, ray=ray):
            ready = by_key[request_key(made.request)]
            if isinstance(made, FailedClip) or made.master is None:
                reason = made.reason if isinstance(made, FailedClip) else "no master was made"
                yield Recheck(ready, same_hardware=False, difference=None, failure=reason)
                continue
            difference = compare(store.read(ready.master_path), made.master.data)
            same_hardware = made.provenance.hardware == ready.hardware
            yield Recheck(ready, same_hardware, difference, failure=None)
    except GeneratorError as error:
        raise ProductionError(str(error)) from error
