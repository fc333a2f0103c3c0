"""A PostgreSQL server of the tests' own: started from the installed binaries, stopped at the end.

It lies in a temporary folder and listens on a Unix socket there and on a free port of the loopback.
PostgreSQL refuses to run as root: the tests of root run it as another user.
"""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USERS = ("postgres", "nobody")  # for tests of root
ROLE = "arena"
PASSWORD = "right"  # noqa: S105  (over the loopback; the socket needs none)
START_S = 180.0
MISSING = (
    "The tests on PostgreSQL are skipped: they need its server (on Debian: apt install postgresql)."
)
# PostgreSQL in the background, until it ends or the tests do: then `read` sees the end of its
# input, also if they were killed.
WATCHDOG = (
    '"$@" & server=$!; (read -r _; kill -INT $server) <&3 & wait $server; kill $! 2>/dev/null'
)
# Quick: what the system was given survives the end of every process, and no test cuts the power or
# leaves many rows behind.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


def find_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`: on the PATH, or where Debian installs them."""
    found = [shutil.which("postgres")] if shutil.which("initdb") else []
    candidates = [Path(path).resolve().parent for path in found if path]
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
    for folder in candidates:
        if all((folder / name).is_file() for name in ("postgres", "initdb")):
            return folder
    return None


def _other_user() -> dict[str, Any]:
    """What `subprocess` needs to run a program as a user who is not root."""
    if os.geteuid() != 0:
        return {}
    for name in USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise RuntimeError(f"PostgreSQL does not run as root, and none of {USERS} exists")


class PostgresServer:
    """A server that can be stopped, killed and started again with its data.

    Args:
        durable: whether it waits for the disk, as in production.
        copy_of: the `data` of a server that was stopped, to begin with a copy of it.
        settings: of postgresql.conf.
    """

    def __init__(
        self, *, durable: bool = False, copy_of: Path | None = None, **settings: object
    ) -> None:
        binaries = find_binaries()
        assert binaries is not None, MISSING
        self._binaries = binaries
        self._as_user = _other_user()
        self.folder = Path(tempfile.mkdtemp(prefix="hippodrome-postgres-"))
        self.data = self.folder / "data"
        if self._as_user:
            os.chown(self.folder, self._as_user["user"], self._as_user["group"])
        # Bound while the server is away too, so that the system gives the port to nobody else; the
        # server may listen there, because both sockets allow the address to be used again.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = int(self._reserved.getsockname()[1])
        self._settings = {
            **({} if durable else NOT_DURABLE),
            **{"max_connections": 200, "shared_buffers": "64MB"},
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._copies_files = ""
        atexit.register(self.close)
        if copy_of is None:
            self._initialise()
        else:
            subprocess.run(["cp", "-a", copy_of, self.data], check=True)  # with its owner
        self.start()
        self.execute(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")

    def _initialise(self) -> None:
        command = [
            *(self._binaries / "initdb", "-D", self.data, "--username", ROLE),
            *("--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        ]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, **self._as_user)
        # No password over the socket, which only this machine's tests know.
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def start(self) -> None:
        """Start the server, with the data that it has, and wait until it answers."""
        options = {
            "unix_socket_directories": self.folder,
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            **self._settings,
        }
        command = [self._binaries / "postgres", "-D", self.data]
        command += [f"--{name}={value}" for name, value in options.items()]
        self._process = subprocess.Popen(
            ["sh", "-c", f"exec 3<&0; {WATCHDOG}", "sh", *command],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            **self._as_user,
        )
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(
                host=str(self.folder), port=self.port, user=ROLE, dbname="postgres"
            ) as connection:
                # Quicker than to write every page to the log, which newer servers do by themselves.
                newer = connection.info.server_version >= 150_000
                self._copies_files = "STRATEGY FILE_COPY" if newer else ""
                return True
        except psycopg.OperationalError:
            return False

    @property
    def pid(self) -> int:
        """The server's main process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends all connections, SIGQUIT and SIGKILL are a crash."""
        process, self._process = self._process, None
        if process is not None:
            os.kill(self.pid, how)
            process.wait(timeout=START_S)
            assert process.stdin is not None
            process.stdin.close()
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the server and delete its data."""
        atexit.unregister(self.close)
        self.stop(signal.SIGQUIT)
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        """The address of a database, over the socket."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.folder}&port={self.port}"

    def loopback_url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """The address of a database over the loopback, where the password is checked."""
        return f"postgresql+psycopg://{ROLE}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each by itself."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), port=self.port, user=ROLE, dbname="postgres", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def create_database(self, name: str = "", *, template: str = "template0") -> str:
        """Create a database and return its name."""
        name = name or f"test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self._copies_files}')
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def postgres_server(*, durable: bool = False, **settings: object) -> Iterator[PostgresServer]:
    """A server of one's own, for the time of the block."""
    server = PostgresServer(durable=durable, **settings)
    try:
        yield server
    finally:
        server.close()


if __name__ == "__main__":  # a server to try things on, until Enter or Ctrl-C
    with postgres_server(durable=True) as server:
        sys.stdout.write(f"{server.url()}\n")
        sys.stdin.readline()
