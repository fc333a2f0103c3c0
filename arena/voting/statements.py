"""Statements that every vote needs, run by the database's driver with little else.

SQLAlchemy works several times as long on the execution of such a statement as the database does.
Here its types still convert the values, its connection runs the statement, and its exceptions
report errors; the SQL is written out, and works on both databases.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Column, Connection, Dialect

Process = Callable[[Any], Any]


class Query:
    """A query by one list of values.

    Args:
        sql: with `{listed}` wherever a column has to be one of the values.
        columns: that it returns, in this order.
    """

    def __init__(self, sql: str, columns: Sequence[Column[Any]]) -> None:
        self._sql, self._columns = sql, columns
        self._lists = sql.count("{listed}")
        self._processors: dict[Dialect, list[tuple[int, Process]]] = {}

    def rows(self, connection: Connection, values: Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows for these values, converted as the columns' types do."""
        if not values:
            return []
        dialect = connection.dialect
        if dialect.name == "sqlite":
            # Lists of a few lengths only: SQLite keeps the statements that it has prepared.
            count = 1 << (len(values) - 1).bit_length()
            values = [*values, *[values[-1]] * (count - len(values))]
            sql, bound = _listed(self._sql, count), tuple(values) * self._lists
        else:
            sql, bound = self._sql.replace("{listed}", "= ANY(%s)"), (list(values),) * self._lists
        cursor = connection.exec_driver_sql(sql, bound).cursor
        rows = cast(list[Sequence[Any]], cursor.fetchall())
        processors = self._processors.get(dialect)
        if processors is None:
            kinds = [each[1] for each in cursor.description]
            processors = _result_processors(self._columns, dialect, kinds)
            self._processors[dialect] = processors
        cursor.close()
        return [_processed(row, processors) for row in rows] if processors else rows


class Change:
    """An INSERT or UPDATE of many rows.

    Args:
        sql: with `?` for each value.
        columns: whose types the values have, in the order of the `?`.
    """

    def __init__(self, sql: str, columns: Sequence[Column[Any]]) -> None:
        self._sql, self._columns = sql, columns
        self._processors: dict[Dialect, list[tuple[int, Process]]] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for each of these rows."""
        if not rows:
            return
        dialect = connection.dialect
        processors = self._processors.get(dialect)
        if processors is None:
            processors = self._processors[dialect] = _bind_processors(self._columns, dialect)
        sql = self._sql if dialect.name == "sqlite" else self._sql.replace("?", "%s")
        bound = [tuple(_processed(row, processors)) for row in rows]
        connection.exec_driver_sql(sql, bound)


def insertion(columns: Sequence[Column[Any]]) -> Change:
    """Return the INSERT of these columns of one table."""
    names = ", ".join(f'"{column.name}"' for column in columns)
    places = ", ".join("?" * len(columns))
    return Change(
        f"INSERT INTO {columns[0].table.name} ({names}) VALUES ({places})",  # noqa: S608
        columns,
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
