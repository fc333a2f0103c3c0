"""uvicorn's HTTP/1.1 protocol on httptools, with strict framing and limits for slow clients.

httptools (llhttp, the parser of Node.js) costs far less than h11, which parses in Python, and is
strict by default. What it leaves open is refused here: what a proxy in front of the
arena and the arena itself could read differently, and requests that never end. uvicorn closes idle
connections only after a response: a client that sends half a request, or reads no response, would
keep its connection for ever, and a few thousand of them use up the file descriptors. Where these
are few, the connections that have waited longest for a client are closed for new ones.
"""

import asyncio
import re
import resource
from functools import partial
from typing import Any, ClassVar, cast

import uvicorn
from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from arena.web.server.balance import Balance
from arena.web.server.handoff import Handoff
from arena.web.server.listening import BACKLOG

HEADER_TIMEOUT_S = 10.0  # from the first byte of a request, or the connection, to its headers' end
WRITE_TIMEOUT_S = 120.0  # in which a client has to read what fills the socket's buffer
# File descriptors that are not for connections: for the database, clips and logs, and for what is
# accepted in one turn of the event loop.
RESERVED_FILES = 128 + BACKLOG
MAX_HEAD_BYTES = 32 * 1024  # of a request line and headers; `request_limits` has smaller limits
MAX_COALESCED_BYTES = 16 * 1024  # larger parts of a response are sent as they come
_CLOSE = "Content-Length: 0\r\nConnection: close\r\n\r\n"
REQUEST_TIMEOUT = f"HTTP/1.1 408 Request Timeout\r\n{_CLOSE}".encode()
TOO_LARGE = f"HTTP/1.1 431 Request Header Fields Too Large\r\n{_CLOSE}".encode()
_DIGITS = re.compile(rb"[0-9]+")


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
        """Write what was held back, unless the connection was aborted meanwhile."""
        if self._chunks:
            data, self._chunks = b"".join(self._chunks), []
            if not self._transport.is_closing():
                self._transport.write(data)

    def close(self) -> None:
        """Write what was held back, then close."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._transport.is_closing()


class LimitedHttpProtocol(HttpToolsProtocol):
    """Refuses ambiguous requests, and closes connections on which something takes too long."""

    header_timeout_s = HEADER_TIMEOUT_S
    write_timeout_s = WRITE_TIMEOUT_S
    # Connections that wait for their client, the longest-waiting first: for (the rest of) a
    # request's headers, and for another request.
    _half_open: ClassVar["dict[LimitedHttpProtocol, None]"] = {}
    _kept_alive: ClassVar["dict[LimitedHttpProtocol, None]"] = {}

    def __init__(
        self,
        *args: Any,
        handoff: Handoff | None = None,
        balance: Balance | None = None,
        received: bytes = b"",
        **values: Any,
    ) -> None:
        super().__init__(*args, **values)
        self._handoff, self._balance = handoff, balance
        self._received = received  # by the process that passed the connection on
        self.access_log = False  # paths hold tokens
        self._is_in_head = self._is_in_message = self._is_upgraded = False
        self._head_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        coalescing = CoalescingTransport(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, coalescing))
        self._start_header_timer()
        if len(self.connections) > max_connections():
            self._close_longest_waiting()
        self._note_connections()
        if self._received:
            data, self._received = self._received, b""
            self._receive(data)

    def _note_connections(self) -> None:
        if self._balance is not None:
            self._balance.note(len(self.connections))

    def _close_longest_waiting(self) -> None:
        oldest = next(iter(self._half_open))
        if oldest is self and self._kept_alive:
            oldest = next(iter(self._kept_alive))
        oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._balance is not None and self._is_passed_on(self._balance, data):
            self._leave()
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        self._kept_alive.pop(self, None)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_upgraded or self.parser is None or self.transport.is_closing():
            return
        if not self._is_in_head:
            self._head_bytes = 0
            # Empty lines between requests: uvicorn waits for the end of a request that never began.
            if self.cycle is not None and not self.cycle.response_complete:
                return self._stop_header_timer()
        elif self._head_bytes > MAX_HEAD_BYTES:
            self.transport.write(TOO_LARGE)
            return self.transport.close()
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._kept_alive.pop(self, None)
        self._stop_header_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)
        self._note_connections()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not (self._is_in_head or self.transport.is_closing()):
            self._kept_alive[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    # --- the parser's events ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = self._is_in_message = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # Fields after the body (trailers) are ignored: they could add a Host or a cookie.
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        problem = _framing_problem(self.url, self.parser.get_http_version(), self.headers)
        if problem:
            raise HttpParserError(problem)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_message = False
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        # A WebSocket begins with a GET without a body (RFC 6455, 4.1). Others are answered as if
        # they asked for no upgrade: what they send as a body would not be passed on.
        has_body = any(
            name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers
        )
        return self.scope["method"] == "GET" and not has_body and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request is not answered yet: it is, and the client connects again.
            self.cycle.keep_alive = False
            return
        self._is_upgraded = True
        self._stop_header_timer()
        # The WebSocket's protocol gets the bare transport.
        self.transport.flush()  # type: ignore[attr-defined]
        self.transport = self.transport._transport  # type: ignore[attr-defined]
        lines = [b"GET %b HTTP/1.1" % self.url, *(b"%b: %b" % header for header in self.headers)]
        head = b"\r\n".join([*lines, b"", b""])
        if len(head) > MAX_HEAD_BYTES:
            self.transport.write(TOO_LARGE)
            self.transport.close()
        elif (
            self._handoff is not None
            and self._is_all_sent()
            and self._handoff.pass_on(self._descriptor(), head)
        ):
            self._leave()
        else:
            super().handle_websocket_upgrade()

    # --- other processes --------------------------------------------------------------------------

    def _is_passed_on(self, balance: Balance, data: bytes) -> bool:
        """Whether a process with fewer connections answers the request that begins now."""
        if self._is_in_message or self._is_upgraded or len(data) > MAX_HEAD_BYTES:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        peer = balance.process_with_fewer(len(self.connections))
        if peer is None:
            return False
        self.transport.flush()  # type: ignore[attr-defined]
        return self._is_all_sent() and balance.pass_on(peer, self._descriptor(), data)

    def _is_all_sent(self) -> bool:
        """Whether nothing of an earlier answer waits for the client."""
        return self.transport.get_write_buffer_size() == 0

    def _descriptor(self) -> int:
        descriptor: int = self.transport.get_extra_info("socket").fileno()
        return descriptor

    def _leave(self) -> None:
        """Close this process's descriptor; the connection stays open in another process."""
        self.connections.discard(self)
        self._note_connections()
        self.transport.abort()

    def _unsupported_upgrade_warning(self) -> None:
        # It is answered as any other request, but what follows would be of the other protocol.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # --- time -------------------------------------------------------------------------------------

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


