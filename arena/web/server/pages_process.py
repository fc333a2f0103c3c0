"""Runs the pages in a process of their own, which takes their WebSockets from the server.

Every process of the server can run pages, as this one does: they do so while this one starts, and
where the system has no Unix sockets. The process ends with the one that started it, and is started
again if it is killed itself (`arena/web/server/child_process.py`); browsers then connect again.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import BinaryIO

import uvicorn

from arena.context import open_arena
from arena.settings import Settings
from arena.web.server.child_process import call_at_end, child_process, read_value, run_child
from arena.web.server.handoff import Handoff, HandoffListener
from arena.web.server.http_protocol import protocol_for
from arena.web.server.log import log_to_stderr
from arena.web.server.options import server_options
from arena.web.server.workers import METRICS_FOLDER

MAX_SOCKET_PATH_BYTES = 103  # that all systems take; macOS takes the fewest
NICENESS = 5  # votes and clips go first where the cores are busy
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PagesOf:
    """What the process works with.

    Attributes:
        settings: of the arena, which the process opens for itself.
        host: the name or address that the server listens on.
        path: of the Unix socket.
    """

    settings: Settings
    host: str
    path: Path


@contextmanager
def pages_process(settings: Settings, *, host: str, after: Event) -> Iterator[Handoff | None]:
    """Run the process beside the block.

    Args:
        settings: of the arena.
        host: the name or address that the server listens on.
        after: the process is started once this is set.

    Yields:
        What passes connections to it; None where the system cannot.
    """
    if sys.platform == "win32":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="arena-pages-") as folder:
        if len(os.fsencode(Path(folder) / "socket")) > MAX_SOCKET_PATH_BYTES:
            log.warning(
                "The pages run in the process that answers votes, because the path of the folder "
                "for temporary files, %s, is too long for a socket: set TMPDIR to a shorter one.",
                Path(folder).parent,
            )
            yield None
            return
        given = PagesOf(settings, host, Path(folder) / "socket")
        module = "arena.web.server.pages_process"
        with child_process(module, given, name="pages' process", after=after):
            yield Handoff(given.path)


class _Server(uvicorn.Server):
    """Answers the connections that it is given, and listens on no port."""

    def __init__(self, config: uvicorn.Config, path: Path) -> None:
        super().__init__(config)
        self._path = path
        self._taking: HandoffListener | None = None

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        # It ends with the pipe: Ctrl-C and SIGTERM are for the process that started it.
        return nullcontext()

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets=[])
        if self.started:
            self._taking = HandoffListener(self._path, partial(protocol_for, self))

    async def shutdown(self, sockets: object = None) -> None:
        if self._taking is not None:
            self._taking.close()
        await super().shutdown(sockets=[])


def run(pipe: BinaryIO) -> None:
    """Run pages until the other end of the pipe is closed.

    Args:
        pipe: has a pickled `PagesOf`.
    """
    given: PagesOf = read_value(pipe)
    with suppress(OSError):
        os.nice(NICENESS)
    servers: list[_Server] = []

    def end() -> None:
        if not servers:
            os._exit(0)  # still loading, which nobody needs any more
        servers[0].should_exit = True

    call_at_end(pipe, end)
    # Its metrics are in nobody's sum, and the folder of the others may be gone by now.
    os.environ.pop(METRICS_FOLDER, None)
    from arena.web.app import make_app

    logging.getLogger("uvicorn.access").disabled = True
    log_to_stderr()
    app = make_app(open_arena(given.settings), host=given.host)
    server = _Server(uvicorn.Config(app, **server_options(given.settings)), given.path)
    servers.append(server)
    server.run()


def main() -> None:
    """Run as a process; what it works with comes from standard input."""
    run_child(run, "The pages cannot run in a process of their own")


if __name__ == "__main__":
    main()
