"""Computes leaderboards from votes, as snapshots hold them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

import ratings
from arena.models import (
    OVERALL,
    Entrant,
    Track,
    VoterKind,
)
from arena.standings.boards import (
    BOARD_COLUMNS,
    Board,
    BoardRow,
    PairRecord,
    public_holds,
    with_names,
)
from ratings.schema import format_number

# What computes a leaderboard loads slowly; one that is stored is read without.
if TYPE_CHECKING:
    import pandas as pd

    from arena.standings.rated_votes import RatedVotes
    from arena.standings.vote_arrays import VoteArrays

CONFIDENCE = 0.95
BOTH_BAD = "tie"  # counted as half a win for each; a column shows how often
BY_VOTER, BY_VOTE = "sandwich, by voter", "sandwich, by vote"
# Of the adaptive draws, uniform over the pairs: few, since a tenth of all battles is a control
# group that is drawn uniformly as well.
EXPLORE = 0.05


@dataclass(frozen=True)
class ComputedBoard:
    """A leaderboard with the database's numbers of its track and of the entrant of each row.

    Attributes:
        board: the leaderboard.
        track_id: number of its track.
        entrant_ids: number of the entrant of each row.
        sampling: what the adaptive sampler draws from, as `Snapshot.sampling` holds it.
        pairs: from `pair_counts`; None: of a snapshot by an earlier version.
        details: from `compute_details`, with the votes and the time that they are of; None: they
            have not been computed.
        hold_events: the ledger of holds was read up to this number.
        holds: from `held_votes`, with the numbers of entrants as models; None: of an earlier
            version.
    """

    board: Board
    track_id: int
    entrant_ids: tuple[int, ...]
    sampling: dict[str, Any] | None = None
    pairs: list[list[int]] | None = None
    details: dict[str, Any] | None = None
    hold_events: int = 0
    holds: dict[str, Any] | None = None


def rate(
    frame: pd.DataFrame, *, ties: str, models: list[str], intervals: str = BY_VOTER
) -> pd.DataFrame:
    """Rate votes by Bradley-Terry with sandwich intervals, as `python -m ratings` does by default.

    Args:
        frame: `model_a, model_b, winner` and the voters, as for `ratings.Battles.from_frame`.
        ties: a rule of `ratings.TIE_RULES`.
        models: names to include even if they have no votes.
        intervals: `BY_VOTER`, or `BY_VOTE` for snapshots that were computed that way.

    Returns:
        The leaderboard with its published decimals; `attrs` as those of `ratings.leaderboard`.
    """
    return rate_battles(
        ratings.Battles.from_frame(frame, models=models), ties=ties, intervals=intervals
    )


def rate_battles(
    battles: ratings.Battles,
    *,
    ties: str,
    intervals: str = BY_VOTER,
    sums: ratings.ClusterSums | None = None,
) -> pd.DataFrame:
    """Rate encoded votes; see `rate`. With `sums` over voters only the counts are used."""
    board = ratings.leaderboard(
        battles,
        ties=ties,
        both_bad=BOTH_BAD,
        confidence=CONFIDENCE,
        cluster="auto" if intervals == BY_VOTER else None,
        sums=sums,
    )
    for name in board.select_dtypes("float"):
        board[name] = [float(format_number(value)) for value in board[name]]
    return board


def interval_method(board: pd.DataFrame) -> str:
    """Return how the intervals of a rated leaderboard were computed."""
    return BY_VOTER if board.attrs["cluster"] else BY_VOTE


def compute_board(
    session: Session,
    arrays: VoteArrays,
    *,
    track: Track,
    category: str,
    voters: VoterKind,
    now: datetime,
    with_details: bool = True,
) -> ComputedBoard:
    """Compute a leaderboard from the votes in the arrays.

    Args:
        session: reads entrants and categories.
        arrays: the votes, up to the leaderboard's watermark.
        track: of the leaderboard.
        category: of the leaderboard.
        voters: whose votes it counts.
        now: the time of the leaderboard.
        with_details: whether to compute what is shown beside the ratings as well.
    """
    from arena.standings import held_votes
    from arena.standings.rated_votes import prompts_of, select_votes

    of_board: Any = {"track": track, "category": category, "voters": voters}
    votes = select_votes(session, arrays, **of_board)
    computed = board_of(votes, **of_board, watermark=arrays.watermark, now=now)
    without = None
    if held_votes.has_held(arrays.pool(track.id, voters)):
        everything = select_votes(session, arrays, **of_board, with_held=True)
        without = held_votes.rate_without_holds(everything, ties=track.ties)
    prompts = prompts_of(session, category)
    computed = held_votes.with_holds(
        *(session, computed, arrays), track=track, prompts=prompts, without=without, now=now
    )
    if with_details:
        names = {entrant.id: entrant.shown_name for entrant in votes.entrants.values()}
        computed = named(with_new_details(computed, votes, ties=track.ties, now=now), names)
    return computed


def empty_board(
    session: Session, *, track: Track, category: str, voters: VoterKind, now: datetime
) -> ComputedBoard:
    """Return the leaderboard before the first vote; see `compute_board`."""
    from arena.standings.vote_arrays import VoteArrays

    return compute_board(
        *(session, VoteArrays()), track=track, category=category, voters=voters, now=now
    )


def board_of(
    votes: RatedVotes,
    *,
    track: Track,
    category: str,
    voters: VoterKind,
    watermark: int,
    now: datetime,
    sums: ratings.ClusterSums | None = None,
) -> ComputedBoard:
    """Compute a leaderboard, without details, from its votes.

    Args:
        votes: of the leaderboard; with `sums` only their counts.
        track: of the leaderboard.
        category: of the leaderboard.
        voters: whose votes it counts.
        watermark: of the votes.
        now: the time of the leaderboard.
        sums: over the voters of the votes.

    Raises:
        OutdatedSums: see `ratings.intervals`.
    """
    started = time.monotonic()
    table = rate_battles(votes.battles, ties=track.ties, sums=sums)
    records = table[BOARD_COLUMNS].to_dict("records")
    entrants = [votes.entrants[record["model"]] for record in records]
    rows = [
        board_row(entrant, {str(name): to_python(value) for name, value in record.items()})
        for entrant, record in zip(entrants, records, strict=True)
    ]
    note = table.attrs["cluster_note"]
    parameters = {
        "model": "bradley-terry",
        "ties": track.ties,
        "both_bad": BOTH_BAD,
        "confidence": CONFIDENCE,
        "intervals": interval_method(table),
        **({"intervals_note": note} if note else {}),
        "seconds": time.monotonic() - started,
    }
    board = Board(
        track=track.name,
        category=category,
        voters=voters,
        computed_at=now,
        watermark=watermark,
        votes=len(votes.battles),
        parameters=parameters,
        rows=rows,
    )
    is_sampled = category == OVERALL and voters is VoterKind.PERSON
    computed = ComputedBoard(
        board,
        track.id,
        tuple(entrant.id for entrant in entrants),
        sampling=sampling_of(votes.battles, votes.entrants) if is_sampled else None,
        pairs=pair_counts(votes),
    )
    return named(computed, {entrant.id: entrant.shown_name for entrant in entrants})


def with_new_details(
    computed: ComputedBoard, votes: RatedVotes, *, ties: str, now: datetime
) -> ComputedBoard:
    """Return the leaderboard with what is shown beside the ratings computed from its votes."""
    from arena.standings.details import compute_details

    started = time.monotonic()
    cells = compute_details(votes, ties=ties)
    details = {
        **{"watermark": computed.board.watermark, "votes": computed.board.votes},
        **{"computed_at": instant(now), "seconds": time.monotonic() - started, "cells": cells},
    }
    return replace(computed, details=details)


def with_details_of(computed: ComputedBoard, last: ComputedBoard) -> ComputedBoard:
    """Return the leaderboard with the details of an earlier one, which say what they are of."""
    names = {
        number: row.model
        for number, row in zip(computed.entrant_ids, computed.board.rows, strict=True)
    }
    details = last.details and with_names(last.details, names)
    board = replace(computed.board, details=details)
    return replace(computed, board=board, details=last.details)


def named(computed: ComputedBoard, names: dict[int, str]) -> ComputedBoard:
    """Return the leaderboard with pairs and details that name the models as they are shown."""
    order = {entrant_id: place for place, entrant_id in enumerate(computed.entrant_ids)}
    records = []
    for a, b, wins, losses, ties, both_bad in computed.pairs or ():
        if order[a] > order[b]:
            a, b, wins, losses = b, a, losses, wins
        votes = wins + losses + ties + both_bad
        records.append(PairRecord(names[a], names[b], votes, wins, losses, ties, both_bad))
    details = computed.details and with_names(computed.details, names)
    holds = public_holds(computed.holds, computed.hold_events, names)
    board = replace(computed.board, pairs=records, details=details, holds=holds)
    return replace(computed, board=board)


def pair_counts(votes: RatedVotes) -> list[list[int]]:
    """Count the answers to each pair of entrants that has votes.

    Returns:
        Lists of both entrants' numbers, the votes for the first, for the second, ties and "both
        bad".
    """
    import numpy as np

    from arena.standings.vote_arrays import MIRROR

    counts = votes.battles.counts
    mirrored = counts[MIRROR].transpose(0, 2, 1)
    both = (counts + mirrored).astype(np.int64)
    ids = np.array(votes.entrant_ids, dtype=np.int64)
    left, right = np.nonzero(np.triu(both.sum(axis=0), 1))
    rows: list[list[int]] = np.column_stack(
        [ids[left], ids[right], both[:, left, right].T]
    ).tolist()
    return rows


def sampling_of(battles: ratings.Battles, entrants: Mapping[str, Entrant]) -> dict[str, Any] | None:
    """Return the probability of each pair of entrants under the adaptive rule.

    Args:
        battles: the votes of people in a track.
        entrants: those of the track, by the names of `battles`; retired ones have no pair.

    Returns:
        None with fewer than two entrants that compete.
    """
    import numpy as np

    competing = np.array([entrants[name].retired_at is None for name in battles.models], dtype=bool)
    if competing.sum() < 2:
        return None
    available = competing[:, None] & competing[None, :]
    drawn = ratings.pair_probabilities(battles, explore=EXPLORE, available=available)
    ids = [entrants[name].id for name in battles.models]
    chance = drawn.probability.to_numpy()
    pairs = [
        [min(ids[i], ids[j]), max(ids[i], ids[j]), float(chance[i, j])]
        for i, j in zip(*np.triu_indices(len(ids), 1), strict=True)
        if chance[i, j] > 0
    ]
    return {"explore": drawn.explore, "pairs": sorted(pairs)}


def board_row(entrant: Entrant, values: dict[str, Any]) -> BoardRow:
    """Return an entrant's row of a leaderboard, as it is shown now."""
    return BoardRow(
        **values
        | {
            "model": entrant.shown_name,
            "creator": entrant.shown_creator,
            "licence": entrant.shown_licence,
            "release_date": date.isoformat() if (date := entrant.shown_release_date) else None,
            "commitment": entrant.commitment,
            "retired": entrant.retired_at is not None,
        }
    )


def instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def to_python(value: Any) -> Any:
    """Convert a cell to a Python value; missing and non-finite numbers become None."""
    import numpy as np
    import pandas as pd

    if isinstance(value, np.generic):
        value = value.item()
    return (
        None if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)) else value
    )
