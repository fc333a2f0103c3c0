"""Computes leaderboards from the stored votes, and writes and reads their snapshots."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import ratings
from arena.models import (
    OVERALL,
    Entrant,
    EntrantTrack,
    Snapshot,
    Standing,
    Track,
    Vote,
    VoterKind,
)
from arena.standings.boards import BOARD_COLUMNS, RATING_COLUMNS, Board, BoardRow
from arena.standings.rated_votes import find_rated_votes
from arena.voting.limits import CLOCK_TOLERANCE
from ratings.schema import format_number

CONFIDENCE = 0.95
BOTH_BAD = "tie"  # counted as half a win for each; a column shows how often
BY_VOTER, BY_VOTE = "sandwich, by voter", "sandwich, by vote"
# How far a leaderboard may lag behind the votes; the share of the time spent on computing it.
MAX_LAG = timedelta(seconds=60)
COMPUTE_SHARE = 0.1


@dataclass(frozen=True)
class ComputedBoard:
    """A leaderboard with the database's numbers of its track and of the entrant of each row.

    Attributes:
        board: the leaderboard.
        track_id: number of its track.
        entrant_ids: number of the entrant of each row.
        sampling: what the adaptive sampler draws from, as `Snapshot.sampling` holds it.
    """

    board: Board
    track_id: int
    entrant_ids: tuple[int, ...]
    sampling: dict[str, Any] | None = None


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


def rate_battles(battles: ratings.Battles, *, ties: str, intervals: str = BY_VOTER) -> pd.DataFrame:
    """Rate encoded votes; see `rate`."""
    board = ratings.leaderboard(
        battles,
        ties=ties,
        both_bad=BOTH_BAD,
        confidence=CONFIDENCE,
        cluster="auto" if intervals == BY_VOTER else None,
    )
    for name in board.select_dtypes("float"):
        board[name] = [float(format_number(value)) for value in board[name]]
    return board


def interval_method(board: pd.DataFrame) -> str:
    """Return how the intervals of a rated leaderboard were computed."""
    return BY_VOTER if board.attrs["cluster"] else BY_VOTE


def newest_vote(session: Session) -> int:
    """Return the id of the newest vote; 0 if there is none."""
    return session.scalar(select(func.max(Vote.id))) or 0


def compute_board(
    session: Session, *, track: Track, category: str, voters: VoterKind, now: datetime
) -> ComputedBoard:
    """Compute a leaderboard from the stored votes; the session only reads."""
    started = time.monotonic()
    watermark = newest_vote(session)
    rated = find_rated_votes(session, track=track, category=category, voters=voters)
    battles = ratings.Battles.from_frame(rated.frame, models=list(rated.entrants))
    table = rate_battles(battles, ties=track.ties)
    records = table[BOARD_COLUMNS].to_dict("records")
    entrants = [rated.entrants[record["model"]] for record in records]
    rows = [
        _row(entrant, {str(name): _to_python(value) for name, value in record.items()})
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
        votes=len(rated.frame),
        parameters=parameters,
        rows=rows,
    )
    is_sampled = category == OVERALL and voters is VoterKind.PERSON
    return ComputedBoard(
        board,
        track.id,
        tuple(entrant.id for entrant in entrants),
        sampling=sampling_of(battles, rated.entrants) if is_sampled else None,
    )


def sampling_of(battles: ratings.Battles, entrants: Mapping[str, Entrant]) -> dict[str, Any] | None:
    """Return the probability of each pair of entrants under the adaptive rule.

    Args:
        battles: the votes of people in a track.
        entrants: those of the track, by the names of `battles`; retired ones have no pair.

    Returns:
        None with fewer than two entrants that compete.
    """
    competing = np.array([entrants[name].retired_at is None for name in battles.models], dtype=bool)
    if competing.sum() < 2:
        return None
    available = competing[:, None] & competing[None, :]
    drawn = ratings.pair_probabilities(battles, available=available)
    ids = [entrants[name].id for name in battles.models]
    chance = drawn.probability.to_numpy()
    pairs = [
        [min(ids[i], ids[j]), max(ids[i], ids[j]), float(chance[i, j])]
        for i, j in zip(*np.triu_indices(len(ids), 1), strict=True)
        if chance[i, j] > 0
    ]
    return {"explore": drawn.explore, "pairs": sorted(pairs)}


def store_snapshot(session: Session, computed: ComputedBoard, *, replace_newer: bool) -> None:
    """Store a leaderboard as the snapshot of its day.

    Args:
        session: one short transaction that writes.
        computed: the leaderboard.
        replace_newer: whether it replaces a snapshot of more votes, which another process may
            have stored meanwhile.
    """
    board = computed.board
    published_on = board.computed_at.astimezone(UTC).date()
    of_the_day = (
        Snapshot.track_id == computed.track_id,
        Snapshot.category == board.category,
        Snapshot.voters == board.voters,
        Snapshot.published_on == published_on,
    )
    stored = session.execute(
        select(Snapshot.watermark, Snapshot.computed_at).where(*of_the_day)
    ).first()
    if stored is not None and not replace_newer:
        is_plausible = stored.computed_at <= board.computed_at + CLOCK_TOLERANCE
        if stored.watermark > board.watermark and is_plausible:
            return
    session.execute(delete(Snapshot).where(*of_the_day))
    snapshot = Snapshot(
        track_id=computed.track_id,
        category=board.category,
        voters=board.voters,
        published_on=published_on,
        computed_at=board.computed_at,
        watermark=board.watermark,
        votes=board.votes,
        parameters=board.parameters,
        sampling=computed.sampling,
    )
    snapshot.standings = [
        Standing(
            entrant_id=entrant_id,
            position=position,
            **{name: getattr(row, name) for name in RATING_COLUMNS},
        )
        for position, (entrant_id, row) in enumerate(
            zip(computed.entrant_ids, board.rows, strict=True)
        )
    ]
    session.add(snapshot)
    session.flush()


def latest_snapshot(
    session: Session, *, track: Track, category: str, voters: VoterKind
) -> ComputedBoard | None:
    """Return the snapshot that was stored last.

    Not that of the latest day: a clock that was ahead leaves snapshots of days to come.
    """
    snapshot = session.scalar(
        select(Snapshot)
        .where(
            Snapshot.track_id == track.id,
            Snapshot.category == category,
            Snapshot.voters == voters,
        )
        .order_by(Snapshot.id.desc())
        .limit(1)
    )
    if snapshot is None:
        return None
    board = Board(
        track=track.name,
        category=snapshot.category,
        voters=snapshot.voters,
        computed_at=snapshot.computed_at,
        watermark=snapshot.watermark,
        votes=snapshot.votes,
        parameters=snapshot.parameters,
        rows=[
            _row(standing.entrant, {name: getattr(standing, name) for name in RATING_COLUMNS})
            for standing in snapshot.standings
        ],
    )
    ids = tuple(standing.entrant_id for standing in snapshot.standings)
    return ComputedBoard(board, track.id, ids)


def is_fresh(session: Session, computed: ComputedBoard, *, now: datetime) -> bool:
    """Whether a leaderboard may still be shown: nothing has changed, or it is recent.

    How recent grows with the time it takes to compute, so that readers never keep a core busy. A
    leaderboard from the future is never fresh: a clock was ahead when it was computed, and its age
    says nothing.
    """
    board = computed.board
    age = now - board.computed_at
    if age < -CLOCK_TOLERANCE:
        return False
    # Intervals of earlier versions were not clustered by voter.
    if board.parameters.get("intervals") == BY_VOTE and "intervals_note" not in board.parameters:
        return False
    seconds = float(board.parameters.get("seconds", 0.0))
    if timedelta(0) <= age < min(MAX_LAG, timedelta(seconds=seconds / COMPUTE_SHARE)):
        return True
    competing = session.scalars(
        select(EntrantTrack.entrant_id).where(EntrantTrack.track_id == computed.track_id)
    )
    return board.watermark == newest_vote(session) and set(computed.entrant_ids) >= set(competing)


def as_stale(computed: ComputedBoard) -> Board:
    """Return the leaderboard, marked as one that could not be updated."""
    return replace(computed.board, stale=True)


def _row(entrant: Entrant, values: dict[str, Any]) -> BoardRow:
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


def _to_python(value: Any) -> Any:
    """Convert a cell to a Python value; missing and non-finite numbers become None."""
    if isinstance(value, np.generic):
        value = value.item()
    return (
        None if value is pd.NA or (isinstance(value, float) and not np.isfinite(value)) else value
    )
