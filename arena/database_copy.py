"""Copies the database of an arena to another one, of the same kind or not: all of it or nothing.

The source is read in one transaction, so on one consistent state; the target is written in one, so
that a copy which is interrupted or fails leaves no row. Ids are kept. Rows move in batches.
"""

import enum
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError, IntegrityError

from arena.database import VERSION_TABLE, Database, check, current_revision, upgrade
from arena.engines import json_text, shown_url
from arena.errors import DatabaseError
from arena.models import Base, Visitor, Voter

BATCH = 2_000  # rows
# A target on PostgreSQL has no limit on the whole: its own limits take a number of milliseconds.
LONGEST_S = 7 * 86_400.0
LOCK_S = 10  # how long to wait for programs that use the target
# Rows of these tables are about running processes, or are there in every migrated database.
NOT_COPIED = frozenset({"lease"})
SEEDED = frozenset({"catalog_version"})
JSON_PREFIX = "json of "  # of the names of columns while they move as text

Row = dict[str, Any]


@dataclass(frozen=True)
class CopiedTable:
    """A table of both databases: its number of rows and a SHA-256 of what they contain."""

    name: str
    rows: int
    sha256: str


def tables() -> list[Table]:
    """Return the tables that are copied; each follows those that it refers to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in NOT_COPIED]


def count_rows(database: Database) -> int:
    """Return the number of rows that a copy has."""
    with database.reading() as session:
        return sum(session.scalar(select(func.count()).select_from(each)) or 0 for each in tables())


def copy_database(
    source: Database, target: Database, *, on_rows: Callable[[int], object]
) -> list[CopiedTable]:
    """Copy all rows, compare counts and checksums, and commit.

    Args:
        source: at the newest revision; only read.
        target: without tables, or at the newest revision without rows.
        on_rows: called with the number of rows after each batch.

    Returns:
        The tables, in the order in which they were copied.

    Raises:
        DatabaseError: the target has rows or other tables, is the source, or cannot store a row.
    """
    check(source)
    if shown_url(source.engine) == shown_url(target.engine):
        raise DatabaseError("The target is the database that would be copied: choose another.")
    _prepare(target)
    until = time.monotonic() + (LOCK_S if target.is_sqlite else LONGEST_S)
    with source.reading() as reader, target.writing(until=until) as writer:
        connection = writer.connection()
        if not target.is_sqlite:
            names = ", ".join(table.name for table in Base.metadata.sorted_tables)
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
            connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        _refuse_rows(connection, target)
        copied = [
            _copy_table(reader.connection(), connection, table, on_rows=on_rows)
            for table in tables()
        ]
        _set_sequences(connection)
        for each, table in zip(copied, tables(), strict=True):
            if (found := _read_back(connection, table)) != each:
                raise DatabaseError(
                    f"The copy of the table {table.name} differs ({each.rows:,} rows, the copy has "
                    f"{found.rows:,}): nothing was copied; check the disks of both databases."
                )
    if not target.is_sqlite:
        with target.engine.connect() as connection:  # so that its first queries are fast
            connection.execute(text("ANALYZE"))
            connection.commit()
    return copied


def _prepare(target: Database) -> None:
    if current_revision(target) is None:
        with target.engine.connect() as connection:
            others = set(inspect(connection).get_table_names()) - {VERSION_TABLE}
        if others:
            raise DatabaseError(
                f"The target has tables of another program ({', '.join(sorted(others)[:3])}): "
                "choose an empty database."
            )
        upgrade(target)
    check(target)


def _refuse_rows(connection: Connection, target: Database) -> None:
    for table in Base.metadata.sorted_tables:
        if table.name in SEEDED:
            connection.execute(delete(table))
        elif connection.execute(select(*table.primary_key).limit(1)).first() is not None:
            raise DatabaseError(
                f"The target {shown_url(target.engine)} has rows already (in the table "
                f"{table.name}): choose an empty database."
            )


def _copy_table(
    source: Connection, target: Connection, table: Table, *, on_rows: Callable[[int], object]
) -> CopiedTable:
    digest, rows = hashlib.sha256(), 0
    insert = table.insert().values(
        {
            column.name: _from_text(column.name, target)
            for column in table.columns
            if isinstance(column.type, JSON)
        }
    )
    for batch in _batches(source, table):
        for row in batch:
            digest.update(_canonical(row))
            if target.dialect.name == "postgresql":
                _refuse_nul(table, row)
        try:
            target.execute(insert, batch)
        except (DataError, IntegrityError) as error:
            reason = str(error.orig).splitlines()[0]
            raise DatabaseError(
                f"The target cannot store rows of the table {table.name} ({reason}): nothing was "
                "copied; correct them in the source, and copy again."
            ) from error
        rows += len(batch)
        on_rows(len(batch))
    return CopiedTable(table.name, rows, digest.hexdigest())


def _read_back(connection: Connection, table: Table) -> CopiedTable:
    digest, rows = hashlib.sha256(), 0
    for batch in _batches(connection, table):
        for row in batch:
            digest.update(_canonical(row))
        rows += len(batch)
    return CopiedTable(table.name, rows, digest.hexdigest())


def _batches(connection: Connection, table: Table) -> Iterator[list[Row]]:
    """Yield the rows in the order of their keys, JSON as text with the key `JSON_PREFIX` + name."""
    columns: list[ColumnElement[Any]] = []
    for column in table.columns:
        if isinstance(column.type, JSON):
            columns.append(_to_text(column, connection).label(JSON_PREFIX + column.name))
        else:
            columns.append(column)
    query = select(*columns).order_by(*table.primary_key)
    with connection.execute(query, execution_options={"yield_per": BATCH}) as result:
        for part in result.mappings().partitions():
            yield [_storable(dict(row)) for row in part]


def _to_text(column: ColumnElement[Any], connection: Connection) -> ColumnElement[str]:
    # As text, so that the JSON value null and no value at all stay what they are.
    if connection.dialect.name == "postgresql":
        return cast(column, Text)
    return type_coerce(column, Text)


def _from_text(name: str, connection: Connection) -> ColumnElement[Any]:
    value = bindparam(JSON_PREFIX + name, type_=Text())
    return cast(value, JSONB) if connection.dialect.name == "postgresql" else value


def _storable(row: Row) -> Row:
    """Return a row with its JSON as the arena itself stores it on either database."""
    for name, value in row.items():
        if name.startswith(JSON_PREFIX) and value is not None:
            row[name] = json_text(json.loads(value))
    return row


def _canonical(row: Row) -> bytes:
    """Return what a row contains, in the same form for both databases."""
    values = [
        _same_number(json.loads(value))
        if name.startswith(JSON_PREFIX) and value is not None
        else _plain(value)
        for name, value in row.items()
    ]
    return (json.dumps(values, sort_keys=True) + "\n").encode()


def _plain(value: object) -> object:
    match value:
        case enum.Enum():
            return value.value
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
    return value


def _same_number(value: object) -> object:
    """Return JSON with its numbers in one form: PostgreSQL stores 1e16 as 10000000000000000."""
    match value:
        case dict():
            return {key: _same_number(each) for key, each in value.items()}
        case list():
            return [_same_number(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _refuse_nul(table: Table, row: Row) -> None:
    for name, value in row.items():
        if isinstance(value, str) and "\x00" in value:
            key = ", ".join(str(row[column.name]) for column in table.primary_key)
            raise DatabaseError(
                f"The row {key!r} of the table {table.name} has the character U+0000 in its column "
                f"{name}, which PostgreSQL cannot store: correct it in the source, and copy again."
            )


def _set_sequences(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those copied; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables():
        column = table.autoincrement_column
        if column is None or not isinstance(column.type, Integer):
            continue
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        largest: Any = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
        if table is Voter.__table__:  # visitors have numbers of the same sequence
            visitors = select(func.coalesce(func.max(Visitor.id), 0) + 1).scalar_subquery()
            largest = func.greatest(largest, visitors)
        connection.execute(select(func.setval(sequence, largest, False)))
