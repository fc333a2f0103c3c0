"""Processes that answer one port pass connections on to those that have fewer."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn
from server_processes import wait_until
from server_threads import running_server
from starlette.types import Receive, Scope, Send

from arena.web.server.balance import Balance, Peer
from arena.web.server.http_protocol import protocol_for, protocol_options

BODY = b"0123456789" * 2000


class _Server(uvicorn.Server):
    """Says its name, the client's port and how long the body was; `/early` reads no body."""

    def __init__(self, name: str, balance: Balance) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            size, more = 0, scope["path"] != "/early"
            while more:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
            said = f"{name} {scope['client'][1]} {size} ".encode()
            headers = [(b"content-length", b"%d" % len(said))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": said})

        options = protocol_options(balance=balance) | {"lifespan": "off", "log_level": "warning"}
        super().__init__(uvicorn.Config(app, **options))
        self.name, self.balance = name, balance
        self.takes = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.balance.start(partial(protocol_for, self), name=self.name)
        self.takes = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.balance.close()
        await super().shutdown(sockets)


@contextmanager
def _running(name: str, balance: Balance) -> Iterator[int]:
    server = _Server(name, balance)
    with running_server(server, lambda: server.takes) as port:
        yield port


@pytest.fixture
def first(tmp_path: Path) -> Iterator[int]:
    """The port of one of two servers."""
    with _running("a", Balance(tmp_path)) as port, _running("b", Balance(tmp_path)):
        yield port


def _said(answer: httpx.Response) -> list[str]:
    return answer.raise_for_status().text.split()


def test_of_many_connections_to_one_process_half_are_answered_by_the_other(first: int) -> None:
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{first}"))
            for _ in range(12)
        ]

        def ask() -> Counter[str]:
            return Counter(_said(client.get("/"))[0] for client in clients)

        wait_until(lambda: abs(ask()["a"] - 6) <= 1, "the connections are not spread")
        assert sum(ask().values()) == 12


def test_a_body_that_arrives_after_its_head_reaches_the_process_that_took_the_connection(
    first: int,
) -> None:
    names = set()
    with ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", first), 60))
            head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
            client.sendall(head.encode())
            client.sendall(BODY)
            name, port, size = _read_answer(client)
            assert (int(port), int(size)) == (client.getsockname()[1], len(BODY))
            names.add(name)
    assert names == {"a", "b"}


def test_the_rest_of_a_body_that_nobody_read_is_not_passed_on(tmp_path: Path) -> None:
    asked = []

    class _Asked(Balance):
        def process_with_fewer(self, connections: int) -> Peer | None:
            asked.append(connections)
            return None

    with (
        _running("a", _Asked(tmp_path)) as port,
        socket.create_connection(("127.0.0.1", port), 60) as client,
    ):
        client.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n")
        assert _read_answer(client)[2] == "0"
        client.sendall(b"GET / HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n".ljust(60))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert _read_answer(client)[0] == "a"
    assert len(asked) == 2  # once for each request


def test_a_process_that_has_ended_gets_no_connections(tmp_path: Path) -> None:
    with _running("a", Balance(tmp_path)) as port:
        with _running("b", Balance(tmp_path)):
            pass
        # As a killed process leaves it.
        (tmp_path / "c.count").write_bytes(bytes(8))
        with ExitStack() as stack:
            for _ in range(8):
                client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
                assert _said(stack.enter_context(client).get("/"))[0] == "a"


def _read_answer(client: socket.socket) -> list[str]:
    """The words of an answer's body."""
    received = b""
    while not received.endswith(b" "):
        received += client.recv(65536)
    return received.rpartition(b"\r\n\r\n")[2].decode().split()
