"""A database that is busy, read-only, full or damaged: one sentence, one deadline, one log line."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, text

from arena.database import Database, check, write_deadline
from arena.errors import StoreUnavailable
from broken_stores import damage, lock_held, make_read_only, path_of

pytestmark = pytest.mark.databases("sqlite")


def write(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = version_num"))


def test_waiting_for_the_turn_and_for_the_lock_share_one_deadline(
    arena_database: Database,
) -> None:
    def attempt(_: int) -> float:
        started = time.monotonic()
        with write_deadline(until), pytest.raises(StoreUnavailable, match="try again"):
            write(arena_database)
        return time.monotonic() - started

    with lock_held(arena_database), ThreadPoolExecutor(60) as threads:
        until = time.monotonic() + 1
        waited = list(threads.map(attempt, range(60)))
    # One after another, each with a second of its own, they would have taken a minute.
    assert max(waited) < 40


def test_readers_do_not_wait_for_a_writer(arena_database: Database) -> None:
    # One that waited would fail: the lock is held until then.
    with lock_held(arena_database), arena_database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM clip")).scalar()


def test_after_the_lock_is_released_writing_works(arena_database: Database) -> None:
    with lock_held(arena_database), write_deadline(time.monotonic() + 0.2):
        with pytest.raises(StoreUnavailable):
            write(arena_database)
    write(arena_database)


def test_a_read_only_database_is_one_sentence(arena_database: Database) -> None:
    make_read_only(arena_database)
    with pytest.raises(StoreUnavailable, match="is read-only: make its file"):
        write(arena_database)
    with arena_database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM clip")).scalar()


def test_a_full_disk_is_one_sentence(arena_database: Database) -> None:
    def fill(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    event.listen(arena_database.engine, "begin", fill)
    with pytest.raises(StoreUnavailable, match="is full: free some space"):
        with arena_database.writing() as session:
            session.execute(text("CREATE TABLE filler (content BLOB)"))
            session.execute(text("INSERT INTO filler VALUES (zeroblob(10000000))"))


def test_a_damaged_database_is_one_sentence(arena_database: Database) -> None:
    damage(arena_database)
    with pytest.raises(StoreUnavailable, match="is damaged: restore a backup"):
        with arena_database.reading() as session:
            session.execute(text("SELECT * FROM clip")).all()


def test_a_failure_is_logged_once_with_a_count(
    arena_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="arena")
    make_read_only(arena_database)
    for _ in range(50):
        with pytest.raises(StoreUnavailable):
            write(arena_database)
        with arena_database.reading() as session:  # works meanwhile, and does not hide it
            session.execute(text("SELECT 1"))
    assert len(caplog.messages) == 1
    assert "read-only" in caplog.messages[0]


def test_a_database_on_a_read_only_disk_is_opened_and_read(arena_database: Database) -> None:
    arena_database.dispose()
    path = path_of(arena_database)
    assert not Path(f"{path}-wal").exists()
    Path(f"{path}-shm").mkdir()  # SQLite cannot make its files, as on a read-only disk
    opened = Database(f"sqlite:///{path}")
    check(opened)
    with opened.reading() as session:
        assert session.execute(text("SELECT count(*) FROM clip")).scalar()
    with pytest.raises(StoreUnavailable, match="read-only"):
        write(opened)
    Path(f"{path}-wal").write_bytes(b"votes that are not in the file yet")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        check(Database(f"sqlite:///{path}"))
