"""Readiness writes and reads both stores, and says which one does not work, and why."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from sqlalchemy import select

from arena.context import Arena
from arena.database import Database
from arena.health import Health, check_health
from arena.integrity import ELSEWHERE
from arena.media import open_store
from arena.models import Clip
from arena.settings import Settings
from broken_stores import damage, lock_held, make_read_only, path_of


@pytest.fixture
def arena(arena_database: Database, tmp_path: Path) -> Arena:
    """The small arena, whose clips have no files, with a media store of its own."""
    store = open_store(str(tmp_path / "media"))
    with arena_database.reading() as session:
        for path in session.scalars(select(Clip.rendition_path)):
            file = tmp_path / "media" / str(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"clip")
    settings = Settings(home=tmp_path)
    return Arena(settings=settings, database=arena_database, store=store)


def test_a_working_arena_is_ready_and_nothing_is_left_behind(arena: Arena, tmp_path: Path) -> None:
    before = sorted((tmp_path / "media").iterdir())
    assert check_health(arena) == Health(database=None, media=None)
    assert sorted((tmp_path / "media").iterdir()) == before


def test_a_read_only_database_is_not_ready(arena: Arena) -> None:
    make_read_only(arena.database)
    health = check_health(arena)
    assert "read-only" in str(health.database)
    assert health.media is None


@pytest.mark.databases("sqlite")
def test_a_damaged_database_is_not_ready_although_its_pages_are_in_memory(arena: Arena) -> None:
    assert check_health(arena).ok
    damage(arena.database)
    assert "damaged" in str(check_health(arena).database)


@pytest.mark.databases("sqlite")
def test_a_damaged_page_in_the_middle_is_found(arena: Arena) -> None:
    path = path_of(arena.database)
    damage(arena.database)
    assert path.stat().st_size > 8192
    assert "damaged" in str(check_health(arena).database)


@pytest.mark.databases("sqlite")
def test_a_file_that_is_not_a_database_is_not_ready(arena: Arena) -> None:
    arena.database.dispose()
    path_of(arena.database).write_text("a poem, not a database" * 1000)
    assert check_health(arena).database == (
        "The file of the database is not a database: restore a backup."
    )


@pytest.mark.databases("sqlite")
def test_a_missing_database_is_not_ready_and_is_not_created(arena: Arena) -> None:
    arena.database.dispose()
    path_of(arena.database).unlink()
    assert "cannot be opened" in str(check_health(arena).database)
    assert not path_of(arena.database).exists()


def test_a_locked_database_is_not_ready(arena: Arena) -> None:
    with lock_held(arena.database):
        assert "try again" in str(check_health(arena).database)


@pytest.mark.databases("sqlite")
def test_a_full_disk_is_not_ready(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 30, 1 << 30, 0))
    assert "full" in str(check_health(arena).database)


def test_a_media_store_that_cannot_be_written_is_not_ready(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_values: object, **_options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(type(arena.store.filesystem), "pipe_file", refuse)
    health = check_health(arena)
    assert health.media == "The media store cannot be written (Read-only file system)."
    assert health.database is None


def test_a_media_store_without_the_clips_is_not_ready(arena: Arena, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "media")
    assert "does not respond" in str(check_health(arena).media)
    (tmp_path / "media").mkdir()  # another, empty disk is mounted there
    assert check_health(arena).media == ELSEWHERE


def test_one_missing_clip_does_not_make_the_arena_unready(arena: Arena, tmp_path: Path) -> None:
    next(path for path in (tmp_path / "media" / "renditions").rglob("*") if path.is_file()).unlink()
    assert check_health(arena).media is None
