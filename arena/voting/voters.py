"""Writes and reads voters and visitors, by a few statements for many at once.

A browser that is shown battles is a visitor; its first vote makes it a voter, with the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table, delete
from sqlalchemy.orm import Session

from arena.database import Conflict
from arena.driver import first_value
from arena.models import Visitor, Voter, VoterKind
from arena.voting.statements import Change, Query, insertion, new_ids

VOTER = cast(Table, Voter.__table__)
VISITOR = cast(Table, Visitor.__table__)


@dataclass
class VoterRow:
    """A voter, or a visitor, who has not voted yet.

    Attributes:
        id: 0 until it is stored.
        key: in its cookie.
        kind: of voter.
        is_stored: whether it is a voter; False for a visitor.
    """

    id: int
    key: str
    kind: VoterKind
    is_stored: bool = False


_VOTERS = "SELECT id, key, kind FROM voter WHERE key {listed}"
_VISITORS = "SELECT id, key FROM visitor WHERE key {listed}"
_VOTER_COLUMNS = [VOTER.c.id, VOTER.c.key, VOTER.c.kind]
_VISITOR_COLUMNS = [VISITOR.c.id, VISITOR.c.key]
_READ_VOTERS = Query(_VOTERS, _VOTER_COLUMNS)
_READ_VISITORS = Query(_VISITORS, _VISITOR_COLUMNS)
# Locks the rows, on databases that do, in the order of the keys, so that requests of one voter are
# handled in sequence, and two processes never wait for each other.
_LOCK_VOTERS = Query(f"{_VOTERS} ORDER BY key FOR UPDATE", _VOTER_COLUMNS)
_LOCK_VISITORS = Query(f"{_VISITORS} ORDER BY key FOR UPDATE", _VISITOR_COLUMNS)
_INSERT_VOTER = insertion([*_VOTER_COLUMNS, VOTER.c.created_at])
_INSERT_VISITOR = insertion([*_VISITOR_COLUMNS, VISITOR.c.created_at])
_DELETE_VISITOR = Change("DELETE FROM visitor WHERE id IN ({rows})", [VISITOR.c.id])


def read_voters(session: Session, keys: Sequence[str], *, lock: bool = True) -> dict[str, VoterRow]:
    """Return the voters and visitors of these keys, by key; locked, on databases that lock rows."""
    connection = session.connection()
    if not lock or connection.dialect.name == "sqlite":
        found = {
            row[1]: VoterRow(row[0], row[1], row[2], is_stored=True)
            for row in _READ_VOTERS.rows(connection, keys)
        }
        others = [key for key in keys if key not in found]
        for number, key in _READ_VISITORS.rows(connection, others):
            found[key] = VoterRow(number, key, VoterKind.PERSON)
        return found
    # Visitors first: whoever waits here while another process makes one a voter finds it as such.
    found = {
        key: VoterRow(number, key, VoterKind.PERSON)
        for number, key in _LOCK_VISITORS.rows(connection, keys)
    }
    others = [key for key in keys if key not in found]
    for row in _LOCK_VOTERS.rows(connection, others):
        found[row[1]] = VoterRow(row[0], row[1], row[2], is_stored=True)
    return found


def _new_ids(session: Session, count: int) -> Sequence[int]:
    connection = session.connection()
    if not count or connection.dialect.name != "sqlite":
        return new_ids(connection, "voter", count)
    last = first_value(
        connection,
        "SELECT max(coalesce((SELECT max(id) FROM voter), 0), "
        "coalesce((SELECT max(id) FROM visitor), 0))",
    )
    return range(int(last or 0) + 1, int(last or 0) + 1 + count)


def _numbered(
    session: Session, voters: Sequence[VoterRow], times: Sequence[datetime]
) -> list[tuple[VoterRow, datetime]]:
    new = sorted(zip(voters, times, strict=True), key=lambda each: each[0].key)
    for (voter, _), number in zip(new, _new_ids(session, len(new)), strict=True):
        voter.id = number
    return new


def store_voters(session: Session, voters: Sequence[VoterRow], times: Sequence[datetime]) -> None:
    """Store new voters; they get their ids.

    Args:
        session: in a transaction that writes.
        voters: the new ones.
        times: when each of them came; aware.
    """
    new = _numbered(session, voters, times)
    _INSERT_VOTER.run(
        session.connection(), [(each.id, each.key, each.kind, at) for each, at in new]
    )
    for each, _ in new:
        each.is_stored = True


def store_visitors(session: Session, voters: Sequence[VoterRow], times: Sequence[datetime]) -> None:
    """Store new visitors, as `store_voters` does voters.

    Raises:
        Conflict: another process has made one of them a voter since it was looked for.
    """
    new = _numbered(session, voters, times)
    connection = session.connection()
    _INSERT_VISITOR.run(connection, [(each.id, each.key, at) for each, at in new])
    # The key of a visitor that another process stored is refused by the table, and so is that of
    # one whose vote is being stored, until that is committed. Then it is a voter.
    if new and connection.dialect.name != "sqlite":
        if _READ_VOTERS.rows(connection, [each.key for each, _ in new]):
            raise Conflict("The same browser votes in another request: try again.")


def make_voters(session: Session, visitors: Sequence[VoterRow], times: Sequence[datetime]) -> None:
    """Make visitors voters, who keep their ids and battles.

    Args:
        session: in a transaction that writes.
        visitors: stored ones.
        times: when each of them voted; aware.
    """
    if not visitors:
        return
    new = sorted(zip(visitors, times, strict=True), key=lambda each: each[0].key)
    connection = session.connection()
    _DELETE_VISITOR.run(connection, [(each.id,) for each, _ in new])
    _INSERT_VOTER.run(connection, [(each.id, each.key, each.kind, at) for each, at in new])
    for each, _ in new:
        each.is_stored = True


def remove_visitors(session: Session, numbers: Sequence[int]) -> None:
    """Delete visitors, whose battles are deleted already."""
    session.execute(delete(Visitor).where(Visitor.id.in_(numbers)))
