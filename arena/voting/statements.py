"""Statements that every vote needs, run by the database's driver with little else.

SQLAlchemy works several times as long on the execution of such a statement as the database does.
Here its types still convert the values, its connection runs the statement, and its exceptions
report errors; the SQL is written out, and works on both databases.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import Column, Connection, Dialect, Float

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
            # JSON has 15 digits of a number.
            f"CASE WHEN {each.name} IS NOT NULL THEN printf('%!.17g', {each.name}) END"
            if isinstance(each.type, Float)
            else each.name
            for each in columns
        )
        # Python's driver waits for the interpreter's lock after every row, while the event loop
        # has it; so all rows are returned as one.
        self._one_row = f"SELECT json_group_array(json_array({names})) FROM ({sql})"  # noqa: S608

    def rows(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows for these values, converted as the columns' types do."""
        if not values:
            return []
        dialect = connection.dialect
        if dialect.name == "sqlite":
            # Lists of a few lengths only: SQLite keeps the statements that it has prepared.
            count = 1 << (len(values) - 1).bit_length()
            values = [*values, *[values[-1]] * (count - len(values))]
            sql, bound = _listed(self._one_row, count), tuple(values) * self._lists
        else:
            sql, bound = self._sql.replace("{listed}", "= ANY(%s)"), (list(values),) * self._lists
        cursor = connection.exec_driver_sql(sql, bound).cursor
        rows = cast(list[Sequence[Any]], cursor.fetchall())
        processors = self._processors.get(dialect)
        if processors is None:
            processors = self._processors[dialect] = self._find_processors(dialect, cursor)
        cursor.close()
        if dialect.name == "sqlite":
            rows = json.loads(rows[0][0])
        return [_processed(row, processors) for row in rows] if processors else rows

    def _find_processors(self, dialect: Dialect, cursor: Any) -> list[tuple[int, Process]]:
        if dialect.name != "sqlite":
            kinds = [each[1] for each in cursor.description]
            return _result_processors(self._columns, dialect, kinds)
        found = _result_processors(self._columns, dialect, [None] * len(self._columns))
        numbers = [n for n, each in enumerate(self._columns) if isinstance(each.type, Float)]
        return [*found, *((position, float) for position in numbers)]


class Change:
    """An INSERT or UPDATE of many rows.

    Args:
        sql: for one row, with `?` for each value.
        many: for several rows, with `{rows}` where SQL has VALUES; for SQLite, whose driver waits
            for the interpreter's lock after every statement.
        columns: whose types the values have, in the order of the `?`.
    """

    def __init__(self, sql: str, many: str, columns: Sequence[Column[Any]]) -> None:
        self._sql, self._many, self._columns = sql, many, columns
        self._processors: dict[Dialect, list[tuple[int, Process]]] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each of these rows; in any order, if they are several."""
        if not rows:
            return
        dialect = connection.dialect
        processors = self._processors.get(dialect)
        if processors is None:
            processors = self._processors[dialect] = _bind_processors(self._columns, dialect)
        bound = [tuple(_processed(row, processors)) for row in rows]
        if dialect.name != "sqlite":
            connection.exec_driver_sql(self._sql.replace("?", "%s"), bound)
            return
        for some in _few_lengths(bound):
            values = tuple(chain.from_iterable(some))
            connection.exec_driver_sql(self._of(len(some)), values)

    def _of(self, count: int) -> str:
        return _with_rows(self._many, len(self._columns), count)


def insertion(columns: Sequence[Column[Any]]) -> Change:
    """Return the INSERT of these columns of one table."""
    names = ", ".join(f'"{column.name}"' for column in columns)
    places = ", ".join("?" * len(columns))
    into = f"INSERT INTO {columns[0].table.name} ({names})"
    return Change(f"{into} VALUES ({places})", f"{into} VALUES {{rows}}", columns)


def change(columns: Sequence[Column[Any]], key: Column[Any]) -> Change:
    """Return the UPDATE of these columns of one table, by a key; its value is the row's last."""
    table, names = key.table.name, [column.name for column in columns]
    one = ", ".join(f"{name} = ?" for name in names)
    # SQLite names the columns of VALUES so.
    many = ", ".join(f"{name} = given.column{n}" for n, name in enumerate(names, start=1))
    return Change(
        f"UPDATE {table} SET {one} WHERE {key.name} = ?",  # noqa: S608  (made of names)
        f"UPDATE {table} SET {many} FROM (VALUES {{rows}}) AS given"  # noqa: S608
        f" WHERE {table}.{key.name} = given.column{len(names) + 1}",
        [*columns, key],
    )


def new_ids(connection: Connection, table: str, count: int) -> Sequence[int]:
    """Return ids for new rows of a table, in a transaction that writes.

    The rows can then be stored without asking for the ids that the database gave them.
    """
    if not count:
        return ()
    if connection.dialect.name == "sqlite":  # where this transaction is the only one that writes
        last = connection.exec_driver_sql(f"SELECT max(id) FROM {table}").scalar() or 0  # noqa: S608
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
    return sql.replace("{rows}", ", ".join([row] * count))


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
    found = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    return [(position, each) for position, each in enumerate(found) if each is not None]


def _result_processors(
    columns: Sequence[Column[Any]], dialect: Dialect, kinds: Sequence[Any]
) -> list[tuple[int, Process]]:
    found = [
        column.type.dialect_impl(dialect).result_processor(dialect, kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    return [(position, each) for position, each in enumerate(found) if each is not None]
