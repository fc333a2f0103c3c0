"""Opens the database: engine, sessions, SQLite's pragmas, and migrations."""

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Engine, String, column, create_engine, event, inspect, select, table, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

import arena
from arena.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseOutdated,
    DatabaseTooNew,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_TIMEOUT_S = 10.0  # how long a writer waits for SQLite's write lock
VERSION_TABLE = "alembic_version"
_REVISION = re.compile(r'^(revision|down_revision) = "(.+)"$', re.MULTILINE)
CONNECTIONS = 48  # more than the web server's worker threads, so that none waits for a connection


class Database:
    """An engine and its sessions."""

    def __init__(self, url: str) -> None:
        try:
            self.engine = _make_engine(url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigurationError(
                "ARENA_DATABASE_URL is not a supported database URL: use "
                "sqlite:////path/arena.sqlite or postgresql+psycopg://user@host/name."
            ) from error
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # SQLite allows one writer and polls for its lock, which can starve a thread for seconds:
        # the threads of a process take turns instead.
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._write_turn: AbstractContextManager[object] = Lock() if is_sqlite else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session for reading, on one consistent state of the database.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        with self._transaction(begin="BEGIN") as session:
            yield session

    @contextmanager
    def writing(self, *, until: float | None = None) -> Iterator[Session]:
        """Yield a session in one transaction: committed at the end, rolled back on any error.

        On SQLite it holds the write lock from the start, so that what is read cannot change before
        it is written; other databases lock rows.

        Raises:
            StoreUnavailable: the database cannot be reached, or its lock is not released in time.
        """
        with self._write_turn, self._transaction(begin="BEGIN IMMEDIATE") as session:
            yield session

    @contextmanager
    def _transaction(self, *, begin: str) -> Iterator[Session]:
        try:
            with self._sessions.begin() as session:
                session.connection(execution_options={"begin": begin})
                yield session
        except OperationalError as error:
            raise StoreUnavailable(
                f"The database does not respond ({error.orig}): nothing was stored; try again."
            ) from error

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        with self.reading() as session:
            session.execute(text("SELECT 1 FROM track LIMIT 1")).first()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=CONNECTIONS)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S},
        pool_size=CONNECTIONS,
        json_serializer=_compact_json,
    )

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        # `_begin` starts the transaction: the driver's own late BEGIN would let two writers read
        # first and then fail to write.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _compact_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- migrations -----------------------------------------------------------------------------------


def migrations_folder() -> Path:
    """Return `alembic/` in a checkout, `arena/_migrations` in an installed package."""
    package = Path(arena.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def _configuration(database: Database) -> "Config":
    from alembic.config import Config  # loaded to migrate only

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["engine"] = database.engine
    return config


def _revisions() -> dict[str, str | None]:
    """Return every revision of the migrations with the one before it.

    Read from the files' text: every command checks the revision, and loading alembic and the
    migrations would take longer than most commands do.
    """
    revisions = {}
    for path in sorted((migrations_folder() / "versions").glob("*.py")):
        found = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        revisions[found["revision"]] = found.get("down_revision")
    return revisions


def current_revision(database: Database) -> str | None:
    """Return the database's revision; None if it has no tables."""
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            query = select(column("version_num", String)).select_from(table(VERSION_TABLE))
            return connection.scalars(query).one_or_none()
    except DBAPIError as error:
        raise StoreUnavailable(
            f"The database {database.engine.url.render_as_string()} cannot be opened "
            f"({error.orig}): check ARENA_HOME and ARENA_DATABASE_URL."
        ) from error


def head_revision() -> str:
    """Return the newest revision of the migrations."""
    revisions = _revisions()
    (head,) = set(revisions) - set(revisions.values())
    return head


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate up to `revision`; does nothing if it is there already.

    Raises:
        DatabaseTooNew: a newer version of Hippodrome wrote the database.
    """
    current = _refuse_too_new(database)
    if revision != "head" or current != head_revision():
        _migrate("upgrade", database, revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate down to `revision` (`base` for no tables, `-1` for one step)."""
    _refuse_too_new(database)
    _migrate("downgrade", database, revision)


def _migrate(step: Literal["upgrade", "downgrade"], database: Database, revision: str) -> None:
    from alembic.util import CommandError

    from alembic import command

    run = command.upgrade if step == "upgrade" else command.downgrade
    try:
        run(_configuration(database), revision)
    except CommandError as error:
        raise DatabaseError(
            f"The database cannot be migrated to '{revision}' ({error}): `arena db current` shows "
            "its revision."
        ) from error


def _refuse_too_new(database: Database) -> str | None:
    revision = current_revision(database)
    if revision is not None and revision not in _revisions():
        raise DatabaseTooNew(
            f"The database is at revision {revision}, written by a newer version of Hippodrome: "
            "install that version or use another database."
        )
    return revision


def check(database: Database) -> None:
    """Raise DatabaseError unless the database is at the newest revision."""
    revision = _refuse_too_new(database)
    if revision is None:
        raise DatabaseOutdated("The database has no tables: run `arena init` first.")
    if revision != head_revision():
        raise DatabaseOutdated(
            f"The database is at the old revision {revision}: run `arena db upgrade`."
        )