def protocol_for(server: uvicorn.Server, received: bytes) -> asyncio.Protocol:
    """Make the protocol of a connection that another process passed on.

    Args:
        server: that answers it.
        received: what the other process read from it.
    """
    make: Any = server.config.http_protocol_class
    protocol: asyncio.Protocol = make(
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
        received=received,
    )
    return protocol


def max_connections() -> int:
    """How many connections this process's limit of open files allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft // 2, soft - RESERVED_FILES)


def _framing_problem(target: bytes, version: str, headers: list[tuple[bytes, bytes]]) -> str | None:
    """Say what of a request a proxy and this server could read differently (RFC 9112, 3 and 6)."""
    if version not in {"1.0", "1.1"}:
        return "The version of HTTP is not supported."
    if not target.startswith(b"/") or b"#" in target:
        return "The request's target is not a path."
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        return "The length of the body is ambiguous."
    if any(not _DIGITS.fullmatch(value) for value in lengths):
        return "The length of the body is malformed."
    if any(value.lower() != b"chunked" or version == "1.0" for value in codings):
        return "The coding of the body is not supported."
    return None


def allow_many_connections() -> None:
    """Raise this process's limit of open files to what the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def protocol_options(
    handoff: Handoff | None = None, balance: Balance | None = None
) -> dict[str, Any]:
    """The options of `uvicorn.Config` that limit what clients send.

    Args:
        handoff: passes WebSockets on to another process; None: this one answers them.
        balance: passes connections on to processes with fewer; None: there are no others.
    """
    return {
        "http": partial(LimitedHttpProtocol, handoff=handoff, balance=balance),
        "loop": "uvloop",
        "ws_max_size": 256 * 1024,  # the pages send widgets' states, of a few hundred bytes
        "ws_max_queue": 8,
    }
