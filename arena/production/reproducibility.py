"""Checks reproducibility: generates stored clips again and compares them with their masters."""

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
from arena.production.pending import PendingClip, make_request, request_key
from generator.backends import is_repeatable
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import generate
from generator.errors import ClipError, GeneratorError
from generator.media.compare import Difference, compare

MADE_ELSEWHERE = frozenset({"import", "folder"})  # backends that would only copy a file


@dataclass(frozen=True)
class ReadyClip:
    """A stored clip: as if it were missing, its master, and the hardware and versions used."""

    pending: PendingClip
    master_path: str
    hardware: str | None
    versions: dict[str, str]

    @property
    def request(self) -> ClipRequest:
        """What it is generated again with."""
        return self.pending.request


@dataclass(frozen=True)
class Recheck:
    """A clip generated again: how it differs from the first, or why it failed."""

    ready: ReadyClip
    same_hardware: bool
    difference: Difference | None
    failure: str | None
    changed_versions: tuple[str, ...] = ()  # of libraries, as "torch 2.12, now 2.13"

    @property
    def ok(self) -> bool:
        """Whether the clip was generated, and is identical if the hardware is the same."""
        if self.difference is None:
            return False
        return self.difference.same or not self.same_hardware

    def summary(self) -> str:
        """Describe the outcome in a few words."""
        if self.difference is None:
            return str(self.failure)
        if self.difference.same:
            return "identical"
        sound = self.difference.sound_db
        sound_text = "" if sound is None else f", sound {sound:.1f} dB"
        decibels = f"pictures {self.difference.picture_db:.1f} dB{sound_text}"
        return "; ".join((decibels, *self.changed_versions))


def sample_ready(
    session: Session, count: int, *, track: Track | None, entrant: Entrant | None
) -> list[ReadyClip]:
    """Draw up to `count` random clips that were generated here and for their own track.

    Those of services, which may cost money, only if the entrant is named.
    """
    query = select(Clip).where(Clip.status == ClipStatus.READY, Clip.master_path.is_not(None))
    if track is not None:
        query = query.where(Clip.track_id == track.id)
    if entrant is not None:
        query = query.where(Clip.entrant_id == entrant.id)
    is_free: dict[int, bool] = {}
    clips = []
    for clip in session.scalars(query.order_by(Clip.id)):
        provenance = clip.provenance or {"backend": "import"}
        if provenance["backend"] in MADE_ELSEWHERE or provenance.get("rendered_from"):
            continue
        if clip.entrant_id not in is_free:
            is_free[clip.entrant_id] = is_repeatable(entrant_spec(clip.entrant))
        if entrant is not None or is_free[clip.entrant_id]:
            clips.append(clip)
    sample = random.sample(clips, min(count, len(clips)))
    return [_ready_clip(clip, clip.provenance or {}) for clip in sample]


def _ready_clip(clip: Clip, provenance: dict[str, Any]) -> ReadyClip:
    request = make_request(
        entrant_spec(clip.entrant),
        clip.track,
        clip.prompt,
        provenance["seed"],
        weights_sha256=provenance.get("weights_sha256"),
    )
    # An order of its own, not a continuation of the one that made the stored clip.
    key = (clip.entrant_id, clip.track_id, clip.prompt_id, clip.seed)
    return ReadyClip(
        PendingClip(*key, request=request, order_again=True),
        master_path=str(clip.master_path),
        hardware=provenance.get("hardware"),
        versions=provenance.get("versions", {}),
    )


def recheck(
    store: MediaStore, sample: list[ReadyClip], *, workers: int | None, ray: str | None = None
) -> Iterator[Recheck]:
    """Generate clips again and compare them with their masters; nothing is stored.

    Raises:
        ProductionError: no clip can be generated at all; says why.
    """
    by_key = {request_key(ready.request): ready for ready in sample}
    try:
        for result in generate([ready.request for ready in sample], workers=workers, ray=ray):
            yield _compare(store, by_key[request_key(result.request)], result)
    except GeneratorError as error:
        raise ProductionError(str(error)) from error


def _compare(store: MediaStore, ready: ReadyClip, result: GeneratedClip | FailedClip) -> Recheck:
    failure = "no master was generated"
    if isinstance(result, FailedClip):
        failure = result.reason
    elif result.master is not None:
        try:
            difference = compare(store.read(ready.master_path), result.master.data)
        except (NotFound, ClipError) as error:
            failure = f"its master {ready.master_path} cannot be compared: {error}"
        else:
            versions = result.provenance.versions
            changed = tuple(
                f"{name} {before}, now {versions.get(name, 'none')}"
                for name, before in ready.versions.items()
                if versions.get(name) != before
            )
            same_hardware = result.provenance.hardware == ready.hardware
            return Recheck(ready, same_hardware, difference, None, changed)
    return Recheck(ready, same_hardware=False, difference=None, failure=failure)
