"""Writes and reads the voter table, by a few statements for many voters at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from arena.models import Voter, VoterKind
from arena.voting.statements import Query, insertion, new_ids

VOTER = cast(Table, Voter.__table__)


@dataclass
class VoterRow:
    """A row of the voter table; `id` is 0 until it is stored."""

    id: int
    key: str
    kind: VoterKind


_VOTERS = "SELECT id, key, kind FROM voter WHERE key {listed}"
_VOTER_COLUMNS = [VOTER.c.id, VOTER.c.key, VOTER.c.kind]
_READ_VOTERS = Query(_VOTERS, _VOTER_COLUMNS)
# Locks the rows, on databases that do, in the order of the keys, so that requests of one voter are
# handled in sequence, and two processes never wait for each other.
_LOCK_VOTERS = Query(f"{_VOTERS} ORDER BY key FOR UPDATE", _VOTER_COLUMNS)
_INSERT_VOTER = insertion([*_VOTER_COLUMNS, VOTER.c.created_at])


def read_voters(session: Session, keys: Sequence[str]) -> dict[str, VoterRow]:
    """Return the voters of these keys, by key."""
    connection = session.connection()
    query = _READ_VOTERS if connection.dialect.name == "sqlite" else _LOCK_VOTERS
    return {row[1]: VoterRow(*row) for row in query.rows(connection, keys)}


def store_voters(session: Session, voters: Sequence[VoterRow], times: Sequence[datetime]) -> None:
    """Store new voters; they get their ids.

    Args:
        session: in a transaction that writes.
        voters: the new ones.
        times: when each of them came; aware.
    """
    new = sorted(zip(voters, times, strict=True), key=lambda each: each[0].key)
    connection = session.connection()
    for (voter, _), number in zip(new, new_ids(connection, "voter", len(new)), strict=True):
        voter.id = number
    _INSERT_VOTER.run(connection, [(each.id, each.key, each.kind, at) for each, at in new])
