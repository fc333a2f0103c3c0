"""Makes SQLAlchemy engines for SQLite and PostgreSQL, and says in one sentence why one fails.

`arena.database` chooses transactions by execution options: `kind` (`Kind`), and `until`, by
`time.monotonic`, when to give up waiting for a lock, and on PostgreSQL for any answer to a
transaction that writes. Each is started by one message to the database.
"""

import json
import math
import sqlite3
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from arena.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

READ_WAIT_S = 5.0  # how long a reader waits for a connection, and for SQLite's lock
CONNECTIONS = 48  # to SQLite: more than the web server's threads, so that none waits for one
# To PostgreSQL, for each process: a server accepts 100 by default, for all processes.
POSTGRES_CONNECTIONS = 16
CONNECT_S = 5  # how long a new connection to PostgreSQL may take; at least 2
ANSWER_S = 2.0  # how much longer than the server's own limit the arena waits for an answer
IDLE_S = 60  # after which PostgreSQL ends a transaction that writes and whose process hangs

# The sentence for what SQLite reports, by a part of its message.
_SQLITE_PROBLEMS = {
    "locked": "Another program holds the lock of the database: try again.",
    "readonly": "The database is read-only: make its file and folder writable.",
    "is full": "The disk of the database is full: free some space.",
    "malformed": "The database is damaged: restore a backup.",
    "not a database": "The file of the database is not a database: restore a backup.",
    "unable to open": "The file of the database cannot be opened: check that it exists, and may "
    "be read and written.",
    "disk i/o": "The disk of the database does not work (I/O error): check it.",
}
_BUSY = "The database is busy: try again."
_STOPPED = "The database server is stopping or starting: try again."
_NO_LOGIN = (
    "The database server refuses the user or the password: check those in the database's URL."
)
_NO_DATABASE = (
    "The database server has no database of this name: create it (createdb), or correct the URL."
)
_TOO_MANY = (
    "The database server accepts no more connections: raise its max_connections, or run fewer "
    "processes."
)
_OTHER_TABLES = (
    "The database does not have the tables or columns of this version: run `arena db upgrade`."
)
_NO_ANSWER = (
    "The database server does not answer: check that it runs, and the host and port in the URL."
)
# The sentence for what PostgreSQL reports, by SQLSTATE or its class.
_SQLSTATES = {
    "08": "The connection to the database was lost: try again.",
    "25006": "The database is read-only: connect to the primary server.",
    "28": _NO_LOGIN,
    "3D000": _NO_DATABASE,
    "40": _BUSY,
    "42501": "The database's user may not do this: make it the owner of the database "
    "(ALTER DATABASE name OWNER TO user).",
    "42703": _OTHER_TABLES,
    "42P01": _OTHER_TABLES,
    "53100": "The disk of the database is full: free some space.",
    "53300": _TOO_MANY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "57P": _STOPPED,
    "58030": "The disk of the database does not work (I/O error): check it.",
    "XX001": "The database is damaged: restore a backup.",
    "XX002": "The database is damaged: restore a backup.",
}
# While a connection is made, libpq reports no SQLSTATE: parts of its messages, in English.
_CONNECTING = {
    "password authentication failed": _NO_LOGIN,
    "no password supplied": _NO_LOGIN,
    "no pg_hba.conf entry": _NO_LOGIN,
    "peer authentication failed": _NO_LOGIN,
    "database ": _NO_DATABASE,  # completed by "does not exist", below
    "role ": _NO_LOGIN,
    "too many clients": _TOO_MANY,
    "too many connections": _TOO_MANY,
    "connection slots are reserved": _TOO_MANY,
    "starting up": _STOPPED,
    "shutting down": _STOPPED,
    "in recovery mode": _STOPPED,
    "connection refused": _NO_ANSWER,
    "no such file": _NO_ANSWER,
    "timeout": _NO_ANSWER,
    "timed out": _NO_ANSWER,
    "could not translate host name": _NO_ANSWER,
    "failed to resolve host": _NO_ANSWER,
    "no route to host": _NO_ANSWER,
    "network is unreachable": _NO_ANSWER,
}
SUPPORTED = "use sqlite:////path/arena.sqlite or postgresql+psycopg://user@host/name."


class Kind(StrEnum):
    """What a transaction does: SQLite takes its write lock, or PostgreSQL a snapshot, for it."""

    READ = "read"
    WRITE = "write"


def make_engine(url: str, *, name: str = "ARENA_DATABASE_URL") -> Engine:
    """Return an engine for the URL of an SQLite or PostgreSQL database; connects to nothing.

    Args:
        url: of the database.
        name: of the setting or argument that has it, for errors.

    Raises:
        ConfigurationError: the URL is malformed or of another database, or a driver is missing.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            f"{name} is not a database URL: {SUPPORTED} Write %40 for @ and %2F for / "
            "in a password."
        ) from error
    backend, _, driver = parsed.drivername.partition("+")
    if backend == "sqlite" and driver in ("", "pysqlite"):
        return _sqlite_engine(parsed)
    if backend in ("postgresql", "postgres") and driver in ("", "psycopg"):
        return _postgres_engine(parsed.set(drivername="postgresql+psycopg"), name)
    raise ConfigurationError(
        f"{name} is not of a supported database or driver ({parsed.drivername}): {SUPPORTED}"
    )


def shown_url(engine: Engine) -> str:
    """Return the engine's URL for messages: without the password, and without parameters."""
    url = engine.url
    host = url.host or url.query.get("host")
    shown = url.set(query={}, host=None if host is None or isinstance(host, tuple) else host)
    return shown.render_as_string(hide_password=True)


