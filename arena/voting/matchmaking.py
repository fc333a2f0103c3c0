"""Draws the next pair of clips, and reports the probability with which it was drawn. Only reads.

The published rules:

- `uniform`: every pair of active entrants that has clips left for this voter is equally likely;
- `adaptive`: pairs have the probabilities of `ratings.pair_probabilities` in the last snapshot,
  among those that have clips left for this voter. A share of the battles, `CONTROL_SHARE`, is drawn
  by `uniform` as a control group. Until there is a snapshot, all are.

Then every prompt and seed that both entrants have clips of, and that this voter has not seen from
the two, is equally likely. No voter is shown one clip in more than `MAX_SHOWN` battles, so that the
names shown after votes make no dictionary of clips, and no voter has much weight in what is known
of one clip. Two clips with the same bytes are never a pair. A small share of the
battles of voters who have voted for a while is a repeat: an earlier pair with its sides swapped,
which measures how reliable votes are and has no weight in ratings. Another small share is a honey
pair: a clip and its own damaged copy, which shows who votes without looking; no rating counts it.
"""

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.index import catalog_index
from arena.catalog.track_index import EntrantPair, PairChoices, Task, TrackIndex
from arena.models import OVERALL, SAMPLERS, Battle, Track

ADAPTIVE, UNIFORM = SAMPLERS
CONTROL_SHARE = 0.1  # of the battles of an adaptive track, drawn by `uniform`
MAX_SHOWN = 3  # battles of one voter and track with the same clip, but for repeats and honey pairs
_TRIES = 8  # random draws of a task before those left are listed

ClipPair = tuple[int, int]  # the ids of two clips


