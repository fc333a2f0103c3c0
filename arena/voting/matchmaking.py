"""Draws the next pair of clips, and reports the probability with which it was drawn. Only reads.

The published rule `uniform`: every pair of active entrants that has clips left for this voter is
equally likely; then every prompt and seed that both have clips of, and that this voter has not
seen from the two, is equally likely. Two clips with the same bytes are never a pair.
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
EntrantPair = tuple[int, int]  # two entrants' ids, the lower one first
Tasks = defaultdict[EntrantPair, set[Task]]
ClipIds = dict[int, dict[Task, int]]  # by entrant and task


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
    clips, excluded = _active_clips(session, track=track, category=category)
    for pair, tasks in _seen(session, track=track, voter_id=voter_id).items():
        excluded[pair] |= tasks
    # Sorted, so that the seed of a simulation determines the sequence of pairs.
    eligible = [
        pair for pair in combinations(sorted(clips), 2) if _has_tasks(clips, pair, excluded)
    ]
    if not eligible:
        return None
    pair = rng.choice(eligible)
    left, right = (clips[entrant] for entrant in pair)
    task = rng.choice(sorted((left.keys() & right.keys()) - excluded[pair]))
    return Pair(
        clips=(left[task], right[task]),
        prompt_id=task[0],
        sampler=UNIFORM,
        probability=1 / len(eligible),
    )


def _has_tasks(clips: ClipIds, pair: EntrantPair, excluded: Tasks) -> bool:
    """Whether both entrants have clips of a task that is not excluded for the pair."""
    common = clips[pair[0]].keys() & clips[pair[1]].keys()
    return not common <= excluded.get(pair, frozenset())


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


def may_be_shown(battle: Battle) -> bool:
    """Whether track, entrants and prompt of a battle are still active."""
    ended = (
        battle.track.closed_at,
        battle.prompt.retired_at,
        battle.clip_a.entrant.retired_at,
        battle.clip_b.entrant.retired_at,
    )
    return not any(ended)


def is_active(session: Session, track: Track) -> bool:
    """Whether any two entrants of the track have different clips of the same prompt and seed."""
    clips, identical = _active_clips(session, track=track, category=None)
    return any(_has_tasks(clips, pair, identical) for pair in combinations(sorted(clips), 2))


def _active_clips(session: Session, *, track: Track, category: str | None) -> tuple[ClipIds, Tasks]:
    """Return the ids of the clips that may be shown, by entrant and task.

    Also returns the tasks of which two entrants have the same bytes, by pair of entrants.
    """
    clips: ClipIds = defaultdict(dict)
    identical: Tasks = defaultdict(set)
    if track.closed_at is not None:
        return clips, identical
    query = where_active(
        select(
            *(Clip.entrant_id, Clip.prompt_id, Clip.seed, Clip.id),
            *(Clip.sha256, Clip.master_sha256),
        ),
        track_id=track.id,
    )
    if category is not None:
        query = query.join(PromptCategory, PromptCategory.prompt_id == Clip.prompt_id).where(
            PromptCategory.category == category
        )
    rows = session.execute(query).all()
    for entrant_id, prompt_id, seed, clip_id, _, _ in rows:
        clips[entrant_id][prompt_id, seed] = clip_id
    for hashes in ([row[4] for row in rows], [row[5] for row in rows]):
        stored = [sha256 for sha256 in hashes if sha256 is not None]
        if len(set(stored)) < len(stored):
            _add_identical(identical, [(row[0], (row[1], row[2])) for row in rows], hashes)
    return clips, identical


def _add_identical(
    identical: Tasks, clips: list[tuple[int, Task]], hashes: list[str | None]
) -> None:
    """Add the tasks of which two entrants have the same hash; clips are given by entrant, task."""
    owners: dict[tuple[Task, str], list[int]] = defaultdict(list)
    for (entrant_id, task), sha256 in zip(clips, hashes, strict=True):
        if sha256 is not None:
            owners[task, sha256].append(entrant_id)
    for (task, _), entrant_ids in owners.items():
        for pair in combinations(sorted(entrant_ids), 2):
            identical[pair].add(task)


def _seen(session: Session, *, track: Track, voter_id: int) -> Tasks:
    """Return the tasks this voter has seen in this track, by pair of entrants (lower id first)."""
    shown = session.execute(
        select(CLIP_A.entrant_id, CLIP_B.entrant_id, CLIP_A.prompt_id, CLIP_A.seed)
        .select_from(Battle)
        .join(CLIP_A, CLIP_A.id == Battle.clip_a_id)
        .join(CLIP_B, CLIP_B.id == Battle.clip_b_id)
        .where(Battle.voter_id == voter_id, Battle.track_id == track.id)
    )
    seen: Tasks = defaultdict(set)
    for first, second, prompt_id, seed in shown:
        seen[min(first, second), max(first, second)].add((prompt_id, seed))
    return seen
