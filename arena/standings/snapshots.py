"""Writes and reads the snapshots of leaderboards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from arena.holds.ledger import newest_event
from arena.models import (
    Entrant,
    EntrantTrack,
    Snapshot,
    Standing,
    Track,
    Vote,
    VoterKind,
)
from arena.standings.boards import (
    RATING_COLUMNS,
    Board,
)
from arena.standings.computing import BY_VOTE, ComputedBoard, board_row, named
from arena.voting.limits import CLOCK_TOLERANCE

# How far a leaderboard may lag behind the votes; the share of the time spent on computing it.
MAX_LAG = timedelta(seconds=60)
COMPUTE_SHARE = 0.1


def newest_vote(session: Session) -> int:
    """Return the id of the newest vote; 0 if there is none."""
    return session.scalar(select(func.max(Vote.id))) or 0


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
        select(Snapshot.watermark, Snapshot.hold_events, Snapshot.computed_at).where(*of_the_day)
    ).first()
    if stored is not None and not replace_newer:
        is_plausible = stored.computed_at <= board.computed_at + CLOCK_TOLERANCE
        is_newer = (stored.watermark, stored.hold_events) > (board.watermark, computed.hold_events)
        if is_newer and is_plausible:
            return
    numbered = {}
    if session.get_bind().dialect.name == "sqlite":
        # SQLite gives the number of a deleted last row again, and processes that have read a
        # snapshot know it by its number.
        numbered["id"] = (session.scalar(select(func.max(Snapshot.id))) or 0) + 1
    session.execute(delete(Snapshot).where(*of_the_day))
    snapshot = numbered | {
        **{"track_id": computed.track_id, "category": board.category, "voters": board.voters},
        **{"published_on": published_on, "computed_at": board.computed_at},
        **{"watermark": board.watermark, "votes": board.votes, "parameters": board.parameters},
        **{"hold_events": computed.hold_events, "holds": computed.holds},
        "sampling": computed.sampling,
        "details": {"pairs": computed.pairs, "trust": computed.details},
    }
    (number,) = session.execute(insert(Snapshot).values(snapshot).returning(Snapshot.id)).one()
    standings = [
        {
            **{"snapshot_id": number, "entrant_id": entrant_id, "position": position},
            **{name: getattr(row, name) for name in RATING_COLUMNS},
        }
        for position, (entrant_id, row) in enumerate(
            zip(computed.entrant_ids, board.rows, strict=True)
        )
    ]
    if standings:
        session.execute(insert(Standing), standings)


def advance_watermark(session: Session, computed: ComputedBoard) -> None:
    """Store that newer votes and events of the ledger have not changed its snapshot of today."""
    board = computed.board
    session.execute(
        update(Snapshot)
        .where(
            Snapshot.track_id == computed.track_id,
            Snapshot.category == board.category,
            Snapshot.voters == board.voters,
            Snapshot.published_on == board.computed_at.astimezone(UTC).date(),
            Snapshot.watermark <= board.watermark,
            Snapshot.hold_events <= computed.hold_events,
        )
        .values(watermark=board.watermark, hold_events=computed.hold_events)
    )


def latest_id(session: Session, *, track: Track, category: str, voters: VoterKind) -> int | None:
    """Return the number of the snapshot that was stored last.

    Not that of the latest day: a clock that was ahead leaves snapshots of days to come.
    """
    return session.scalar(
        select(Snapshot.id)
        .where(
            Snapshot.track_id == track.id,
            Snapshot.category == category,
            Snapshot.voters == voters,
        )
        .order_by(Snapshot.id.desc())
        .limit(1)
    )


def read_snapshot(session: Session, number: int, *, track: Track) -> ComputedBoard | None:
    """Return a stored leaderboard; None if another has replaced it meanwhile."""
    snapshot = session.get(Snapshot, number)
    if snapshot is None:
        return None
    query = (
        select(Standing, Entrant)
        .join(Entrant, Entrant.id == Standing.entrant_id)
        .where(Standing.snapshot_id == number)
        .order_by(Standing.position)
    )
    listed = [(standing, entrant) for standing, entrant in session.execute(query)]
    board = Board(
        track=track.name,
        category=snapshot.category,
        voters=snapshot.voters,
        computed_at=snapshot.computed_at,
        watermark=snapshot.watermark,
        votes=snapshot.votes,
        parameters=snapshot.parameters,
        rows=[
            board_row(entrant, {name: getattr(standing, name) for name in RATING_COLUMNS})
            for standing, entrant in listed
        ],
    )
    details = snapshot.details or {}
    computed = ComputedBoard(
        board,
        track.id,
        tuple(entrant.id for _, entrant in listed),
        sampling=snapshot.sampling,
        pairs=details.get("pairs"),
        details=details.get("trust"),
        hold_events=snapshot.hold_events,
        holds=snapshot.holds,
    )
    return named(computed, {entrant.id: entrant.shown_name for _, entrant in listed})


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
    if computed.pairs is None:  # of an earlier version
        return False
    if computed.hold_events != newest_event(session):  # somebody decided, and wants to see it
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


def lags(session: Session, computed: ComputedBoard, *, now: datetime) -> bool:
    """Whether a vote has been waiting for a newer leaderboard for longer than a minute."""
    query = select(Vote.cast_at).where(Vote.id > computed.board.watermark).order_by(Vote.id)
    oldest = session.scalar(query.limit(1))
    return oldest is not None and now - oldest > MAX_LAG


def as_stale(computed: ComputedBoard) -> Board:
    """Return the leaderboard, marked as one that could not be updated."""
    return replace(computed.board, stale=True)