class PairChances:
    """The probability of each pair of entrants in a snapshot, for the rule `adaptive`.

    Args:
        probabilities: by pair; pairs that are not in it, of entrants that are newer than the
            snapshot, get the largest of them.
    """

    def __init__(self, probabilities: Mapping[EntrantPair, float]) -> None:
        self._probabilities = probabilities
        self._newest = max(probabilities.values())
        self._sums: WeakKeyDictionary[PairChoices, list[float]] = WeakKeyDictionary()

    def draw(
        self, choices: PairChoices, left: tuple[EntrantPair, ...], rng: random.Random
    ) -> tuple[EntrantPair, float]:
        """Draw one of the pairs that are left, and return it with its probability among them."""
        sums = self._sums.get(choices) if left is choices.pairs else None
        if sums is None:
            sums = list(accumulate(self.of(pair) for pair in left))
            if left is choices.pairs:
                self._sums[choices] = sums
        position = min(bisect_right(sums, rng.random() * sums[-1]), len(left) - 1)
        return left[position], self.of(left[position]) / sums[-1]

    def of(self, pair: EntrantPair) -> float:
        """The probability of a pair in the snapshot."""
        return self._probabilities.get(pair, self._newest)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clips of one prompt; `probability` is the probability of their pair of entrants."""

    clips: tuple[int, int]
    prompt_id: str
    sampler: str
    probability: float


def draw(
    index: TrackIndex,
    shown: Collection[ClipPair],
    rng: random.Random,
    *,
    category: str | None = None,
    sampler: str = UNIFORM,
    chances: PairChances | None = None,
) -> Pair | None:
    """Draw the next pair for a voter, without sides; None if the voter has seen every pair.

    Args:
        index: the clips of the track.
        shown: the clips of each of the voter's battles in the track.
        rng: the random numbers.
        category: of the prompts; None for all.
        sampler: of the track.
        chances: of the pairs, for the rule `adaptive`; None before the first snapshot.
    """
    choices = index.choices_of(category)
    left = choices.pairs
    used_up = _used_up(index, shown)
    # Of fewer battles, none can have used up all tasks of a pair.
    if len(shown) + len(used_up) >= choices.fewest_tasks:
        seen = seen_tasks(index, shown)
        left = tuple(
            pair for pair in left if _has_left(choices, pair, seen.get(pair, set()), used_up)
        )
        if len(left) == len(choices.pairs):
            left = choices.pairs
    if not left:
        return None
    if sampler == ADAPTIVE and chances is not None and rng.random() >= CONTROL_SHARE:
        pair, probability = chances.draw(choices, left, rng)
        rule = ADAPTIVE
    else:
        pair, probability, rule = rng.choice(left), 1 / len(left), UNIFORM
    task, clips = _draw_task(choices, pair, shown, used_up, rng)
    return Pair(clips=clips, prompt_id=task[0], sampler=rule, probability=probability)


def _used_up(index: TrackIndex, shown: Collection[ClipPair]) -> set[int]:
    """Return the clips that a voter may not be shown again."""
    if len(shown) < MAX_SHOWN:
        return set()
    counts = Counter(chain.from_iterable(shown))
    if max(counts.values()) < MAX_SHOWN:  # nearly always
        return set()
    if index.copy_ids:  # a honey pair names no model, and has no weight
        shown = [pair for pair in shown if index.copy_ids.isdisjoint(pair)]
    # A repeat shows a pair with its sides swapped, and does not count as another battle.
    pairs = {(min(pair), max(pair)) for pair in shown}
    counts = Counter(chain.from_iterable(pairs))
    return {clip for clip, number in counts.items() if number >= MAX_SHOWN}


def _has_left(choices: PairChoices, pair: EntrantPair, seen: set[Task], used_up: set[int]) -> bool:
    """Whether a pair has a task that the voter has not seen, and whose clips are not used up."""
    if not used_up:
        return not seen.issuperset(choices.tasks(pair))
    first, second = choices.clips[pair[0]], choices.clips[pair[1]]
    return any(
        task not in seen and first[task] not in used_up and second[task] not in used_up
        for task in choices.tasks(pair)
    )


def _draw_task(
    choices: PairChoices,
    pair: EntrantPair,
    shown: Collection[ClipPair],
    used_up: set[int],
    rng: random.Random,
) -> tuple[Task, ClipPair]:
    """Draw a task that the voter has not seen of this pair, and return it with its clips."""
    tasks = choices.tasks(pair)
    first, second = choices.clips[pair[0]], choices.clips[pair[1]]

    def is_new(clips: ClipPair) -> bool:
        return clips not in shown and clips[::-1] not in shown and used_up.isdisjoint(clips)

    # Nearly always the first draw is one that this voter has not seen.
    for _ in range(_TRIES):
        task = rng.choice(tasks)
        clips = (first[task], second[task])
        if is_new(clips):
            return task, clips
    task = rng.choice([task for task in tasks if is_new((first[task], second[task]))])
    return task, (first[task], second[task])


def seen_tasks(index: TrackIndex, battles: Iterable[ClipPair]) -> dict[EntrantPair, set[Task]]:
    """Return the tasks that a voter has seen, by pair of entrants.

    Args:
        index: of the track.
        battles: the clips of each of the voter's battles in it.
    """
    seen: dict[EntrantPair, set[Task]] = defaultdict(set)
    for first_id, second_id in battles:
        first, second = index.clips.get(first_id), index.clips.get(second_id)
        if first is None or second is None:
            continue
        pair = (first.entrant_id, second.entrant_id)
        seen[pair if pair[0] < pair[1] else pair[::-1]].add(first.task)
    return seen


def draw_pair(
    session: Session,
    *,
    track: Track,
    voter_id: int,
    category: str | None,
    rng: random.Random,
) -> Pair | None:
    """Draw the next pair for a voter by the rule `uniform`; None if none is left."""
    index = catalog_index(session, exact=True).of(session, track.id)
    rows = session.execute(
        select(Battle.clip_a_id, Battle.clip_b_id).where(
            Battle.voter_id == voter_id, Battle.track_id == track.id
        )
    )
    return draw(index, {(row[0], row[1]) for row in rows}, rng, category=category)


def is_active(session: Session, track: Track) -> bool:
    """Whether any two entrants of the track have different clips of the same prompt and seed."""
    return bool(catalog_index(session, exact=True).of(session, track.id).choices.pairs)


def categories_to_ask_for(session: Session, track: Track) -> list[str]:
    """Return `overall` and the categories of a track with enough prompts, sorted."""
    catalog = catalog_index(session, exact=True)
    index = catalog.of(session, track.id)
    prompts = {index.clips[clip_id].prompt_id for clip_id in index.shown}
    known = {name for prompt in prompts for name in catalog.prompts[prompt].categories}
    return [OVERALL, *(name for name in sorted(known) if index.may_ask_for(name))]
