"""uvicorn's HTTP/1.1 protocol, with limits for clients that send or read too slowly.

uvicorn closes idle connections only after a response. A client that sends half a request, or reads
no response, would keep its connection for ever; a few thousand of them use up the file descriptors.
Where these are few, the connections that have waited longest for a client are closed for new ones.
"""

import asyncio
import resource
from typing import Any, ClassVar, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from arena.web.listening import BACKLOG

HEADER_TIMEOUT_S = 10.0  # from the first byte of a request, or the connection, to its headers' end
WRITE_TIMEOUT_S = 120.0  # in which a client has to read what fills the socket's buffer
MAX_HEADER_BYTES = 16 * 1024
# File descriptors that are not for connections: for the database, clips and logs, and for what is
# accepted in one turn of the event loop.
RESERVED_FILES = 128 + BACKLOG
MAX_COALESCED_BYTES = 16 * 1024  # larger parts of a response are sent as they come
REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class CoalescingTransport:
    """Sends what is written within one turn of the event loop by one system call.

    uvicorn writes the headers and the body of a response separately.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._chunks: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn, or at once if there is much to write."""
        if len(data) > MAX_COALESCED_BYTES:
            self.flush()
            self._transport.write(data)
            return
        if not self._chunks:
            self._loop.call_soon(self.flush)
        self._chunks.append(data)

    def flush(self) -> None:
        """Write what was held back."""
        if self._chunks:
            data, self._chunks = b"".join(self._chunks), []
            self._transport.write(data)

    def close(self) -> None:
        """Write what was held back, then close."""
        self.flush()
        self._transport.close()


class LimitedH11Protocol(H11Protocol):
    """Closes connections whose request headers or response take too long."""

    header_timeout_s = HEADER_TIMEOUT_S
    write_timeout_s = WRITE_TIMEOUT_S
    _header_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    # Connections that wait for their client, the longest-waiting first: for (the rest of) a
    # request's headers, and for another request.
    _half_open: ClassVar["dict[LimitedH11Protocol, None]"] = {}
    _kept_alive: ClassVar["dict[LimitedH11Protocol, None]"] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        coalescing = CoalescingTransport(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, coalescing))
        self._start_header_timer()
        if len(self.connections) > max_connections():
            self._close_longest_waiting()

    def _close_longest_waiting(self) -> None:
        oldest = next(iter(self._half_open))
        if oldest is self and self._kept_alive:
            oldest = next(iter(self._kept_alive))
        oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._kept_alive.pop(self, None)
        super().data_received(data)
        if self._has_half_a_request():
            self._start_header_timer()
        else:
            self._stop_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._kept_alive.pop(self, None)
        self._stop_header_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_half_a_request():  # it arrived while the one before it was answered
            self._start_header_timer()
        elif self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE:
            self._kept_alive[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._kept_alive.pop(self, None)
        self._stop_header_timer()
        # The WebSocket's protocol gets the bare transport.
        self.transport.flush()  # type: ignore[attr-defined]
        self.transport = self.transport._transport  # type: ignore[attr-defined]
        super().handle_websocket_upgrade(event)

    def _has_half_a_request(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _start_header_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout_s, self._on_slow_headers)
            self._half_open[self] = None

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
            self._half_open.pop(self, None)

    def _on_slow_headers(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(REQUEST_TIMEOUT)
            self.transport.close()


def max_connections() -> int:
    """How many connections this process's limit of open files allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft // 2, soft - RESERVED_FILES)


def allow_many_connections() -> None:
    """Raise this process's limit of open files to what the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def protocol_options() -> dict[str, Any]:
    """The options of `uvicorn.Config` that limit what clients send."""
    return {
        "http": LimitedH11Protocol,
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
        "ws_max_size": 256 * 1024,  # the pages send widgets' states, of a few hundred bytes
        "ws_max_queue": 8,
    }
