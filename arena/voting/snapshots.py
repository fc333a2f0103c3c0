"""Reads what voting needs of a track's last snapshot of people's votes, and keeps it in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.orm import Session

from arena.models import OVERALL, Snapshot, Standing, VoterKind
from arena.voting.matchmaking import PairChances


@dataclass(frozen=True)
class LastSnapshot:
    """The last snapshot of a track.

    Attributes:
        ratings: by the entrant's id, in Elo points; None for what cannot be rated.
        chances: of the pairs of entrants, for the rule `adaptive`; None without a snapshot.
    """

    ratings: Mapping[int, float | None] = field(default_factory=dict)
    chances: PairChances | None = None


_NONE = LastSnapshot()
_read: WeakKeyDictionary[Engine, dict[int, tuple[int, LastSnapshot]]] = WeakKeyDictionary()
_NEWEST = (
    select(Snapshot.id)
    .where(
        Snapshot.track_id == bindparam("track"),
        Snapshot.category == OVERALL,
        Snapshot.voters == VoterKind.PERSON,
    )
    .order_by(Snapshot.id.desc())  # not by day, which a clock that was ahead falsifies
    .limit(1)
)


def last_snapshot(session: Session, track_id: int) -> LastSnapshot:
    """Return the last snapshot of a track; an empty one if there is none."""
    snapshot_id = session.connection().scalar(_NEWEST, {"track": track_id})
    if snapshot_id is None:
        return _NONE
    known = _read.setdefault(session.get_bind().engine, {})
    if track_id not in known or known[track_id][0] != snapshot_id:
        known[track_id] = (snapshot_id, _read_snapshot(session, snapshot_id))
    return known[track_id][1]


def _read_snapshot(session: Session, snapshot_id: int) -> LastSnapshot:
    connection = session.connection()
    rows = connection.execute(
        select(Standing.entrant_id, Standing.rating).where(Standing.snapshot_id == snapshot_id)
    )
    ratings = {row[0]: row[1] for row in rows}
    sampling = connection.scalar(select(Snapshot.sampling).where(Snapshot.id == snapshot_id))
    pairs = (sampling or {}).get("pairs", [])
    chances = PairChances({(low, high): chance for low, high, chance in pairs}) if pairs else None
    return LastSnapshot(ratings, chances)
