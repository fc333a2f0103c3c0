"""Hands connections from one process of the server to another.

One receiver is the process that runs the pages. A page is a WebSocket, on which Streamlit runs its
script: a tenth of a second of computing for each look at a leaderboard. In the process that answers
votes, these would wait meanwhile for their turns of the Python interpreter. So that process reads
only the head of the WebSocket's request, and passes the connection itself, with this head, through
a Unix socket (`SCM_RIGHTS`, unix(7)). The other receivers are the processes that answer the same
port (`arena/web/server/balance.py`).
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

MAX_HEAD_BYTES = 64 * 1024  # more than a request's head may have
BACKLOG = 512
ACCEPT_AGAIN_S = 0.1  # after a connection could not be accepted


class Handoff:
    """The end that passes connections on.

    Args:
        path: of the Unix socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pass_on(self, connection: int, head: bytes) -> bool:
        """Pass a connection on; the caller then closes its own descriptor.

        Args:
            connection: its file descriptor.
            head: what was read from it: at least the first byte of a request.

        Returns:
            False if no process takes it now, such as one that is just being started.
        """
        sending = self.send(connection, head)
        if sending is None:
            return False
        sending.close()
        return True

    def send(self, connection: int, head: bytes) -> socket.socket | None:
        """Pass a connection on, as `pass_on` does.

        Returns:
            A socket whose other end is closed once the connection is taken; None if no process
            takes it now.
        """
        sending = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sending.setblocking(False)
        try:
            sending.connect(str(self._path))
            if socket.send_fds(sending, [head], [connection]) == len(head):
                return sending
        except OSError:
            pass
        sending.close()
        return None


class HandoffListener:
    """The end that takes connections, in the event loop of the process that answers them.

    Args:
        path: of the Unix socket; one that a killed process left is replaced.
        make_protocol: for a connection from which these bytes were read; it handles them as soon
            as the connection is made, before what follows is read.
    """

    def __init__(self, path: Path, make_protocol: Callable[[bytes], asyncio.Protocol]) -> None:
        self._make_protocol = make_protocol
        self._tasks: set[asyncio.Task[None]] = set()
        path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(BACKLOG)
        self._listening.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._listen()

    def close(self) -> None:
        """Take no more connections."""
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()

    def _listen(self) -> None:
        if self._listening.fileno() >= 0:  # not closed meanwhile
            self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sending, _ = self._listening.accept()
        except OSError:  # such as too many open files, and it stays readable
            self._loop.remove_reader(self._listening.fileno())
            self._loop.call_later(ACCEPT_AGAIN_S, self._listen)
            return
        task = self._loop.create_task(self._take(sending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, sending: socket.socket) -> None:
        # Closed at the end, which tells the sender that the connection is taken.
        with sending:
            # What is sent was written before `connect` returned, or follows at once.
            sending.settimeout(1.0)
            try:
                head, descriptors, _, _ = socket.recv_fds(sending, MAX_HEAD_BYTES, 1)
            except OSError:
                return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            try:
                await self._loop.connect_accepted_socket(
                    partial(self._make_protocol, head), connection
                )
            except OSError:  # the client has gone
                connection.close()
