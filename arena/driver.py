"""Runs a statement by the database's driver, with as little of SQLAlchemy as the driver allows.

SQLAlchemy's own execution of a statement takes several times as long as SQLite needs for it, and a
vote waits for a dozen. Errors are those that SQLAlchemy raises.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def run(connection: Connection, sql: str, values: Sequence[Any] = ()) -> None:
    """Run a statement whose rows are of no interest.

    Args:
        connection: in a transaction.
        sql: with the driver's own placeholders.
        values: one for each placeholder.

    Raises:
        DBAPIError: the driver refuses it.
    """
    if connection.dialect.name == "sqlite":
        _sqlite_cursor(connection, sql, values)
    else:
        connection.exec_driver_sql(sql, tuple(values))


def first_value(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    """Return the first value of a query's first row; None without a row.

    Args:
        connection: in a transaction.
        sql: with the driver's own placeholders.
        values: one for each placeholder.

    Raises:
        DBAPIError: the driver refuses it.
    """
    if connection.dialect.name == "sqlite":
        row = _sqlite_cursor(connection, sql, values).fetchone()
        return None if row is None else row[0]
    return connection.exec_driver_sql(sql, tuple(values)).scalar()


def _sqlite_cursor(connection: Connection, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
    driver: Any = connection.connection.driver_connection
    try:
        cursor: sqlite3.Cursor = driver.execute(sql, values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            sql, tuple(values), error, sqlite3.Error, dialect=connection.dialect
        ) from error
    return cursor
