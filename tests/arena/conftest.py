"""Fixtures of the arena's tests, built with `tests/support`.

A test with the fixture `arena_database`, `booth` or `shared_database` runs on SQLite and on
PostgreSQL, unless it is marked `databases("sqlite")`, because it is about SQLite itself or because
the database makes no difference to it. `ARENA_TEST_DATABASES=sqlite` leaves out the others.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arena import database
from arena.database import Database
from postgres_server import MISSING, PostgresServer, find_binaries
from small_arena import Booth, fill_small_arena

DATABASES = tuple(os.environ.get("ARENA_TEST_DATABASES", "sqlite,postgresql").split(","))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("databases")
    wanted = mark.args if mark else DATABASES
    names = [name for name in wanted if name in DATABASES]
    if "database_name" in metafunc.fixturenames:
        metafunc.parametrize("database_name", names)
    if "shared_database_name" in metafunc.fixturenames:
        metafunc.parametrize("shared_database_name", names, scope="module")


@pytest.fixture(autouse=True)
def _no_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show no battle again by chance; tests of repeats set their share."""
    monkeypatch.setattr("arena.voting.issuing.REPEAT_SHARE", 0.0)


@pytest.fixture(autouse=True)
def _small_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let battles of any category be asked for; tests of small categories set the number."""
    monkeypatch.setattr("arena.catalog.index.MIN_CATEGORY_PROMPTS", 1)


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


@contextmanager
def _copied(name: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    if name == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "arena.sqlite")
        opened = Database(f"sqlite:///{folder / 'arena.sqlite'}")
        yield opened
        opened.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    copied = server.create_database(template=request.getfixturevalue("postgres_template"))
    opened = Database(server.url(copied))
    yield opened
    opened.dispose()
    server.drop_database(copied)


@pytest.fixture
def arena_database(
    database_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A migrated database with the small arena and no votes."""
    with _copied(database_name, tmp_path, request) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_database(
    shared_database_name: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Database]:
    """The same for all tests of a file, for those that fill it once and read it."""
    with _copied(shared_database_name, tmp_path_factory.mktemp("shared"), request) as opened:
        yield opened


@pytest.fixture
def booth(arena_database: Database) -> Booth:
    return Booth(arena_database)