# How often a writer looks for the lock of SQLite: at first, until then, and later.
POLL_S, POLL_SOON_S, POLL_LATER_S = 0.0005, 0.1, 0.003


def describe_store_error(error: DBAPIError | PoolTimeout) -> StoreUnavailable:
    """Return the error of a database that cannot be used now, as one sentence."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(_BUSY, cause="all connections are in use")
    cause = " ".join(str(error.orig or error).split())
    sqlstate = sqlstate_of(error)
    for length in (5, 3, 2):
        if sentence := _SQLSTATES.get(sqlstate[:length]):
            return StoreUnavailable(sentence)
    known = _SQLITE_PROBLEMS if isinstance(error.orig, sqlite3.Error) else _CONNECTING
    for words, sentence in known.items():
        if words in cause.lower():
            if words in ("database ", "role ") and "does not exist" not in cause:
                continue
            return StoreUnavailable(sentence)
    return StoreUnavailable("The database does not respond: try again.", cause=cause)


def sqlstate_of(error: DBAPIError) -> str:
    """Return PostgreSQL's code of an error; "" if it has none."""
    return getattr(error.orig, "sqlstate", None) or ""


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": READ_WAIT_S},
        pool_size=CONNECTIONS,
        pool_timeout=READ_WAIT_S,
        json_serializer=json_text,
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
        until = options.get("until", time.monotonic() + READ_WAIT_S)
        writes = options.get("kind") is Kind.WRITE
        if writes and _begins(connection.connection.driver_connection, until):
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_remaining_ms(until)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _begins(connection: sqlite3.Connection, until: float) -> bool:
    """Begin a transaction that writes, once other processes leave the lock.

    SQLite itself looks again after 1, 3, 8, 18, 33 ms and so on, and the lock is free meanwhile:
    two processes that write in turn would idle half of the time, and one that rarely writes would
    wait for seconds beside one that always does.

    Args:
        connection: to the database.
        until: when to give up, by `time.monotonic`.

    Returns:
        Whether the transaction has begun; if not, beginning it once more says why.
    """
    soon = time.monotonic() + POLL_SOON_S
    try:
        connection.execute("PRAGMA busy_timeout=0")
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                now = time.monotonic()
                if not is_locked or now >= until:
                    return False
                time.sleep(POLL_S if now < soon else POLL_LATER_S)
            else:
                return True
    except sqlite3.Error:
        return False


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


def _postgres_engine(url: URL, name: str) -> Engine:
    try:
        from arena.postgres_connection import LimitedConnection
    except ImportError as error:
        raise ConfigurationError(
            f"{name} names a PostgreSQL database, whose driver is not installed: "
            "pip install 'hippodrome[postgres]'."
        ) from error

    defaults = {
        "connect_timeout": CONNECT_S,
        "application_name": "hippodrome",
        # A server that vanished without a word is noticed in about this time, not in hours.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
    }
    engine = create_engine(
        url,
        connect_args={key: value for key, value in defaults.items() if key not in url.query},
        pool_pre_ping=True,
        pool_size=POSTGRES_CONNECTIONS,
        max_overflow=0,
        pool_timeout=READ_WAIT_S,
        json_serializer=json_text,
    )

    @event.listens_for(engine, "do_connect")
    def _connect(
        _dialect: Any, _record: object, args: list[Any], values: dict[str, Any]
    ) -> "psycopg.Connection[Any]":
        # Autocommit, for the driver: `_begin` starts transactions, with their settings.
        return LimitedConnection.connect(*args, **values, autocommit=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        kind, until = options.get("kind"), options.get("until", 0.0)
        # Reading is not limited, as an export reads for minutes.
        limited = connection.connection.driver_connection
        limited.until = until + ANSWER_S if kind is Kind.WRITE else None
        wait_ms = max(1, _remaining_ms(until))  # 0 would be no limit
        match kind:
            case Kind.READ:
                begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout={wait_ms}"
            case Kind.WRITE:
                begin = (
                    f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout={wait_ms}; "
                    f"SET LOCAL statement_timeout={wait_ms}; "
                    f"SET LOCAL idle_in_transaction_session_timeout='{IDLE_S}s'"
                )
            case _:
                begin = "BEGIN"
        connection.exec_driver_sql(begin)

    return engine


def _remaining_ms(until: float) -> int:
    return max(0, int((until - time.monotonic()) * 1000))


def json_text(value: object) -> str:
    """Return a value as compact JSON that both databases store: PostgreSQL knows no NaN or NUL.

    Numbers that are not finite become null, and NUL characters U+FFFD.
    """
    try:
        text = _dump(value)
    except ValueError:
        return _dump(_storable(value))
    return text if "\\u0000" not in text else _dump(_storable(value))


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _storable(value: object) -> object:
    match value:
        case dict():
            return {_storable(key): _storable(each) for key, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
        case str():
            return value.replace("\x00", "\ufffd")
        case float():
            return value if math.isfinite(value) else None
    return value
