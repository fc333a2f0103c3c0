"""Opens the database: sessions, transactions and their limits, and migrations.

Transactions, on both databases:

- `reading` sees one consistent state, and does not wait for writers: SQLite's WAL mode, and
  REPEATABLE READ on PostgreSQL.
- `writing` is one transaction. On SQLite it holds the write lock from the start (BEGIN IMMEDIATE),
  so what it reads cannot change before it writes. On PostgreSQL it is READ COMMITTED: rows on which
  a decision depends are locked by SELECT ... FOR UPDATE, and unique keys (one vote per battle, one
  open battle per voter and track) decide what two processes do at the same time. No transaction
  fails because of another one's reads, so the commit of a vote costs no retry.
- `write` runs a function in such a transaction, and again if PostgreSQL ended it for the sake of
  another one: a deadlock, a failed serialization, or a row with the same unique key that was
  inserted meanwhile. It is the one place that retries.

Whoever writes has one deadline (`WRITE_WAIT_S`, or that of `write_deadline`) for the connection,
for locks and for the server's answers together. After it the error is StoreUnavailable, and nothing
was acknowledged.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import String, column, inspect, select, table
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

import arena
from arena.catalog_version import replace_version_on_changes
from arena.engines import (
    READ_WAIT_S,
    Kind,
    describe_store_error,
    make_engine,
    shown_url,
    sqlstate_of,
)
from arena.error_log import ErrorLog
from arena.errors import (
    DatabaseError,
    DatabaseOutdated,
    DatabaseTooNew,
    NotFound,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from alembic.config import Config

WRITE_WAIT_S = 10.0  # how long a writer waits for its turn and for the database's lock, together
ATTEMPTS = 5  # of a function that writes, if the database ends its transaction for another one's
RETRY_S = 0.01  # the mean wait before the second attempt; twice as long before each further one
VERSION_TABLE = "alembic_version"
_REVISION = re.compile(r'^(revision|down_revision) = "(.+)"$', re.MULTILINE)
# Errors of a statement, which are bugs or are handled where they occur, not of the database.
_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
_CONFLICTS = ("40001", "40P01")  # a failed serialization, a deadlock
_UNIQUE_VIOLATION = "23505"
_OUT_OF_RANGE = "22003"
_TOO_LARGE = "Nothing has a number this large."
# PostgreSQL's errors of a statement that are not bugs: no privilege, no such column or table.
_NOT_MISTAKES = ("42501", "42703", "42P01")
_deadline: ContextVar[float | None] = ContextVar("write_deadline", default=None)
log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Conflict(StoreUnavailable):
    """The database ended a transaction for the sake of another one: it can be tried again."""


class Database:
    """An engine and its sessions.

    Args:
        url: of an SQLite or PostgreSQL database.
        name: of the setting or argument that has the URL, for errors.
    """

    def __init__(self, url: str, *, name: str = "ARENA_DATABASE_URL") -> None:
        self.engine = make_engine(url, name=name)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        replace_version_on_changes(self._sessions)
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
        options = {"kind": Kind.READ, "until": time.monotonic() + READ_WAIT_S}
        with self._transaction(options, log=self._read_log) as session:
            yield session

    @contextmanager
    def writing(self, *, until: float | None = None, is_logged: bool = True) -> Iterator[Session]:
        """Yield a session in one transaction: committed at the end, rolled back on any error.

        On SQLite it holds the write lock from the start, so that what is read cannot change before
        it is written; on PostgreSQL rows are locked one by one, and `write` is the better choice
        where others may write the same ones.

        Args:
            until: when to give up waiting for the turn of this thread and for the database,
                both together, by `time.monotonic`; by default that of `write_deadline`.
            is_logged: whether a failure is logged; not where it is tried again soon.

        Raises:
            StoreUnavailable: the database cannot be written, or its lock is not released in time.
            Conflict: PostgreSQL ended the transaction for the sake of another one.
        """
        deadline = until or _deadline.get() or time.monotonic() + WRITE_WAIT_S
        log = self._write_log if is_logged else None
        with self._waiting_for_turn(deadline, log):
            options = {"kind": Kind.WRITE, "until": deadline}
            with self._transaction(options, log=log) as session:
                yield session

    def write(self, function: Callable[[Session], Result], *, until: float | None = None) -> Result:
        """Run a function in a transaction that writes, and again if it conflicts with another's.

        Args:
            function: gets the session; it may run several times, each time in a new transaction.
            until: as of `writing`, for all attempts together.

        Returns:
            What the function returned, once that is committed.

        Raises:
            StoreUnavailable: as of `writing`.
        """
        deadline = until or _deadline.get() or time.monotonic() + WRITE_WAIT_S
        for attempt in range(ATTEMPTS):
            is_last = attempt == ATTEMPTS - 1
            try:
                with self.writing(until=deadline) as session:
                    return function(session)
            except Conflict as error:
                if is_last or time.monotonic() >= deadline:
                    self._write_log.failed(str(error))
                    raise
            except IntegrityError as error:
                # Somebody else inserted the row: the next attempt finds it.
                if is_last or sqlstate_of(error) != _UNIQUE_VIOLATION:
                    raise
            time.sleep(random.uniform(0, 2 * RETRY_S * 2**attempt))  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def _waiting_for_turn(self, deadline: float, log: ErrorLog | None) -> Iterator[None]:
        """Wait until no other thread writes, where the database allows one writer only."""
        if not self.is_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            error = StoreUnavailable("The database is busy: try again.")
            if log is not None:
                log.failed(str(error))
            raise error
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, options: dict[str, Any], *, log: ErrorLog | None) -> Iterator[Session]:
        try:
            with self._sessions.begin() as session:
                session.connection(execution_options=options)
                yield session
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, DataError):
                # PostgreSQL has no such values, so nothing can have them as its name or number.
                if "NUL" in str(error.orig):
                    raise NotFound("Nothing has a name with the character U+0000.") from error
                if sqlstate_of(error) == _OUT_OF_RANGE:
                    raise NotFound(_TOO_LARGE) from error
            if _is_mistake(error):
                raise
            unavailable = describe_store_error(error)
            if isinstance(error, DBAPIError) and sqlstate_of(error) in _CONFLICTS:
                raise Conflict(unavailable.sentence, cause=unavailable.cause) from error
            if log is not None:
                log.failed(str(unavailable))
            raise unavailable from error
        except OverflowError as error:  # of SQLite's driver
            raise NotFound(_TOO_LARGE) from error
        if log is not None:
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


def _is_mistake(error: Exception) -> bool:
    return isinstance(error, _MISTAKES) and sqlstate_of(error) not in _NOT_MISTAKES


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
        shown = shown_url(database.engine)
        if not database.is_sqlite:
            described = describe_store_error(error)
            raise StoreUnavailable(f"{described} The database is {shown}.") from error
        raise StoreUnavailable(
            f"The database {shown} cannot be opened "
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
    except DBAPIError as error:
        if _is_mistake(error):
            raise
        raise describe_store_error(error) from error


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
