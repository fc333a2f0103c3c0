"""What a leaderboard says of held votes: how many, by which rule, and the ratings without holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

import ratings
from arena.models import OVERALL, HoldRule, Track, VoterKind
from arena.standings.boards import Board, public_holds
from arena.standings.computing import ComputedBoard, rate_battles, to_python
from arena.standings.hold_share import share_alarm
from arena.voting.completion import CompletionFlag, completion_flags

if TYPE_CHECKING:
    from arena.standings.rated_votes import RatedVotes
    from arena.standings.vote_arrays import Pool, VoteArrays

REVIEWED = timedelta(days=7)  # for which a model is shown as under review
# Of the ratings without holds.
COLUMNS = ("rating", "rating_lower", "rating_upper", "rank_lower", "rank_upper", "vote_count")


def count_held(arrays: VoteArrays, pool: Pool, *, prompts: frozenset[str] | None) -> dict[str, int]:
    """Count the held votes of a leaderboard by rule, most first.

    Args:
        arrays: have the pool.
        pool: of the leaderboard's track and voters.
        prompts: of its category; None: all.
    """
    import numpy as np

    inside = [prompts is None or key in prompts for key in arrays.prompts]
    rows = pool.held_rows
    counted: Counter[str] = Counter()
    if len(rows):
        if prompts is not None:
            rows = rows[np.array(inside, dtype=bool)[pool.votes["prompt"][rows]]]
        by_code = np.bincount(pool.votes["held"][rows], minlength=len(arrays.rules) + 1)
        for code, rule in enumerate(arrays.rules, start=1):
            counted[rule] += int(by_code[code])
    counted[HoldRule.PICTURE_ONLY.value] += sum(
        votes for prompt, votes in pool.picture_only.items() if inside[prompt]
    )
    return {rule: votes for rule, votes in counted.most_common() if votes}


def rate_without_holds(
    votes: RatedVotes, *, ties: str, sums: ratings.ClusterSums | None = None
) -> list[dict[str, Any]] | None:
    """Rate the votes of a leaderboard with those that are held.

    Args:
        votes: counted and held ones; with `sums` only their counts.
        ties: the track's rule.
        sums: over the voters of the votes.

    Returns:
        The number of each entrant as `model`, and `COLUMNS`; None if they cannot be rated.

    Raises:
        OutdatedSums: see `ratings.intervals`.
    """
    try:
        table = rate_battles(votes.battles, ties=ties, sums=sums)
    except ratings.OutdatedSums:
        raise
    except ratings.RatingsError:
        return None
    return [
        {
            "model": votes.entrants[record["model"]].id,
            **{name: to_python(record[name]) for name in COLUMNS},
        }
        for record in table.to_dict("records")
    ]


def with_holds(
    session: Session,
    computed: ComputedBoard,
    arrays: VoteArrays,
    *,
    track: Track,
    prompts: frozenset[str] | None,
    without: list[dict[str, Any]] | None,
    now: datetime,
) -> ComputedBoard:
    """Return the leaderboard with what it says of held votes.

    Args:
        session: reads earlier snapshots.
        computed: the leaderboard.
        arrays: the votes.
        track: of the leaderboard.
        prompts: of its category; None: all.
        without: the ratings without holds; None if no vote is held.
        now: the time of the leaderboard.
    """
    board = computed.board
    pool = arrays.pool(track.id, board.voters)
    held = count_held(arrays, pool, prompts=prompts)
    total = sum(held.values())
    alarm = None
    if board.category == OVERALL and board.voters is VoterKind.PERSON:
        alarm = share_alarm(session, track.id, votes=board.votes + total, held=total, now=now)
    holds = {
        **{"votes": board.votes + total, "held": held, "without": without, "alarm": alarm},
        "under_review": _under_review(session, track, board, now=now),
    }
    names = {
        number: row.model for number, row in zip(computed.entrant_ids, board.rows, strict=True)
    }
    board = replace(board, holds=public_holds(holds, arrays.events, names))
    return replace(computed, board=board, hold_events=arrays.events, holds=holds)


def _under_review(
    session: Session, track: Track, board: Board, *, now: datetime
) -> list[dict[str, Any]]:
    """Return the entrants whose battles were lately finished suspiciously often, with the days."""
    if board.voters is not VoterKind.PERSON:
        return []
    flags = completion_flags(session, track)
    by_entrant: dict[int, list[CompletionFlag]] = defaultdict(list)
    for flag in flags:
        if now.date() - flag.day < REVIEWED:
            by_entrant[flag.entrant].append(flag)
    return [
        {
            "model": entrant,
            "reason": (
                f"on {', '.join(sorted(flag.day.isoformat() for flag in found))}, its battles were "
                f"finished more often than others (z = {max(flag.z for flag in found):.1f})"
            ),
        }
        for entrant, found in sorted(by_entrant.items())
    ]


def has_held(pool: Pool) -> bool:
    """Whether events hold votes of a pool, so that ratings without holds are other ones."""
    return bool(len(pool.held_rows))
