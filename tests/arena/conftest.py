"""Fixtures of the arena's tests, built with `tests/support`.

A test with the fixture `arena_database` or `booth` runs on SQLite and on PostgreSQL, unless it is
marked `databases("sqlite")`, because it is about SQLite itself or because the database makes no
difference to it. `ARENA_TEST_DATABASES=sqlite` leaves out the others.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena import database
from arena.database import Database
from postgres_server import MISSING, PostgresServer, find_binaries
from small_arena import Booth, fill_small_arena

DATABASES = tuple(os.environ.get("ARENA_TEST_DATABASES", "sqlite,postgresql").split(","))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_name" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("databases")
        wanted = mark.args if mark else DATABASES
        names = [name for name in wanted if name in DATABASES]
        metafunc.parametrize("database_name", names)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server of this test process; started when the first test needs it."""
    if find_binaries() is None:
        pytest.skip(MISSING)
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with the small arena, to copy: quicker than migrating each."""
    path = tmp_path_factory.mktemp("template") / "arena.sqlite"
    _fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a database with the small arena, to copy."""
    name = postgres.create_database()
    _fill(postgres.url(name))
    return name


def _fill(url: str) -> None:
    opened = Database(url)
    database.upgrade(opened)
    fill_small_arena(opened)
    opened.dispose()


@pytest.fixture
def arena_database(
    database_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A migrated database with the small arena and no votes."""
    if database_name == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "arena.sqlite")
        opened = Database(f"sqlite:///{tmp_path / 'arena.sqlite'}")
        yield opened
        opened.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database(template=request.getfixturevalue("postgres_template"))
    opened = Database(server.url(name))
    yield opened
    opened.dispose()
    server.drop_database(name)


@pytest.fixture
def booth(arena_database: Database) -> Booth:
    return Booth(arena_database)
