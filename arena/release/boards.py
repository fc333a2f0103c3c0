"""The leaderboards of a release: computes today's first, then reads those of all days."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.models import Snapshot, Standing, Track, Vote, VoterKind
from arena.release.collect import instant
from arena.standings.boards import RATING_COLUMNS
from arena.standings.standings import known_categories, rated_votes, take_snapshot


def update_leaderboards(session: Session, tracks: Sequence[Track], *, now: datetime) -> int:
    """Compute today's snapshot of every leaderboard that has votes or an earlier snapshot.

    The session must hold the write lock, so that all of them see the same votes.

    Returns:
        The watermark: the id of the newest vote.
    """
    for track in tracks:
        for voters in VoterKind:
            for category in known_categories(session, track):
                if _has_any(session, track, voters=voters, category=category):
                    take_snapshot(session, track=track, category=category, voters=voters, now=now)
    return session.scalar(select(func.max(Vote.id))) or 0


def _has_any(session: Session, track: Track, *, voters: VoterKind, category: str) -> bool:
    votes = rated_votes(track, voters=voters, category=category).limit(1)
    snapshots = (
        select(Snapshot.id)
        .where(
            Snapshot.track_id == track.id,
            Snapshot.voters == voters,
            Snapshot.category == category,
        )
        .limit(1)
    )
    return any(session.execute(query).first() is not None for query in (votes, snapshots))


def leaderboard_rows(session: Session, tracks: Sequence[Track]) -> list[dict[str, Any]]:
    """Return one row per snapshot and entrant, with the entrant's id in `model_name`."""
    query = (
        select(Snapshot, Standing, Track.name)
        .join(Standing, Standing.snapshot_id == Snapshot.id)
        .join(Track, Track.id == Snapshot.track_id)
        .where(Snapshot.track_id.in_([track.id for track in tracks]))
        .order_by(
            Snapshot.published_on,
            Track.id,
            Snapshot.voters,
            Snapshot.category,
            Standing.position,
        )
    )
    return [
        {
            "model_name": standing.entrant_id,
            **{name: getattr(standing, name) for name in RATING_COLUMNS},
            "category": snapshot.category,
            "leaderboard_publish_date": snapshot.published_on.isoformat(),
            "track": track,
            "voters": snapshot.voters.group.value,
            "watermark": snapshot.watermark,
            "computed_at": instant(snapshot.computed_at),
        }
        for snapshot, standing, track in session.execute(query)
    ]
