"""Opens the database: engine, sessions, SQLite's pragmas, and migrations."""

import json
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from sqlalchemy import Engine, String, column, create_engine, event, inspect, select, table
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

import arena
from arena.error_log import ErrorLog
from arena.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseOutdated,
    DatabaseTooNew,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from alembic.config import Config

WRITE_WAIT_S = 10.0  # how long a writer waits for its turn and for SQLite's write lock, together
READ_WAIT_S = 5.0  # how long a reader waits for a connection, and for SQLite's lock
VERSION_TABLE = "alembic_version"
_REVISION = re.compile(r'^(revision|down_revision) = "(.+)"$', re.MULTILINE)
# The sentence for what SQLite reports, by a part of its message.
_PROBLEMS = {
    "locked": "Another program holds the lock of the database: try again.",
    "readonly": "The database is read-only: make its file and folder writable.",
    "is full": "The disk of the database is full: free some space.",
    "malformed": "The database is damaged: restore a backup.",
    "not a database": "The file of the database is not a database: restore a backup.",
    "unable to open": "The file of the database cannot be opened: check that it exists, and may "
    "be read and written.",
    "disk i/o": "The disk of the database does not work (I/O error): check it.",
}
# Errors of a statement, which are bugs or are handled where they occur, not of the database.
_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
_deadline: ContextVar[float | None] = ContextVar("write_deadline", default=None)
log = logging.getLogger(__name__)
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
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._turn = Lock()
        self._read_log = ErrorLog(log, "Reading the database")
        self._write_log = ErrorLog(log, "Writing to the database")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session for reading, on one consistent state of the database.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        options = {"begin": "BEGIN", "busy_ms": int(READ_WAIT_S * 1000)}
        with self._transaction(options, log=self._read_log) as session:
            yield session

    @contextmanager
    def writing(self, *, until: float | None = None) -> Iterator[Session]:
        """Yield a session in one transaction: committed at the end, rolled back on any error.

        On SQLite it holds the write lock from the start, so that what is read cannot change before
        it is written; other databases lock rows.

        Args:
            until: when to give up waiting for the turn of this thread and for the database's lock,
                both together, by `time.monotonic`; by default that of `write_deadline`.

        Raises:
            StoreUnavailable: the database cannot be written, or its lock is not released in time.
        """
        deadline = until or _deadline.get() or time.monotonic() + WRITE_WAIT_S
        with self._waiting_for_turn(deadline) as remaining_s:
            options = {"begin": "BEGIN IMMEDIATE", "busy_ms": int(remaining_s * 1000)}
            with self._transaction(options, log=self._write_log) as session:
                yield session

    @contextmanager
    def _waiting_for_turn(self, deadline: float) -> Iterator[float]:
        """Yield the seconds that remain, at least 0, once no other thread writes."""
        if not self.is_sqlite:
            yield max(0.0, deadline - time.monotonic())
            return
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            error = StoreUnavailable("The database is busy: try again.")
            self._write_log.failed(str(error))
            raise error
        try:
            yield max(0.0, deadline - time.monotonic())
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, options: dict[str, Any], *, log: ErrorLog) -> Iterator[Session]:
        try:
            with self._sessions.begin() as session:
                session.connection(execution_options=options)
                yield session
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, _MISTAKES):
                raise
            unavailable = describe_store_error(error)
            log.failed(str(unavailable))
            raise unavailable from error
        log.succeeded()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def write_deadline(until: float) -> Iterator[None]:
    """Set when `Database.writing` gives up within the block, by `time.monotonic`."""
    token = _deadline.set(until)
    try:
        yield
    finally:
        _deadline.reset(token)


def describe_store_error(error: DBAPIError | PoolTimeout) -> StoreUnavailable:
    """Return the error of a database that cannot be used now, as one sentence."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    for words, sentence in _PROBLEMS.items():
        if words in cause.lower():
            return StoreUnavailable(sentence)
    return StoreUnavailable("The database does not respond: try again.", cause=cause)


def _make_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_pre_ping=True, pool_size=CONNECTIONS, pool_timeout=READ_WAIT_S
        )
    engine = create_engine(
        url,
        connect_args={"timeout": READ_WAIT_S},
        pool_size=CONNECTIONS,
        pool_timeout=READ_WAIT_S,
        json_serializer=_compact_json,
    )

    @event.listens_for(engine, "do_connect")
    def _connect(
        dialect: Any, _record: object, args: list[Any], values: dict[str, Any]
    ) -> sqlite3.Connection:
        connection: sqlite3.Connection = dialect.connect(*args, **values)
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.OperationalError:
            connection.close()
            read_only = _immutable_address(engine.url.database)
            if read_only is None:
                raise
            connection = dialect.connect(read_only, **values | {"uri": True})
        return connection

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        # `_begin` starts the transaction: the driver's own late BEGIN would let two writers read
        # first and then fail to write.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if "busy_ms" in options:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={options['busy_ms']}")
        connection.exec_driver_sql(options.get("begin", "BEGIN"))

    return engine


def _immutable_address(path: str | None) -> str | None:
    """Return the address of a file on a read-only disk, where SQLite cannot make its log.

    None if there is no such file, or a log has changes that are not in the file.
    """
    if not path or not Path(path).is_file():
        return None
    log = Path(f"{path}-wal")
    if log.is_file() and log.stat().st_size:
        return None
    return f"file:{quote(str(Path(path).absolute()))}?immutable=1"


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
