"""The leaderboards that a seal covers: those of days that are over, by one hash a day and track."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.canonical import canonical_json, sha256_hex
from arena.models import Snapshot, Standing, Track
from arena.standings.boards import RATING_COLUMNS

# A day's last leaderboard may be stored a moment after midnight.
SETTLED = timedelta(hours=1)


def standings_hash(rows: Iterable[Sequence[Any]]) -> str:
    """Return the SHA-256 over the rows of a day's leaderboards in a track.

    Args:
        rows: voters (`people` or `simulated`), category, watermark, number of the entrant and
            `RATING_COLUMNS`, in any order.
    """
    return sha256_hex("".join(sorted(f"{canonical_json(list(row))}\n" for row in rows)))


def row_of(
    voters: str, category: str, watermark: int, entrant: str, values: Mapping[str, Any]
) -> list[Any]:
    """Return what the hash covers of one row."""
    return [voters, category, watermark, entrant, *(values[name] for name in RATING_COLUMNS)]


def key_of(day: str, track: str) -> str:
    """Return the name of a day's leaderboards in a track."""
    return f"{day} {track}"


def new_standings(session: Session, *, known: set[str], now: datetime) -> list[tuple[str, Any]]:
    """Return key and value of the days that are over, but for those that are known."""
    today = (now.astimezone(UTC) - SETTLED).date()
    query = (
        select(Snapshot.published_on, Track.id, Track.name)
        .join(Track, Track.id == Snapshot.track_id)
        .where(Snapshot.published_on < today)
        .distinct()
        .order_by(Snapshot.published_on, Track.id)
    )
    new = []
    for day, track_id, track in session.execute(query):
        key = key_of(day.isoformat(), track)
        if key not in known:
            sha256 = hash_of_day(session, day, track_id)
            new.append((key, {"day": day.isoformat(), "sha256": sha256, "track": track}))
    return new


def hash_of_day(session: Session, day: Any, track_id: int) -> str:
    """Return the hash of a day's stored leaderboards in a track."""
    query = (
        select(Snapshot.voters, Snapshot.category, Snapshot.watermark, Standing)
        .join(Standing, Standing.snapshot_id == Snapshot.id)
        .where(Snapshot.published_on == day, Snapshot.track_id == track_id)
    )
    return standings_hash(
        row_of(voters.group.value, category, watermark, str(standing.entrant_id), vars(standing))
        for voters, category, watermark, standing in session.execute(query)
    )
