"""Serves one port with several processes: each answers every request, any of them takes any vote.

uvicorn's supervisor passes the listening socket to the processes, starts one again that has ended,
and lets them answer what they have begun on SIGTERM. The processes pass connections on to those
with fewer (`arena/web/server/balance.py`). Every process serves the pages as well: they
hold no state of a voter, so a page that reconnects to another process only runs again.
"""

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess, multiprocess

from arena.context import open_arena
from arena.settings import Settings
from arena.web.server.balance import Balance
from arena.web.server.handoff import Handoff
from arena.web.server.http_protocol import protocol_for
from arena.web.server.log import log_to_stderr
from arena.web.server.options import server_options

PARENT_CHECK_S = 1.0
START_S = 120.0  # in which a process has to accept requests
# Where the processes keep their metrics, so that each can answer for all (`prometheus_client`).
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METRICS_BYTES = 1024 * 1024  # of each file, as `prometheus_client` makes it

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Answers the port, and the connections that other processes pass on."""

    def __init__(self, config: uvicorn.Config, balance: Balance) -> None:
        super().__init__(config)
        self._balance = balance

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._balance.start(partial(protocol_for, self))

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._balance.close()
        await super().shutdown(sockets)


class _Process(multiprocess.Process):
    """A process that runs `_Server`."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket], *, balance: Balance) -> None:
        self._balance = balance
        super().__init__(config, sockets)

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = _Server(self.config, self._balance)
        return self._server


class _Supervisor(Multiprocess):
    """Calls back once every process accepts requests."""

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket], on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config, sockets)
        self._on_ready = on_ready

    def init_processes(self) -> None:
        super().init_processes()
        self._close_own_ends()
        if all(self._is_started(number) for number in range(len(self.processes))):
            self._on_ready()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        self._close_own_ends()

    def _close_own_ends(self) -> None:
        # A process that was killed then ends its pipe; otherwise the supervisor would wait for its
        # answer until the timeout, and meanwhile neither replace it nor handle signals.
        for process in self.processes:
            process.child_conn.close()

    def _is_started(self, number: int) -> bool:
        process = self.processes[number]
        for _ in range(int(START_S)):
            self.handle_signals()  # Ctrl-C before the processes are ready
            if process.wait_until_ready(1.0, self.should_exit):
                return True
            if self.should_exit.is_set() or not process.process.is_alive():
                return False
        return False


def run_workers(
    settings: Settings,
    listening: socket,
    *,
    host: str,
    workers: int,
    handoff: Handoff | None,
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        settings: of the arena; each process opens it for itself.
        listening: the socket.
        host: the name or address that it listens on.
        workers: number of processes.
        handoff: passes the WebSockets of pages on; None: these processes answer them.
        on_ready: called once all processes accept requests.
    """
    with tempfile.TemporaryDirectory(prefix="arena-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        balance = Balance(Path(folder))
        config = uvicorn.Config(
            partial(make_worker_app, settings, host, supervisor=os.getpid()),
            factory=True,
            workers=workers,
            timeout_worker_healthcheck=30,
            **server_options(settings, handoff, balance),
        )
        # uvicorn's supervisor makes its processes of the class of this name.
        multiprocess.Process = partial(_Process, balance=balance)  # type: ignore[assignment,misc]
        supervisor = _Supervisor(config, [listening], on_ready)
        try:
            supervisor.run()
        except BaseException:
            # Such as a message that nobody reads any more. Python would wait for the processes,
            # which would answer requests without a supervisor.
            supervisor.terminate_all()
            supervisor.join_all()
            raise


def make_worker_app(settings: Settings, host: str, *, supervisor: int) -> ASGIApp:
    """Build the application in a process of its own, which ends once its supervisor has.

    Args:
        settings: of the arena.
        host: the name or address that it listens on.
        supervisor: the id of the process that started this one, and may have ended meanwhile.
    """
    log_to_stderr()
    if not reserve_metrics(Path(os.environ[METRICS_FOLDER])):
        log.warning(
            "`/metrics` does not add up all processes, because there is no space in %s: free some, "
            "and start the server again.",
            os.environ.pop(METRICS_FOLDER),
        )
    # Loads `prometheus_client`, which then looks for the folder.
    from arena.web.app import make_app

    logging.getLogger("uvicorn.access").disabled = True
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    app = make_app(open_arena(settings), host=host)
    # Streamlit lowers the level of the root logger.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return app


def reserve_metrics(folder: Path) -> bool:
    """Make the files of this process's metrics, with all their disk space; whether there is any.

    They are mapped into memory. While the disk is full, the first metric in a part of a file that
    has no space yet would end the process (SIGBUS), and each one that replaces it.

    Args:
        folder: shared by the processes.
    """
    files = [folder / f"{kind}_{os.getpid()}.db" for kind in ("counter", "histogram")]
    try:
        for file in files:
            if not file.exists():  # of an earlier process with this id
                file.write_bytes(bytes(METRICS_BYTES))
    except OSError:
        for file in files:
            file.unlink(missing_ok=True)
        return False
    return True


def _end_with(parent: int) -> None:
    """End this process once its supervisor has ended, also if that was killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)
