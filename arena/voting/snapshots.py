"""Reads what voting needs of a track's last snapshot of people's votes, and keeps it in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from arena.driver import first_value
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
# Not by day, which a clock that was ahead falsifies. By the driver itself, as `statements` are:
# every vote asks for it.
_NEWEST = (
    "SELECT id FROM snapshot WHERE track_id = {0} AND category = {0} AND voters = {0} "
    "ORDER BY id DESC LIMIT 1"
)


def last_snapshot(session: Session, track_id: int) -> LastSnapshot:
    """Return the last snapshot of a track; an empty one if there is none."""
    connection = session.connection()
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    wanted = (track_id, OVERALL, VoterKind.PERSON.value)
    snapshot_id = first_value(connection, _NEWEST.format(place), wanted)
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
