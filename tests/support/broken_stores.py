"""Databases that are busy, read-only or damaged, for tests."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import event, text

from arena.database import Database


def path_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


@contextmanager
def lock_held(database: Database) -> Iterator[None]:
    """Hold SQLite's write lock, as another program would."""
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def make_read_only(database: Database) -> None:
    """Refuse writes on every connection, with SQLite's own error of a read-only file."""

    @event.listens_for(database.engine, "begin")
    def _refuse(connection: object) -> None:
        connection.exec_driver_sql("PRAGMA query_only=ON")  # type: ignore[attr-defined]


def damage(database: Database) -> None:
    """Overwrite every page of the file but the first, which has the schema's root."""
    with database.writing() as session:
        session.execute(text("SELECT 1"))
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = path_of(database)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    database.dispose()
