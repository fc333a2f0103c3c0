"""WebSockets, which the pages keep open, pass through the server's own HTTP protocol."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.sync.client import connect

from arena.web.server.http_protocol import LimitedHttpProtocol, protocol_options


class _Impatient(LimitedHttpProtocol):
    header_timeout_s = 0.2


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


@contextmanager
def _served() -> Iterator[int]:
    options = protocol_options() | {"http": _Impatient, "lifespan": "off"}
    server = uvicorn.Server(uvicorn.Config(_echo, log_level="warning", **options))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def test_a_web_socket_stays_open_longer_than_headers_may_take() -> None:
    with _served() as port, connect(f"ws://127.0.0.1:{port}/") as page:
        page.send("first")
        assert page.recv() == "first"
        time.sleep(4 * _Impatient.header_timeout_s)
        page.send("second")
        assert page.recv() == "second"
