"""Whether the arena can be used now: a small write and a real read of database and media store."""

import secrets
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from arena.context import Arena
from arena.database import VERSION_TABLE, Database
from arena.engines import describe_store_error
from arena.errors import ArenaError, StoreUnavailable
from arena.integrity import ELSEWHERE, has_clips
from arena.media import MediaStore
from arena.models import Base

WAIT_S = 2.0  # for the database's lock
MIN_FREE_BYTES = 4 << 20  # with less, SQLite's log cannot grow by a few votes
CHECK_S = 0.25  # how long SQLite's own check of the file may take; a larger file is read in part
OPCODES = 10_000  # of SQLite's virtual machine, between two looks at the clock
PROBE = b"readiness"


@dataclass(frozen=True)
class Health:
    """What is wrong with each store, as a sentence; None if nothing is."""

    database: str | None
    media: str | None

    @property
    def ok(self) -> bool:
        return self.database is None and self.media is None


def check_health(arena: Arena) -> Health:
    """Try both stores; takes at most a few seconds."""
    database = check_database(arena.database)
    media = check_media(arena.store)
    if database is None and media is None:
        media = None if has_clips(arena.database, arena.store) else ELSEWHERE
    return Health(database=database, media=media)


def check_database(database: Database) -> str | None:
    """Return what is wrong with the database, as a sentence; None if it can be read and written."""
    path = database.engine.url.database
    is_file = database.is_sqlite and bool(path) and path != ":memory:"
    try:
        if is_file and path is not None:
            _check_sqlite_file(Path(path))
        with database.writing(until=time.monotonic() + WAIT_S) as session:
            # Writes a page and waits for the disk, but changes nothing.
            session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))  # noqa: S608
        with database.reading() as session:
            for table in Base.metadata.sorted_tables:
                session.execute(select(table).limit(1)).first()
    except DBAPIError as error:
        return str(describe_store_error(error).sentence)
    except StoreUnavailable as error:
        return error.sentence
    return None


def _check_sqlite_file(path: Path) -> None:
    """Raise StoreUnavailable if the file is missing, damaged or on a full disk.

    A new connection has no pages in memory, so it sees a file that was changed from outside.
    """
    if shutil.disk_usage(path.parent).free < MIN_FREE_BYTES:
        raise StoreUnavailable("The disk of the database is full: free some space.")
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT_S)) as connection:
            _quick_check(connection)
    except sqlite3.Error as error:
        raise describe_store_error(DBAPIError("", None, error)) from error


def _quick_check(connection: sqlite3.Connection) -> None:
    """Have SQLite check as much of the file as it can within `CHECK_S`."""
    connection.execute("SELECT name FROM sqlite_master").fetchall()
    stop = time.monotonic() + CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > stop, OPCODES)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return
    if found is not None and found[0] != "ok":
        raise sqlite3.DatabaseError(f"malformed: {found[0]}")


def check_media(store: MediaStore) -> str | None:
    """Return what is wrong with the media store, as a sentence; None if it can be used."""
    try:
        store.ping()
        _write_and_read(store)
    except OSError as error:
        return f"The media store cannot be written ({error.strerror or error})."
    except StoreUnavailable as error:
        return error.sentence
    except ArenaError as error:
        return str(error)
    return None


def _write_and_read(store: MediaStore) -> None:
    path = f".readiness-{secrets.token_hex(8)}"
    full = f"{store.root}/{path}"
    try:
        store.filesystem.pipe_file(full, PROBE)
        if store.read(path) != PROBE:
            raise StoreUnavailable("The media store returns other bytes than were written.")
    finally:
        with suppress(OSError):
            store.filesystem.rm_file(full)
