"""Draws the next pair of clips, and reports the probability with which it was drawn. Only reads.

The published rule `uniform`: every pair of active entrants that has clips left for this voter is
equally likely; then every prompt and seed that both have clips of, and that this voter has not
seen from the two, is equally likely.
"""

import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVarTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from arena.catalog.withholding import is_withheld, shows_source
from arena.models import (
    SAMPLERS,
    Battle,
    Clip,
    ClipStatus,
    Entrant,
    Prompt,
    PromptCategory,
    Track,
)

UNIFORM = SAMPLERS[0]  # the only rule so far, so a track's `sampler` need not be looked up

# Module-level: a new alias in each query would be compiled each time.
CLIP_A, CLIP_B = aliased(Clip), aliased(Clip)

Columns = TypeVarTuple("Columns")

Task = tuple[str, int]  # a prompt's id and a seed, the same for both clips of a battle


@dataclass(frozen=True)
class Pair:
    """Two clips of one prompt; `probability` is the probability of their pair of entrants."""

    clips: tuple[int, int]
    prompt_id: str
    sampler: str
    probability: float


def draw_pair(
    session: Session,
    *,
    track: Track,
    voter_id: int,
    category: str | None,
    rng: random.Random,
) -> Pair | None:
    """Draw the next pair for a voter, without sides; None if the voter has seen every pair."""
    clips = _active_clips(session, track=track, category=category)
    seen = _seen(session, track=track, voter_id=voter_id)
    # Sorted, so that the seed of a simulation determines the sequence of pairs.
    eligible = [
        pair
        for pair in combinations(sorted(clips), 2)
        if len(clips[pair[0]].keys() & clips[pair[1]].keys()) > len(seen[pair])
    ]
    if not eligible:
        return None
    pair = rng.choice(eligible)
    left, right = (clips[entrant] for entrant in pair)
    task = rng.choice(sorted((left.keys() & right.keys()) - seen[pair]))
    return Pair(
        clips=(left[task], right[task]),
        prompt_id=task[0],
        sampler=UNIFORM,
        probability=1 / len(eligible),
    )


def where_active(query: Select[*Columns], *, track_id: int) -> Select[*Columns]:
    """Limit a query of clips to those of a track that may be shown.

    They are ready, neither retired nor withheld, and have a source that can be shown if the track
    needs one.
    """
    return (
        query.join(Entrant, Entrant.id == Clip.entrant_id)
        .join(Prompt, Prompt.id == Clip.prompt_id)
        .join(Track, Track.id == Clip.track_id)
        .where(
            ~is_withheld(),
            shows_source(),
            Clip.track_id == track_id,
            Clip.status == ClipStatus.READY,
            Entrant.retired_at.is_(None),
            Prompt.retired_at.is_(None),
        )
    )


def is_active(session: Session, track: Track) -> bool:
    """Whether any two entrants of the track have clips of the same prompt and seed."""
    clips = _active_clips(session, track=track, category=None)
    return any(clips[a].keys() & clips[b].keys() for a, b in combinations(clips, 2))


def _active_clips(
    session: Session, *, track: Track, category: str | None
) -> dict[int, dict[Task, int]]:
    """Return the ids of the clips that may be shown, by entrant and task."""
    if track.closed_at is not None:
        return {}
    query = where_active(
        select(Clip.entrant_id, Clip.prompt_id, Clip.seed, Clip.id), track_id=track.id
    )
    if category is not None:
        query = query.join(PromptCategory, PromptCategory.prompt_id == Clip.prompt_id).where(
            PromptCategory.category == category
        )
    clips: dict[int, dict[Task, int]] = defaultdict(dict)
    for entrant_id, prompt_id, seed, clip_id in session.execute(query):
        clips[entrant_id][prompt_id, seed] = clip_id
    return clips


def _seen(
    session: Session, *, track: Track, voter_id: int
) -> defaultdict[tuple[int, int], set[Task]]:
    """Return the tasks this voter has seen in this track, by pair of entrants (lower id first)."""
    shown = session.execute(
        select(CLIP_A.entrant_id, CLIP_B.entrant_id, CLIP_A.prompt_id, CLIP_A.seed)
        .select_from(Battle)
        .join(CLIP_A, CLIP_A.id == Battle.clip_a_id)
        .join(CLIP_B, CLIP_B.id == Battle.clip_b_id)
        .where(Battle.voter_id == voter_id, Battle.track_id == track.id)
    )
    seen: defaultdict[tuple[int, int], set[Task]] = defaultdict(set)
    for first, second, prompt_id, seed in shown:
        seen[min(first, second), max(first, second)].add((prompt_id, seed))
    return seen
