"""Finds clips of two entrants that are the same bytes: nothing distinguishes them, so they are
never compared.
"""

import logging
from dataclasses import dataclass
from itertools import combinations

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from arena.models import Clip, ClipStatus, Track

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IdenticalClips:
    """Two clips of one prompt and seed with the same bytes, as generated or as shown.

    Attributes:
        clip_ids: the lower id first.
        entrants: the names as shown, in the same order.
    """

    clip_ids: tuple[int, int]
    entrants: tuple[str, str]
    track: str
    prompt_id: str
    seed: int

    def __str__(self) -> str:
        first, second = self.entrants
        return (
            f"The clips of {first} and {second} for the prompt {self.prompt_id} (track "
            f"{self.track}, seed {self.seed}) are the same bytes, so they are never compared"
        )


def find_identical(session: Session, *, track: Track | None = None) -> list[IdenticalClips]:
    """Return all pairs of ready clips that are the same bytes, by id."""
    found: dict[tuple[int, int], IdenticalClips] = {}
    for column in (Clip.sha256, Clip.master_sha256):
        for group in _groups(session, column, track):
            for first, second in combinations(group, 2):
                found[first.id, second.id] = _identical(first, second)
    return [found[ids] for ids in sorted(found)]


def _groups(
    session: Session, column: InstrumentedAttribute[str | None], track: Track | None
) -> list[list[Clip]]:
    task = (Clip.track_id, Clip.prompt_id, Clip.seed)
    repeated = (
        select(*task, column)
        .where(Clip.status == ClipStatus.READY, column.is_not(None))
        .group_by(*task, column)
        .having(func.count() > 1)
    )
    if track is not None:
        repeated = repeated.where(Clip.track_id == track.id)
    return [
        list(
            session.scalars(
                select(Clip)
                .where(
                    *(Clip.track_id == track_id, Clip.prompt_id == prompt_id, Clip.seed == seed),
                    *(column == sha256, Clip.status == ClipStatus.READY),
                )
                .order_by(Clip.id)
            )
        )
        for track_id, prompt_id, seed, sha256 in session.execute(repeated)
    ]


def warn_if_identical(session: Session, clip: Clip) -> None:
    """Log it if a new clip is the same bytes as another entrant's clip of its prompt and seed."""
    if clip.status is not ClipStatus.READY:
        return
    session.flush()
    same = [Clip.sha256 == clip.sha256]
    if clip.master_sha256 is not None:
        same.append(Clip.master_sha256 == clip.master_sha256)
    query = select(Clip).where(
        *(Clip.track_id == clip.track_id, Clip.prompt_id == clip.prompt_id),
        *(Clip.seed == clip.seed, Clip.id != clip.id, Clip.status == ClipStatus.READY),
        or_(*same),
    )
    for other in session.scalars(query):
        logger.warning("%s.", _identical(other, clip))


def _identical(first: Clip, second: Clip) -> IdenticalClips:
    return IdenticalClips(
        clip_ids=(first.id, second.id),
        entrants=(first.entrant.shown_name, second.entrant.shown_name),
        track=first.track.name,
        prompt_id=first.prompt_id,
        seed=first.seed,
    )
