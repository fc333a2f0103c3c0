"""Databases that are busy, read-only or damaged, for tests; on PostgreSQL only read-only ones."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import event, text

from arena.database import VERSION_TABLE, Database
from arena.models import Base


def path_of(database: Database) -> Path:
    """The file of a SQLite database; SQLite would make a file named like a server's database."""
    assert database.is_sqlite
    return Path(str(database.engine.url.database))


@contextmanager
def lock_held(database: Database) -> Iterator[None]:
    """Hold SQLite's write lock, or lock every table of PostgreSQL, as another program would."""
    if not database.is_sqlite:
        names = ", ".join([VERSION_TABLE, *Base.metadata.tables])
        with database.engine.connect() as connection:
            connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
            yield
            connection.rollback()
        return
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def make_read_only(database: Database) -> None:
    """Refuse writes on every connection, with the database's own error."""
    refuse = "PRAGMA query_only=ON" if database.is_sqlite else "SET TRANSACTION READ ONLY"

    @event.listens_for(database.engine, "begin")
    def _refuse(connection: object) -> None:
        connection.exec_driver_sql(refuse)  # type: ignore[attr-defined]


def damage(database: Database) -> None:
    """Overwrite every page of SQLite's file but the first, which has the schema's root."""
    with database.writing() as session:
        session.execute(text("SELECT 1"))
    with closing(sqlite3.connect(path_of(database), isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path = path_of(database)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    database.dispose()
