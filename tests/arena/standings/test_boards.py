"""The columns of a leaderboard are declared once, in `BoardRow`; everything else agrees with it."""

from sqlalchemy import Float, Integer, String

import ratings
from arena.models import Standing, VoterGroup, VoterKind
from arena.release.schema import LEADERBOARD, ColumnType
from arena.standings.boards import (
    BOARD_COLUMNS,
    COLUMN_DESCRIPTIONS,
    COLUMN_TYPES,
    RATING_COLUMNS,
)

SQL_TYPES = {int: Integer, float: Float, str: String}
RELEASE_TYPES = {
    int: ColumnType.INTEGER,
    float: ColumnType.NUMBER,
    str: ColumnType.TEXT,
}


def test_the_columns_are_those_of_ratings() -> None:
    assert tuple(BOARD_COLUMNS) == tuple(ratings.COLUMNS)


def test_a_snapshot_stores_every_column_in_its_type() -> None:
    stored = {column.name: column for column in Standing.__table__.columns}
    keys = {"snapshot_id", "entrant_id", "position"}
    assert stored.keys() - keys == set(RATING_COLUMNS)
    for name in RATING_COLUMNS:
        assert isinstance(stored[name].type, SQL_TYPES[COLUMN_TYPES[name]]), name


def test_a_release_has_every_column_with_its_type_and_description() -> None:
    released = {column.name: column for column in LEADERBOARD.columns}
    for name in RATING_COLUMNS:
        assert released[name].type is RELEASE_TYPES[COLUMN_TYPES[name]]
        assert released[name].description == COLUMN_DESCRIPTIONS[name]


def test_groups_and_kinds_of_voters_correspond() -> None:
    assert [group.kind.group for group in VoterGroup] == list(VoterGroup)
    assert [kind.group.kind for kind in VoterKind] == list(VoterKind)
