"""Lists and describes stored clips with their states, for operators. Only reads."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from arena.errors import NotFound
from arena.models import Clip, Entrant, Track, WithheldClip, copy_seed

WITHHELD = "withheld"  # the state of a ready clip that is in no battle


@dataclass(frozen=True)
class ListedClip:
    """A clip as lists show it.

    Attributes:
        id: of the clip.
        entrant: its public name.
        track: its name.
        prompt_id: of the prompt.
        seed: number of the seed.
        state: `ready`, `withheld` or `failed`.
        reason: why it is withheld or failed, or that it is a damaged copy, for honey pairs.
    """

    id: int
    entrant: str
    track: str
    prompt_id: str
    seed: int
    state: str
    reason: str | None


def find_clip(session: Session, clip_id: int) -> Clip:
    """Return the clip of this id.

    Raises:
        NotFound: no such clip.
    """
    clip = session.get(Clip, clip_id)
    if clip is None:
        raise NotFound(f"No clip has the id {clip_id}: `arena clips list` lists them all.")
    return clip


def list_clips(
    session: Session,
    *,
    track: Track | None = None,
    entrant: Entrant | None = None,
    clip_id: int | None = None,
) -> list[ListedClip]:
    """Return the stored clips, failed ones included, by id.

    Args:
        session: of the database.
        track: only its clips.
        entrant: only its clips.
        clip_id: only this one.
    """
    query = (
        select(Clip, WithheldClip)
        .outerjoin(WithheldClip, WithheldClip.clip_id == Clip.id)
        .options(joinedload(Clip.entrant), joinedload(Clip.track))
        .order_by(Clip.id)
    )
    if track is not None:
        query = query.where(Clip.track_id == track.id)
    if entrant is not None:
        query = query.where(Clip.entrant_id == entrant.id)
    if clip_id is not None:
        query = query.where(Clip.id == clip_id)
    return [
        ListedClip(
            id=clip.id,
            entrant=clip.entrant.shown_name,
            track=clip.track.name,
            prompt_id=clip.prompt_id,
            seed=clip.seed if clip.damage is None else copy_seed(clip.seed),
            state=clip.status.value if withheld is None else WITHHELD,
            reason=_reason(clip, withheld),
        )
        for clip, withheld in session.execute(query)
    ]


def _reason(clip: Clip, withheld: WithheldClip | None) -> str | None:
    if withheld is not None:
        return f"{withheld.cause}: {withheld.reason}"
    return clip.failure if clip.damage is None else f"a damaged copy ({clip.damage})"


def describe_clip(session: Session, clip_id: int) -> dict[str, Any]:
    """Return what is known of a clip, as JSON-compatible values.

    Raises:
        NotFound: no such clip.
    """
    clip = find_clip(session, clip_id)
    (listed,) = list_clips(session, clip_id=clip_id)
    return {
        "id": clip.id,
        "entrant": listed.entrant,
        "track": listed.track,
        "prompt_id": clip.prompt_id,
        "prompt": clip.prompt.text,
        "seed": listed.seed,
        "state": listed.state,
        "reason": listed.reason,
        "created_at": clip.created_at.isoformat(timespec="seconds"),
        "master": clip.master_path,
        "rendition": clip.rendition_path,
        "sha256": clip.sha256,
        "measures": clip.measures,
        "provenance": clip.provenance,
    }
