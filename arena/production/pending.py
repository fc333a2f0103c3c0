"""Which clips are missing: a question to the database, so that a killed run just goes on."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.models import Clip, ClipStatus, Entrant, EntrantTrack, Prompt, PromptTrack, Track
from arena.production.entrants import entrant_spec, track_settings
from generator.clips import ClipRequest
from generator.spec import Entrant as EntrantSpec


@dataclass(frozen=True)
class PendingClip:
    """One clip that is not there: the rows it belongs to, and what to ask of the generator."""

    entrant_id: int
    track_id: int
    prompt_id: str
    seed: int
    request: ClipRequest


def find_pending(
    session: Session, *, track: Track | None = None, entrant: Entrant | None = None
) -> list[PendingClip]:
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
    weights = _weights(session)
    specs: dict[int, EntrantSpec] = {}
    missing = []
    for row_track, row_entrant, prompt in session.execute(pairs):
        spec = specs.setdefault(row_entrant.id, entrant_spec(row_entrant))
        for seed in range(row_track.seeds):
            key = (row_entrant.id, row_track.id, prompt.id, seed)
            if key in there:
                continue
            known = weights.get(row_entrant.id)
            request = make_request(spec, row_track, prompt, seed, weights_sha256=known)
            missing.append(PendingClip(*key, request=request))
    return missing


def _weights(session: Session) -> dict[int, str]:
    """The weights that each entrant's clips were made with, the first ones', by entrant."""
    told = Clip.provenance["weights_sha256"].as_string()
    query = (
        select(Clip.entrant_id, told)
        .where(Clip.status == ClipStatus.READY, told.is_not(None))
        .group_by(Clip.entrant_id, told)
        .order_by(func.min(Clip.id).desc())
    )
    return {entrant_id: str(sha256) for entrant_id, sha256 in session.execute(query)}


def make_request(
    entrant: EntrantSpec,
    track: Track,
    prompt: Prompt,
    seed: int,
    *,
    weights_sha256: str | None = None,
) -> ClipRequest:
    """What to ask of the generator for one clip."""
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
    """What tells a request from all others of a run."""
    return request.entrant.name, request.track.name, request.prompt_id, request.seed
