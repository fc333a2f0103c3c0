"""Rounds in which clients are slow or send nothing: the other ones should not notice."""

import select
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
from under_load import (
    Finding,
    ServedArena,
    Visitor,
    filed_arena,
    none_lost,
    only,
    quick,
    voting,
)

from arena.web.server.http_protocol import HEADER_TIMEOUT_S, WRITE_TIMEOUT_S
from killed_votes import Ledger
from raw_http import connect, header_lines

SLOW_READERS, READ_S, PART_BYTES = 200, 20.0, 100  # each reads a part ten times a second: 1 kB/s
SLOW_CLIP_BYTES = 2_000_000
HALF_OPEN, OPEN_S = 2000, 5.0
BEFORE_S = 4.0  # of votes without a fault
SPARE_FILES = 50  # which the server may open meanwhile for other things
MARGIN_S = 10.0  # for a busy machine, after which what should be closed is closed


def slow_readers() -> list[Finding]:
    """Many clients read a clip at 1 kB/s."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        served = stack.enter_context(
            filed_arena(Path(folder), prompts=5, clip_bytes=SLOW_CLIP_BYTES)
        )
        server = psutil.Process(served.process.pid)
        visitor = Visitor(served.address)
        memory, files = server.memory_info().rss, server.num_fds()
        with voting(served.address, ledger):
            usual_clips = visitor.usual_waits(BEFORE_S)
            usual = [wait for _, wait in ledger.waits]
            slow = [stack.enter_context(_reader(served, visitor)) for _ in range(SLOW_READERS)]
            started = begun = time.monotonic()
            _while_reading(slow, lambda: visitor.look(seconds=0.1), until=begun + READ_S)
            waits = ledger.waits_between(begun, time.monotonic())
        grown = (server.memory_info().rss - memory) / SLOW_READERS / 1e6
        _while_reading(slow, lambda: None, until=started + WRITE_TIMEOUT_S + MARGIN_S)
        # Not what the readers see: the system sends them what it had taken before the end.
        left = server.num_fds() - files
        return [
            quick(f"{SLOW_READERS} readers of 1 kB/s: votes go on", waits, usual),
            quick("clips for others go on", visitor.waits, usual_clips),
            Finding("clips for others are whole", str(visitor.statuses), visitor.statuses == {200}),
            Finding("a slow reader costs at most 1 MB", f"{grown:.2f} MB each", grown <= 1),
            Finding(
                f"they are closed after {WRITE_TIMEOUT_S:g} s without reading 256 KiB",
                f"{left:+d} file descriptors of the server at the end",
                left <= SPARE_FILES,
            ),
            only(ledger, 200, 201),
            none_lost(served.url, ledger),
        ]


def half_open() -> list[Finding]:
    """Clients that connect and send nothing, or half of a request's headers."""
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        served = stack.enter_context(filed_arena(Path(folder)))
        server = psutil.Process(served.process.pid)
        visitor = Visitor(served.address)
        with voting(served.address, ledger):
            files, begun = server.num_fds(), time.monotonic()
            usual_clips = visitor.usual_waits(BEFORE_S)
            usual = ledger.waits_between(begun, time.monotonic())
            begun, most, opened = time.monotonic(), 0, []
            for number in range(HALF_OPEN):
                opened.append(stack.enter_context(connect(served.address)))
                if number % 2:
                    opened[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A:")
                most = max(most, server.num_fds()) if number % 100 == 99 else most
            all_open = time.monotonic()
            visitor.look(seconds=OPEN_S)
            most = max(most, server.num_fds())
            waits = ledger.waits_between(begun, time.monotonic())
            until = all_open + HEADER_TIMEOUT_S + MARGIN_S
            while _still_open(opened) and time.monotonic() < until:
                time.sleep(0.2)
            closed_s = time.monotonic() - all_open
            visitor.look(seconds=1)
            left = server.num_fds() - files
        return [
            quick(f"{HALF_OPEN} half-open connections: votes go on", waits, usual),
            quick("clips go on", visitor.waits, usual_clips),
            Finding("clips are whole", str(visitor.statuses), visitor.statuses == {200}),
            Finding(
                "one file descriptor for each, at most",
                f"{files} before, {most} at most, {left:+d} at the end",
                most <= files + HALF_OPEN + SPARE_FILES and left <= SPARE_FILES,
            ),
            Finding(
                f"closed {HEADER_TIMEOUT_S:g} s after the last one was opened",
                f"{_still_open(opened)} open after {closed_s:.1f} s",
                not _still_open(opened),
            ),
            only(ledger, 200, 201),
            none_lost(served.url, ledger),
        ]


def _reader(served: ServedArena, visitor: Visitor) -> socket.socket:
    """A connection that has asked for a clip, and has little space to receive it."""
    connection = connect(served.address)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
    path, host = visitor.battle["a"]["video"], served.address.removeprefix("http://")
    connection.sendall(header_lines(host, f"Cookie: {cookies}", path=path))
    return connection


def _while_reading(
    slow: list[socket.socket], action: Callable[[], object], *, until: float
) -> None:
    """Do something again and again while every connection reads a part ten times a second."""
    while time.monotonic() < until:
        started = time.monotonic()
        ready = select.poll()
        by_number = {each.fileno(): each for each in slow}
        for number in by_number:
            ready.register(number, select.POLLIN)
        for number, _ in ready.poll(0):
            try:
                by_number[number].recv(PART_BYTES)
            except ConnectionError:
                pass
        action()
        time.sleep(max(0.0, started + 0.1 - time.monotonic()))


def _still_open(connections: list[socket.socket]) -> int:
    """How many connections the server has not closed; reads nothing but the ends."""
    waiting = select.poll()
    for each in connections:
        waiting.register(each.fileno(), select.POLLRDHUP)
    closed = {number for number, event in waiting.poll(0) if event}
    return len(connections) - len(closed)
