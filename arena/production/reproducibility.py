"""Makes clips again that are there, to see whether they can be made again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import NotFound, ProductionError
from arena.media import MediaStore
from arena.models import Clip, ClipStatus, Entrant, Track
from arena.production.entrants import entrant_spec
from arena.production.pending import make_request, request_key
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import generate
from generator.errors import ClipError, GeneratorError
from generator.media.compare import Difference, compare

MADE_ELSEWHERE = frozenset({"import", "folder"})  # backends that would only copy the file again
PAID = "openai"  # a server's clips may cost: they are made again where their entrant is named


@dataclass(frozen=True)
class ReadyClip:
    """A clip that is there: what was asked, its master, what it was made on and with."""

    request: ClipRequest
    master_path: str
    hardware: str | None
    versions: dict[str, str]


@dataclass(frozen=True)
class Recheck:
    """A clip made again: how far from the first, or why it could not be made."""

    ready: ReadyClip
    same_hardware: bool
    difference: Difference | None
    failure: str | None
    other_versions: tuple[str, ...] = ()  # of libraries, as "torch 2.12, now 2.13"

    @property
    def ok(self) -> bool:
        """Made again, and to the same bits where that can be expected."""
        if self.difference is None:
            return False
        return self.difference.same or not self.same_hardware

    def summary(self) -> str:
        """What came of it, in a few words."""
        if self.difference is None:
            return str(self.failure)
        if self.difference.same:
            return "the same bytes"
        sound = self.difference.sound_db
        heard = "" if sound is None else f", sound {sound:.1f} dB"
        told = f"pictures {self.difference.picture_db:.1f} dB{heard}"
        return "; ".join((told, *self.other_versions))


def sample_ready(
    session: Session, count: int, *, track: Track | None, entrant: Entrant | None
) -> list[ReadyClip]:
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
        and (entrant is not None or clip.provenance["backend"] != PAID)
    ]
    drawn = random.sample(clips, min(count, len(clips)))
    return [_ready(clip, clip.provenance or {}) for clip in drawn]


def _ready(clip: Clip, told: dict[str, Any]) -> ReadyClip:
    request = make_request(
        entrant_spec(clip.entrant),
        clip.track,
        clip.prompt,
        clip.seed,
        weights_sha256=told.get("weights_sha256"),
    )
    return ReadyClip(request, str(clip.master_path), told.get("hardware"), told.get("versions", {}))


def recheck(
    store: MediaStore, drawn: list[ReadyClip], *, workers: int | None, ray: str | None = None
) -> Iterator[Recheck]:
    """Make the clips again and compare them with their masters; nothing is stored.

    Raises:
        ProductionError: no clip can be generated at all, and why.
    """
    by_key = {request_key(ready.request): ready for ready in drawn}
    try:
        for made in generate([ready.request for ready in drawn], workers=workers, ray=ray):
            yield _against_the_first(store, by_key[request_key(made.request)], made)
    except GeneratorError as error:
        raise ProductionError(str(error)) from error


def _against_the_first(
    store: MediaStore, ready: ReadyClip, made: GeneratedClip | FailedClip
) -> Recheck:
    failure = "no master was made"
    if isinstance(made, FailedClip):
        failure = made.reason
    elif made.master is not None:
        try:
            difference = compare(store.read(ready.master_path), made.master.data)
        except (NotFound, ClipError) as error:
            failure = f"its master {ready.master_path} cannot be compared: {error}"
        else:
            now = made.provenance.versions
            other = tuple(
                f"{name} {before}, now {now.get(name, 'none')}"
                for name, before in ready.versions.items()
                if now.get(name) != before
            )
            same_hardware = made.provenance.hardware == ready.hardware
            return Recheck(ready, same_hardware, difference, None, other)
    return Recheck(ready, same_hardware=False, difference=None, failure=failure)
