"""Writes which ready clips are withheld from battles, and why; restores them.

A clip is withheld when its file is missing or damaged, when voters report that it does not play,
or when somebody who runs the arena withdraws it. Open battles that show it are replaced when their
voter asks for a battle again. Votes already cast stay and count.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, joinedload

from arena.database import Database
from arena.media import MediaStore, find_damage
from arena.models import Clip, Prompt, Track, WithheldCause, WithheldClip

REPORTED = "voters reported"  # how the reason begins if the stored file itself is intact

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Withheld:
    """A withheld clip, for lists."""

    clip_id: int
    entrant: str
    track: str
    prompt_id: str
    seed: int
    cause: WithheldCause
    reason: str
    withheld_at: datetime


def withhold_clip(
    session: Session, clip: Clip, *, cause: WithheldCause, reason: str, now: datetime
) -> bool:
    """Withhold a clip from battles, and log it once.

    Args:
        session: in a transaction that writes.
        clip: a ready clip.
        cause: the kind of reason.
        reason: a phrase without a full stop, for the operator.
        now: aware.

    Returns:
        Whether the clip was not withheld before.
    """
    if session.get(WithheldClip, clip.id) is not None:
        return False
    session.add(WithheldClip(clip_id=clip.id, cause=cause, reason=reason, withheld_at=now))
    session.flush()
    logger.warning(
        "Clip %s (%s, track %s, prompt %s, seed %s) is withheld from battles: %s.",
        *(clip.id, clip.entrant.shown_name, clip.track.name, clip.prompt_id, clip.seed, reason),
    )
    return True


def restore_clip(session: Session, clip_id: int) -> bool:
    """Let battles show a clip again; return whether it was withheld."""
    withheld = session.get(WithheldClip, clip_id)
    if withheld is not None:
        session.delete(withheld)
        session.flush()
    return withheld is not None


def withhold_source(session: Session, prompt: Prompt, *, reason: str) -> bool:
    """Draw no battles with this prompt in tracks that show sources, and log it once.

    Returns:
        Whether its source was shown until now.
    """
    if prompt.source_fault is not None:
        return False
    prompt.source_fault = reason
    session.flush()
    logger.warning("Prompt %s is withheld from battles: of its source, %s.", prompt.id, reason)
    return True


def restore_intact(database: Database, store: MediaStore) -> list[str]:
    """Let battles show again what was withheld because of its file, if the file is intact now.

    A disk that was not mounted for a while makes all clips on it look missing.

    Returns:
        A sentence for each clip and source that was restored.

    Raises:
        StoreUnavailable: the media store cannot be reached.
    """
    with database.reading() as session:
        clips = session.scalars(
            select(Clip)
            .join(WithheldClip, WithheldClip.clip_id == Clip.id)
            .where(WithheldClip.cause == WithheldCause.DAMAGED)
            .order_by(Clip.id)
            .options(joinedload(Clip.track))
        ).all()
        prompts = session.scalars(
            select(Prompt)
            .where(
                Prompt.source_path.is_not(None),
                Prompt.source_fault.is_not(None),
                ~Prompt.source_fault.startswith(REPORTED),
            )
            .order_by(Prompt.id)
        ).all()
    intact_clips = [
        clip.id
        for clip in clips
        if not find_damage(
            store, str(clip.rendition_path), sha256=str(clip.sha256), size=clip.track.bytes
        )
    ]
    intact_sources = [
        prompt.id
        for prompt in prompts
        if not find_damage(
            store,
            str(prompt.source_path),
            sha256=str(prompt.source_sha256),
            size=prompt.source_bytes or 0,
        )
    ]
    if intact_clips or intact_sources:
        with database.writing() as session:
            for clip_id in intact_clips:
                restore_clip(session, clip_id)
            for prompt_id in intact_sources:
                session.get_one(Prompt, prompt_id).source_fault = None
    return [
        *(f"Clip {clip_id} is shown again: its file is intact." for clip_id in intact_clips),
        *(f"Prompt {key} is shown again: its source is intact." for key in intact_sources),
    ]


def list_withheld(session: Session, *, track: Track | None = None) -> list[Withheld]:
    """Return the withheld clips, the last one first."""
    query = (
        select(WithheldClip)
        .join(Clip)
        .order_by(WithheldClip.withheld_at.desc(), WithheldClip.clip_id)
    )
    if track is not None:
        query = query.where(Clip.track_id == track.id)
    return [
        Withheld(
            clip_id=row.clip_id,
            entrant=row.clip.entrant.shown_name,
            track=row.clip.track.name,
            prompt_id=row.clip.prompt_id,
            seed=row.clip.seed,
            cause=row.cause,
            reason=row.reason,
            withheld_at=row.withheld_at,
        )
        for row in session.scalars(query)
    ]


def faulty_sources(session: Session) -> dict[str, str]:
    """Return why sources cannot be shown, by the id of their prompt."""
    query = select(Prompt.id, Prompt.source_fault).where(Prompt.source_fault.is_not(None))
    return {
        prompt_id: str(fault) for prompt_id, fault in session.execute(query.order_by(Prompt.id))
    }


@cache  # building a condition takes longer than running it
def is_withheld() -> ColumnElement[bool]:
    """Return the condition that the clip of a query is withheld."""
    return exists().where(WithheldClip.clip_id == Clip.id)
