"""Fixtures of the arena's tests, built with `tests/support`.

A test with the fixture `arena_database`, `booth` or `shared_database` runs on SQLite and on
PostgreSQL, unless it is marked `databases("sqlite")`, because it is about SQLite itself or because
the database makes no difference to it. `ARENA_TEST_DATABASES=sqlite` leaves out the others.
"""

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from postgres_copies import PostgresCopies
from sqlalchemy import URL, Dialect, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from arena import database, engines
from arena.database import Database
from postgres_server import MISSING, PostgresServer, find_binaries
from small_arena import Booth, fill_small_arena

SMALL_ARENA = "small_arena"  # the database of PostgreSQL that tests copy
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
    monkeypatch.setattr("arena.catalog.track_index.MIN_CATEGORY_PROMPTS", 1)


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with all tables and no rows of the arena."""
    path = tmp_path_factory.mktemp("tables") / "arena.sqlite"
    opened = Database(f"sqlite:///{path}")
    database.upgrade(opened)
    opened.dispose()
    return path


@pytest.fixture(autouse=True, scope="session")
def _shared_statements() -> Iterator[None]:
    """Compile each statement once for all databases of a kind: SQLAlchemy does it for each engine.

    https://github.com/sqlalchemy/sqlalchemy/issues/5002: the dialect is part of a cache's keys.
    """
    create = Engine.__init__
    caches: dict[Dialect, Any] = {}

    def create_sharing(
        self: Engine, pool: Any, dialect: Dialect, url: URL, *rest: Any, **options: Any
    ) -> None:
        create(self, pool, dialect, url, *rest, **options | {"query_cache_size": 5000})
        self._compiled_cache = caches.setdefault(dialect, self._compiled_cache)

    def kind(dialect: Any) -> tuple[object, ...]:
        return (type(dialect), dialect._json_serializer, dialect._json_deserializer)

    def is_same(dialect: Any, other: object) -> bool:
        return type(dialect) is type(other) and kind(dialect) == kind(other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "__init__", create_sharing)
        for each in (SQLiteDialect_pysqlite, PGDialect_psycopg):
            patch.setattr(each, "__hash__", lambda self: hash(kind(self)))
            patch.setattr(each, "__eq__", is_same)
        yield


@pytest.fixture(autouse=True, scope="module")
def _quick_sqlite(request: pytest.FixtureRequest, sqlite_tables: Path) -> Iterator[None]:
    """Copy the tables of a new SQLite database instead of migrating it, and do not wait for disks.

    What the system was given survives the end of every process, and no test cuts the power. Modules
    with `AS_IN_PRODUCTION` migrate and wait.
    """
    if getattr(request.module, "AS_IN_PRODUCTION", False):
        yield
        return
    migrate, make_engine = database.upgrade, engines._sqlite_engine

    def upgrade(opened: Database, revision: str = "head") -> None:
        if not opened.is_sqlite or revision != "head" or database.current_revision(opened):
            migrate(opened, revision)
            return
        with (
            closing(sqlite3.connect(sqlite_tables)) as tables,
            closing(opened.engine.raw_connection()) as connection,
        ):
            driver = connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            tables.backup(driver)

    def make_quick_engine(url: URL) -> Engine:
        engine = make_engine(url)

        @event.listens_for(engine, "connect")
        def _do_not_wait(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "upgrade", upgrade)
        patch.setattr(engines, "_sqlite_engine", make_quick_engine)
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The server of this test process; started when the first test needs it."""
    if find_binaries() is None:
        pytest.skip(MISSING)
    server = PostgresServer(copy_of=_make_cluster(tmp_path_factory))
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_copies(postgres: PostgresServer) -> PostgresCopies:
    """Databases with the small arena."""
    return PostgresCopies(postgres, SMALL_ARENA)


def _make_cluster(factory: pytest.TempPathFactory) -> Path:
    """The data of a server with the small arena, made once for all processes of the tests."""
    base = factory.getbasetemp()
    cluster = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "postgres"
    with cluster.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cluster.exists():
            server = PostgresServer()
            _fill(server.url(server.create_database(SMALL_ARENA)))
            server.stop()
            draft = cluster.with_suffix(".draft")
            subprocess.run(["cp", "-a", server.data, draft], check=True)
            draft.rename(cluster)
            server.close()
    return cluster


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with the small arena, to copy: quicker than migrating each."""
    path = tmp_path_factory.mktemp("template") / "arena.sqlite"
    _fill(f"sqlite:///{path}")
    return path


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
    copies: PostgresCopies = request.getfixturevalue("postgres_copies")
    copied = copies.take()
    opened = Database(server.url(copied))
    yield opened
    opened.dispose()
    copies.give_back(copied)


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
