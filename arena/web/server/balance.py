"""Spreads connections evenly over the processes that answer one port.

All of them accept from one socket, and the one that happens to run takes most of what arrives: of
32 voters who connected at once, one of two processes got 31. Connections stay open, so one core
would answer nearly everybody, and a process that was started again nobody. Therefore a process with
clearly more open connections than another one passes on the next that sends a request, with what
was read of it (`arena/web/server/handoff.py`).
"""

import asyncio
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arena.web.server.handoff import Handoff, HandoffListener

LOOK_AGAIN_S = 1.0  # after which processes that were started meanwhile are found
# How many more connections than another process one must have to pass one on, and as a share.
SURPLUS, SURPLUS_SHARE = 2, 1 / 8
COUNT = ".count"
_COUNT = struct.Struct("=q")


@dataclass(frozen=True)
class Peer:
    """Another process: its file with the number of its connections, and its socket."""

    path: Path
    count: mmap.mmap

    @property
    def connections(self) -> int:
        return int(_COUNT.unpack_from(self.count)[0])

    @property
    def handoff(self) -> Handoff:
        return Handoff(self.path.with_suffix(""))


class Balance:
    """What one process knows of the others, and they of it.

    Args:
        folder: that they share; each has a socket there, and a file with its number of connections.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None  # of the file
        self._own: mmap.mmap | None = None
        self._listener: HandoffListener | None = None
        self._peers: dict[Path, Peer] = {}
        self._looked_at = -LOOK_AGAIN_S
        self._under_way: socket.socket | None = None

    def start(
        self, make_protocol: Callable[[bytes], asyncio.Protocol], *, name: str | None = None
    ) -> None:
        """Take connections from the other processes, in the running event loop.

        Args:
            make_protocol: for a connection of which these bytes were read.
            name: of this process, which no other has; by default its id.
        """
        path = self._folder / (name or str(os.getpid()))
        # Where the system has no such sockets, this process passes nothing on and gets nothing.
        with suppress(OSError):
            self._listener = HandoffListener(path, make_protocol)
            count = path.with_suffix(COUNT)
            count.write_bytes(_COUNT.pack(0))
            self._own, self._path = _mapped(count, mmap.ACCESS_WRITE), count

    def close(self) -> None:
        """Take no more connections, and pass none on."""
        self._own = None
        if self._listener is not None:
            self._listener.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._taken()

    def note(self, connections: int) -> None:
        """Tell the others how many connections this process has."""
        if self._own is not None:
            _COUNT.pack_into(self._own, 0, connections)

    def process_with_fewer(self, connections: int) -> Peer | None:
        """Return the process with the fewest connections, if it has clearly fewer than this one.

        Args:
            connections: how many this process has.
        """
        # One at a time: the other process's number shows it only once it has taken it.
        if self._own is None or self._under_way is not None:
            return None
        peer = min(self._found(), key=lambda peer: peer.connections, default=None)
        surplus = max(SURPLUS, connections * SURPLUS_SHARE)
        return None if peer is None or connections - peer.connections < surplus else peer

    def pass_on(self, peer: Peer, descriptor: int, data: bytes) -> bool:
        """Pass a connection on; whether the other process can take it now.

        Args:
            peer: from `process_with_fewer`.
            descriptor: of the connection; the caller closes it once it is passed on.
            data: what was read from it and not yet answered.
        """
        sending = peer.handoff.send(descriptor, data)
        if sending is None:
            self._peers.pop(peer.path, None)  # until it is found again
            return False
        self._under_way = sending
        asyncio.get_running_loop().add_reader(sending.fileno(), self._taken)
        return True

    def _taken(self) -> None:
        """Forget the connection under way: the other process has taken it, or has ended."""
        if self._under_way is not None:
            asyncio.get_running_loop().remove_reader(self._under_way.fileno())
            self._under_way.close()
            self._under_way = None

    def _found(self) -> list[Peer]:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_S:
            self._looked_at = now
            paths = {path for path in self._folder.glob(f"*{COUNT}") if path != self._path}
            self._peers = {path: peer for path, peer in self._peers.items() if path in paths}
            for path in paths - self._peers.keys():
                with suppress(OSError, ValueError):  # removed meanwhile, or not yet written
                    self._peers[path] = Peer(path, _mapped(path, mmap.ACCESS_READ))
        return list(self._peers.values())


def _mapped(path: Path, access: int) -> mmap.mmap:
    with path.open("r+b" if access == mmap.ACCESS_WRITE else "rb") as file:
        return mmap.mmap(file.fileno(), _COUNT.size, access=access)
