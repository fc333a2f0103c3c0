"""Finds the missing clips by a query, so that an interrupted run is resumed by running it again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from arena.models import Clip, ClipStatus, Entrant, EntrantTrack, Prompt, PromptTrack, Track
from arena.production.entrants import entrant_spec, track_settings
from arena.production.orders import can_continue, was_ordered
from arena.production.seeds import generation_seed
from generator.backends import find_missing_key, missing_reasons
from generator.clips import ClipRequest
from generator.spec import Entrant as EntrantSpec


@dataclass(frozen=True)
class PendingClip:
    """A missing clip: the rows it belongs to, and the request to the generator."""

    entrant_id: int
    track_id: int
    prompt_id: str
    seed: int  # which of the track's seeds, from 0 on; `request.seed` is the generator's
    request: ClipRequest
    order_again: bool = False  # although an earlier order may have been billed, or was refused


def find_pending(
    session: Session,
    *,
    seed_key: str,
    track: Track | None = None,
    entrant: Entrant | None = None,
    order_again: bool = False,
) -> list[PendingClip]:
    """Return the missing clips of active entrants and prompts, by entrant, track, prompt, number.

    A clip that exists is not missing, whichever seed it was made with.

    Args:
        session: of the database.
        seed_key: `Settings.seed_key()`, from which the seeds follow.
        track: only its clips.
        entrant: only its clips.
        order_again: also clips that may have been billed already, or that a service has refused,
            which would be ordered again.
    """
    pairs = (
        select(Track, Entrant, Prompt)
        .join(EntrantTrack, EntrantTrack.track_id == Track.id)
        .join(Entrant, Entrant.id == EntrantTrack.entrant_id)
        .join(PromptTrack, PromptTrack.track_id == Track.id)
        .join(Prompt, Prompt.id == PromptTrack.prompt_id)
        .where(Track.closed_at.is_(None), Entrant.retired_at.is_(None), Prompt.retired_at.is_(None))
        .order_by(Entrant.id, Track.id, Prompt.id)
    )
    key_of_clip = (Clip.entrant_id, Clip.track_id, Clip.prompt_id, Clip.seed)
    ready = select(*key_of_clip).where(Clip.status == ClipStatus.READY)
    is_final = or_(_maybe_billed(), _refused())
    final = {tuple(row) for row in session.execute(select(*key_of_clip).where(is_final))}
    if track is not None:
        pairs = pairs.where(Track.id == track.id)
    if entrant is not None:
        pairs = pairs.where(Entrant.id == entrant.id)
    existing = {tuple(row) for row in session.execute(ready)}
    weights = _weights(session)
    specs: dict[int, EntrantSpec] = {}
    pending = []
    for row_track, row_entrant, prompt in session.execute(pairs):
        spec = specs.setdefault(row_entrant.id, entrant_spec(row_entrant))
        for number in range(row_track.seeds):
            key = (row_entrant.id, row_track.id, prompt.id, number)
            if key in existing or (key in final and not order_again):
                continue
            sha256 = weights.get(row_entrant.id)
            seed = generation_seed(
                seed_key, track=row_track.name, prompt_id=prompt.id, number=number
            )
            request = make_request(spec, row_track, prompt, seed, weights_sha256=sha256)
            pending.append(PendingClip(*key, request=request, order_again=key in final))
    return pending


@dataclass(frozen=True)
class LeftOut:
    """Numbers of failed clips that are ordered again only with `order_again`.

    Attributes:
        maybe_billed: their orders may have been billed.
        refused: a service has refused them by its rules of content.
    """

    maybe_billed: int
    refused: int


def count_left_out(
    session: Session, *, track: Track | None = None, entrant: Entrant | None = None
) -> LeftOut:
    """Return how many clips of active entrants are not ordered again unless somebody asks."""

    def count(condition: ColumnElement[bool]) -> int:
        query = select(func.count(Clip.id)).where(
            condition,
            Clip.entrant_id.in_(select(Entrant.id).where(Entrant.retired_at.is_(None))),
        )
        if track is not None:
            query = query.where(Clip.track_id == track.id)
        if entrant is not None:
            query = query.where(Clip.entrant_id == entrant.id)
        return session.scalar(query) or 0

    return LeftOut(count(_maybe_billed() & ~_refused()), count(_refused()))


def _maybe_billed() -> ColumnElement[bool]:
    """Failed clips whose order may have been billed, and that no later run can continue."""
    return _failed() & Clip.maybe_billed & ~can_continue()


def _refused() -> ColumnElement[bool]:
    """Failed clips that a service has refused: the same order would be refused again."""
    return _failed() & Clip.refused & was_ordered() & ~can_continue()


def _failed() -> ColumnElement[bool]:
    return Clip.status == ClipStatus.FAILED


def split_by_file(
    pending: list[PendingClip],
) -> tuple[list[PendingClip], list[tuple[PendingClip, str]]]:
    """Return the clips that can be tried, and those whose file is yet to come, with the reason.

    The latter belong to entrants whose clips are made elsewhere; they are missing, not failed.
    """
    reasons = missing_reasons(item.request for item in pending)
    pairs = list(zip(pending, reasons, strict=True))
    available = [item for item, reason in pairs if reason is None]
    return available, [(item, reason) for item, reason in pairs if reason is not None]


def split_by_rejection(
    session: Session, pending: list[PendingClip]
) -> tuple[list[PendingClip], list[PendingClip]]:
    """Return the clips to try, and those that a model has made and that cannot be shown.

    A stored master tells them from clips whose generation was cut short. The seed is the same each
    time, so most models would make such a clip again just as it was.
    """
    key = (Clip.entrant_id, Clip.track_id, Clip.prompt_id, Clip.seed)
    made = select(*key).where(_failed(), Clip.master_path.is_not(None))
    rejected = {tuple(row) for row in session.execute(made)}
    keys = [(item.entrant_id, item.track_id, item.prompt_id, item.seed) for item in pending]
    pairs = list(zip(pending, keys, strict=True))
    return (
        [item for item, each in pairs if each not in rejected],
        [item for item, each in pairs if each in rejected],
    )


def split_by_key(pending: list[PendingClip]) -> tuple[list[PendingClip], dict[str, int]]:
    """Return the clips that can be ordered or made, and why others cannot: no key is set.

    The others are missing, not failed, since no model had anything to do with it.

    Returns:
        The clips; and the number of the others by reason.
    """
    reasons = {
        entrant_id: find_missing_key(request.entrant)
        for entrant_id, request in {item.entrant_id: item.request for item in pending}.items()
    }
    available = [item for item in pending if reasons[item.entrant_id] is None]
    without = Counter(reasons[item.entrant_id] for item in pending)
    return available, {reason: count for reason, count in without.items() if reason is not None}


def _weights(session: Session) -> dict[int, str]:
    """Return the hash of the weights of each entrant's first clip, by entrant."""
    sha256 = Clip.provenance["weights_sha256"].as_string()
    query = (
        select(Clip.entrant_id, sha256)
        .where(Clip.status == ClipStatus.READY, sha256.is_not(None))
        .group_by(Clip.entrant_id, sha256)
        .order_by(func.min(Clip.id).desc())
    )
    return {entrant_id: str(value) for entrant_id, value in session.execute(query)}


def make_request(
    entrant: EntrantSpec,
    track: Track,
    prompt: Prompt,
    seed: int,
    *,
    weights_sha256: str | None = None,
) -> ClipRequest:
    """Return the request to the generator for one clip."""
    return ClipRequest(
        entrant=entrant,
        track=track_settings(track),
        prompt_id=prompt.id,
        prompt=prompt.text,
        seed=seed,
        source=Path(prompt.source) if prompt.source else None,
        weights_sha256=weights_sha256,
    )


def request_key(request: ClipRequest) -> tuple[str, str, str, int]:
    """Return a key that identifies a request within a run."""
    return request.entrant.name, request.track.name, request.prompt_id, request.seed
