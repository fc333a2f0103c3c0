"""Pages run in a process of their own, which gets their connections from the server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
import uvicorn
from server_processes import children_running, server_of, wait_until
from server_threads import running_server
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidMessage
from websockets.sync.client import ClientConnection, connect

from arena.web.server.handoff import Handoff, HandoffListener
from arena.web.server.http_protocol import protocol_for, protocol_options
from arena.web.server.pages_process import pages_process
from playable import TRACK, make_playable_arena, served, settings_for


async def _answer(scope: Scope, receive: Receive, send: Send, *, name: str) -> None:
    """Say by which server, for which client and path a request was answered."""
    said = f"{name} {scope['client'][1]} {scope['path']}?{scope['query_string'].decode()}"
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": said})
        await receive()
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said.encode()})


class _Server(uvicorn.Server):
    """Answers a port, and what it is handed where it has a path."""

    def __init__(self, name: str, *, handoff: Handoff | None, path: Path | None) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await _answer(scope, receive, send, name=name)

        options = protocol_options(handoff) | {"lifespan": "off", "log_level": "warning"}
        super().__init__(uvicorn.Config(app, **options))
        self._path = path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._path is not None:
            self.listener = HandoffListener(self._path, partial(protocol_for, self))


@contextmanager
def _running(
    name: str, *, handoff: Handoff | None = None, path: Path | None = None
) -> Iterator[int]:
    server = _Server(name, handoff=handoff, path=path)
    with running_server(server, lambda: server.started) as port:
        yield port


def _port_of(page: ClientConnection) -> int:
    port: int = page.socket.getsockname()[1]
    return port


def test_a_web_socket_is_answered_by_the_process_that_runs_the_pages(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with (
        _running("pages", path=path),
        _running("server", handoff=Handoff(path)) as port,
        connect(f"ws://127.0.0.1:{port}/stream?page=1") as page,
    ):
        assert page.recv() == f"pages {_port_of(page)} /stream?page=1"


def test_the_server_answers_other_requests_itself_before_and_after_a_web_socket(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    with (
        _running("pages", path=path),
        _running("server", handoff=Handoff(path)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert client.get("/first").text.startswith("server ")
        with connect(f"ws://127.0.0.1:{port}/stream") as page:
            assert str(page.recv()).startswith("pages ")
            assert client.get("/second").text.startswith("server ")


def test_a_web_socket_on_a_connection_that_had_another_request_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with (
        _running("pages", path=path),
        _running("server", handoff=Handoff(path)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as client,
    ):
        client.sendall(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"server " in _read_until(client, b"/first?")
        client.sendall(_upgrade())
        assert b"pages " in _read_until(client, b"/stream?")


def test_an_earlier_request_is_answered_although_a_web_socket_is_asked_for_in_the_same_packet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = _answer_to(first + _upgrade(), tmp_path / "socket")
    assert b"server " in answer
    assert b"101" not in answer
    assert not [record for record in caplog.records if record.exc_info]


def test_a_head_that_is_too_large_is_refused_before_it_is_passed_on(tmp_path: Path) -> None:
    padding = b"X-Padding: " + b"a" * 35 * 1024
    answer = _answer_to(_upgrade(padding), tmp_path / "socket")
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_request_with_a_body_is_not_a_web_socket_and_is_answered_at_once(
    tmp_path: Path, method: bytes
) -> None:
    head = _upgrade(b"Content-Length: 3").replace(b"GET", method)
    answer = _answer_to(head + b"abc", tmp_path / "socket")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"server " in answer


def _upgrade(field: bytes = b"Accept: */*") -> bytes:
    return (
        b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"%b\r\n\r\n" % field
    )


def _answer_to(sent: bytes, path: Path) -> bytes:
    """Return all that a server sends that passes WebSockets on, until it closes the connection."""
    received = b""
    with (
        _running("pages", path=path),
        _running("server", handoff=Handoff(path)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as client,
    ):
        client.sendall(sent)
        while part := client.recv(4096):
            received += part
            assert not received.startswith(b"HTTP/1.1 101 "), received
    return received


def _read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        part = client.recv(4096)
        assert part, received
        received += part
    return received


@pytest.mark.parametrize("left", [False, True], ids=["never ran", "was killed"])
def test_the_server_answers_a_web_socket_while_no_process_takes_it(
    tmp_path: Path, left: bool
) -> None:
    path = tmp_path / "socket"
    if left:  # as by a process that was killed
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
    with (
        _running("server", handoff=Handoff(path)) as port,
        connect(f"ws://127.0.0.1:{port}/") as page,
    ):
        assert str(page.recv()).startswith("server ")


def test_a_process_replaces_the_socket_of_a_killed_one(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with (
        _running("pages", path=path),
        _running("server", handoff=Handoff(path)) as port,
        connect(f"ws://127.0.0.1:{port}/") as page,
    ):
        assert str(page.recv()).startswith("pages ")


def test_where_a_socket_cannot_have_the_path_no_process_is_started_and_the_log_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pages_process(
        settings_for(tmp_path), host="127.0.0.1", after=threading.Event()
    ) as handoff:
        assert handoff is None
    assert f"{folder}, is too long for a socket" in caplog.text


# --- beside a real arena --------------------------------------------------------------------------


def _pages_of(server: psutil.Process) -> list[psutil.Process]:
    return children_running(server, "arena.web.server.pages_process")


def _has_connection(process: psutil.Process, page: ClientConnection) -> bool:
    return any(
        each.raddr and each.raddr.port == _port_of(page)
        for each in process.net_connections(kind="tcp")
    )


def _open_page(address: str) -> ClientConnection:
    return connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        origin=address,  # type: ignore[arg-type]
        open_timeout=60,
    )


def test_the_pages_process_is_started_again_when_killed_and_votes_do_not_notice(
    tmp_path: Path,
) -> None:
    make_playable_arena(tmp_path).database.dispose()
    with (
        served(tmp_path, ARENA_RATE_LIMIT="off") as address,
        httpx.Client(base_url=address, timeout=60) as voter,
    ):
        server = server_of(tmp_path)

        def is_run_by(process: psutil.Process) -> bool:
            try:
                with _open_page(address) as page:
                    return _has_connection(process, page)
            except InvalidMessage:  # passed to a process that was just being killed
                return False

        wait_until(lambda: _pages_of(server), "it was not started")
        (first,) = _pages_of(server)
        wait_until(lambda: is_run_by(first), "no page runs in the process of pages")
        first.kill()
        battle = voter.post("/api/v1/battles", json={"track": TRACK}).raise_for_status().json()
        path = f"/api/v1/battles/{battle['token']}/vote"
        voter.post(path, json={"choice": "a"}).raise_for_status()
        wait_until(lambda: {*_pages_of(server)} - {first}, "it was not started again")
        (second,) = _pages_of(server)
        wait_until(lambda: is_run_by(second), "no page runs in the new process")
        server.kill()
        _, left = psutil.wait_procs([second], timeout=120)
        assert not left
