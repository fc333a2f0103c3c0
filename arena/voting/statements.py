"""Statements that every vote needs, run by the database's driver with little else.

SQLAlchemy works several times as long on the execution of such a statement as the database does.
Here its types still convert most values, and its exceptions report errors; the SQL is written out,
and works on both databases.

All rows are read as one value of JSON, and written by few statements. Python's driver of SQLite
gives up the interpreter's lock for every row and every statement, and waits for it while the event
loop has it; that of PostgreSQL works longer on the values of a row than on their JSON.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Float

from arena.driver import first_value, run
from arena.models import UtcDateTime

Process = Callable[[Any], Any]
MOST_ROWS = 32  # in one statement; of 21 columns, fewer values than any SQLite accepts


class Query:
    """A query by one list of values.

    Args:
        sql: with `{listed}` wherever a column has to be one of the values.
        columns: that it returns, in this order; no binary ones.
    """

    def __init__(self, sql: str, columns: Sequence[Column[Any]]) -> None:
        self._sql, self._columns = sql, columns
        self._lists = sql.count("{listed}")
        self._processors: dict[Dialect, list[tuple[int, Process]]] = {}
        names = ", ".join(
            # SQLite writes 15 digits of a number in JSON.
            f"CASE WHEN {each.name} IS NOT NULL THEN printf('%!.17g', {each.name}) END"
            if isinstance(each.type, Float)
            else each.name
            for each in columns
        )
        self._sqlite = f"SELECT json_group_array(json_array({names})) FROM ({sql})"  # noqa: S608
        names = ", ".join(each.name for each in columns)
        self._postgres = (
            f"SELECT coalesce(json_agg(json_build_array({names})), '[]')::text"  # noqa: S608
            f" FROM ({sql.replace('{listed}', '= ANY(%s)')}) AS found"
        )

    def rows(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows for these values, converted as the columns' types do."""
        if not values:
            return []
        dialect = connection.dialect
        if dialect.name == "sqlite":
            # Lists of a few lengths only: SQLite keeps the statements that it has prepared.
            count = 1 << (len(values) - 1).bit_length()
            values = [*values, *[values[-1]] * (count - len(values))]
            sql, bound = _listed(self._sqlite, count), tuple(values) * self._lists
        else:
            sql, bound = self._postgres, (list(values),) * self._lists
        rows: list[Sequence[Any]] = json.loads(first_value(connection, sql, bound))
        processors = self._processors.get(dialect)
        if processors is None:
            processors = _result_processors(self._columns, dialect)
            self._processors[dialect] = processors
        return [_processed(row, processors) for row in rows] if processors else rows


class Change:
    """An INSERT or UPDATE of many rows.

    Args:
        sql: with `{rows}` where it reads the rows.
        columns: that each row has, in this order; of one table.
    """

    def __init__(self, sql: str, columns: Sequence[Column[Any]]) -> None:
        self._sql, self._columns = sql, columns
        self._names = [column.name for column in columns]
        self._processors: dict[Dialect, list[tuple[int, Process]]] = {}
        self._postgres = sql.replace(
            "{rows}",
            f"SELECT {_quoted(columns)} FROM "  # noqa: S608  (made of names)
            f"json_populate_recordset(NULL::{columns[0].table.name}, %s::json)",
        )

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each of these rows; the database chooses their order."""
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name != "sqlite":
            named = [dict(zip(self._names, row, strict=True)) for row in rows]
            run(connection, self._postgres, (json.dumps(named, default=_time_text),))
            return
        processors = self._processors.get(dialect)
        if processors is None:
            processors = self._processors[dialect] = _bind_processors(self._columns, dialect)
        bound = [_processed(row, processors) for row in rows]
        for some in _few_lengths(bound):
            sql = _with_rows(self._sql, len(self._columns), len(some))
            run(connection, sql, tuple(chain.from_iterable(some)))


def insertion(columns: Sequence[Column[Any]]) -> Change:
    """Return the INSERT of these columns of one table."""
    table = columns[0].table.name
    return Change(f"INSERT INTO {table} ({_quoted(columns)}) {{rows}}", columns)


def change(columns: Sequence[Column[Any]], key: Column[Any]) -> Change:
    """Return the UPDATE of these columns of one table, by a key; its value is the row's last."""
    table, all_columns = key.table.name, [*columns, key]
    given = f"WITH given ({_quoted(all_columns)}) AS ({{rows}})"
    values = ", ".join(f"{column.name} = given.{column.name}" for column in columns)
    return Change(
        f"{given} UPDATE {table} SET {values} FROM given"  # noqa: S608
        f" WHERE {table}.{key.name} = given.{key.name}",
        all_columns,
    )


def new_ids(connection: Connection, table: str, count: int) -> Sequence[int]:
    """Return ids for new rows of a table, in a transaction that writes.

    The rows can then be stored without asking for the ids that the database gave them.
    """
    if not count:
        return ()
    if connection.dialect.name == "sqlite":  # where this transaction is the only one that writes
        last = first_value(connection, f"SELECT max(id) FROM {table}") or 0  # noqa: S608
        return range(last + 1, last + 1 + count)
    rows = connection.exec_driver_sql(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        (table, count),
    )
    return [row[0] for row in rows]


@lru_cache(maxsize=256)
def _listed(sql: str, count: int) -> str:
    return sql.replace("{listed}", f"IN ({', '.join('?' * count)})")


@lru_cache(maxsize=256)
def _with_rows(sql: str, columns: int, count: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.replace("{rows}", f"VALUES {', '.join([row] * count)}")


def _quoted(columns: Sequence[Column[Any]]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _time_text(value: object) -> str:
    """Return a time or a day as JSON has it."""
    if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
        raise TypeError(f"{value!r} cannot be stored")
    return value.isoformat()


def _few_lengths(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """Divide rows into parts of a few lengths: SQLite keeps the statements that it has prepared."""
    start = 0
    while start < len(rows):
        left = min(len(rows) - start, MOST_ROWS)
        end = start + (1 << (left.bit_length() - 1))
        yield rows[start:end]
        start = end


def _processed(row: Sequence[Any], processors: list[tuple[int, Process]]) -> Sequence[Any]:
    converted = list(row)
    for position, process in processors:
        if converted[position] is not None:
            converted[position] = process(converted[position])
    return converted


def _bind_processors(columns: Sequence[Column[Any]], dialect: Dialect) -> list[tuple[int, Process]]:
    found = [
        _sqlite_text
        if isinstance(column.type, UtcDateTime)
        else column.type.dialect_impl(dialect).bind_processor(dialect)
        for column in columns
    ]
    return [(position, each) for position, each in enumerate(found) if each is not None]


def _result_processors(
    columns: Sequence[Column[Any]], dialect: Dialect
) -> list[tuple[int, Process]]:
    """Return what converts values from JSON, with their positions."""
    found: list[tuple[int, Process]] = []
    for position, column in enumerate(columns):
        if isinstance(column.type, Float):
            found.append((position, float))
        elif isinstance(column.type, UtcDateTime):
            found.append((position, _sqlite_time if dialect.name == "sqlite" else _time))
        elif process := column.type.dialect_impl(dialect).result_processor(dialect, None):
            found.append((position, process))
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _sqlite_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _sqlite_text(value: datetime) -> str:
    """Return a time as SQLAlchemy stores it in SQLite, in a tenth of its time."""
    if value.tzinfo is None:
        raise ValueError("a datetime without a time zone cannot be stored")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
