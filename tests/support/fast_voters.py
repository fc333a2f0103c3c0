"""Voters who answer each battle as soon as they have it, at as little cost as possible.

One thread serves all connections with raw sockets, requests that are nearly ready beforehand and
answers of which only the next token is looked for, so that the CPU time of a benchmark is that of
the server: a client library costs more than the server does.
"""

import json
import re
import selectors
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

API = "/api/v1"
TURN_S = 1.0  # how long a server may be silent before the time is looked at again
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^;\r]+)", re.IGNORECASE)
_NEXT = b'"next":{"token":"'
_TOKEN = b'{"token":"'
_ASKED = b"HTTP/1.1 201"
_VOTED = b"HTTP/1.1 200"


@dataclass
class Voted:
    """What voters did: seconds of each vote, and CPU seconds of this thread."""

    latencies: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


@dataclass(eq=False, slots=True)
class _Voter:
    """One connection, and the voter who uses it now."""

    connection: socket.socket
    cookie: bytes = b""
    votes: int = 0
    sent_at: float = 0.0
    is_vote: bool = False
    received: bytes = b""
    expected: int = 0


class FastVoters:
    """Voters of one arena and track.

    Args:
        address: of the server.
        track: that they vote in.
        voters: how many at once.
        votes_each: after how many votes a new voter takes the place of one.
    """

    def __init__(self, address: str, track: str, *, voters: int, votes_each: int) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._votes_each = votes_each
        self._voters = [_Voter(self._connect()) for _ in range(voters)]
        end = f" HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
        body = json.dumps({"track": track}).encode()
        self._ask = f"POST {API}/battles{end}Content-Length: {len(body)}\r\n\r\n".encode() + body
        body = b'{"choice":"a"}'
        self._vote_end = f"/vote{end}Content-Length: {len(body)}\r\nCookie: ".encode()
        self._vote_body = b"\r\n\r\n" + body
        self._path = f"POST {API}/battles/".encode()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self._host, self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def vote(self, seconds: float) -> Voted:
        """Vote for this long; what was sent is waited for."""
        done = Voted()
        started = time.thread_time()
        with selectors.DefaultSelector() as selector:
            for voter in self._voters:
                selector.register(voter.connection, selectors.EVENT_READ, voter)
                self._ask_for_battle(voter)
            until = time.perf_counter() + seconds
            waiting = len(self._voters)
            while waiting:
                for key, _ in selector.select(TURN_S):
                    waiting -= not self._receive(key.data, done, until)
        done.cpu_s = time.thread_time() - started
        return done

    def close(self) -> None:
        """Close all connections."""
        for voter in self._voters:
            voter.connection.close()

    def _ask_for_battle(self, voter: _Voter) -> None:
        voter.cookie, voter.votes, voter.is_vote = b"", 0, False
        voter.connection.sendall(self._ask)

    def _receive(self, voter: _Voter, done: Voted, until: float) -> bool:
        """Read what has arrived, and send the next request; whether one was sent or waits."""
        chunk = voter.connection.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a connection")
        data = voter.received + chunk if voter.received else chunk
        if not voter.expected:
            head = data.find(b"\r\n\r\n")
            found = _LENGTH.search(data, 0, head + 2) if head >= 0 else None
            if found is None:
                voter.received = data
                return True
            voter.expected = head + 4 + int(found[1])
        if len(data) < voter.expected:
            voter.received = data
            return True
        voter.received, voter.expected = b"", 0
        now = time.perf_counter()
        if not data.startswith(_VOTED if voter.is_vote else _ASKED):
            raise RuntimeError(data.decode(errors="replace"))
        if voter.is_vote:
            voter.votes += 1
            done.latencies.append(now - voter.sent_at)
        elif cookie := _COOKIE.search(data):
            voter.cookie = cookie[1]
        if now >= until:
            return False
        start = data.find(_NEXT) if voter.is_vote else data.find(_TOKEN) - len(_NEXT) + len(_TOKEN)
        if voter.votes >= self._votes_each or start < 0:
            self._ask_for_battle(voter)
            return True
        start += len(_NEXT)
        token = data[start : data.index(b'"', start)]
        voter.is_vote, voter.sent_at = True, now
        voter.connection.sendall(
            self._path + token + self._vote_end + voter.cookie + self._vote_body
        )
        return True
