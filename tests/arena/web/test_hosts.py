"""Only requests to the arena's own host names are answered."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from arena.public_url import parse_public_url
from arena.web.middleware.csrf import CsrfMiddleware
from arena.web.middleware.hosts import HostPolicy
from raw_http import connect, exchange, header_lines, read_head, status

FOREIGN = [
    "evil.example",
    "evil.example:8501",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1@evil.example",
    "127.0.0.1/evil.example",
    "127.0.0.1:8501/evil",
    "127.0.0.1 evil.example",
    "127.0.0.1:port",
    "127.0.0.1:99999",
    "10.1.2.3",
    "[2001:db8::1]",
    "[::1",
    "",
]


@pytest.mark.parametrize("path", ["/", "/leaderboard/", "/api/v1/tracks", "/healthz", "/x"])
@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_is_refused_and_never_redirected_to(
    address: str, host: str, path: str
) -> None:
    response = exchange(address, header_lines(host, "Connection: close", path=path))
    assert status(response) in {400, 421}
    assert b"evil" not in response
    assert b"location:" not in response.lower()


def test_the_refusal_is_a_sentence_that_says_what_to_do(address: str) -> None:
    response = exchange(address, header_lines("evil.example"))
    assert status(response) == 421
    assert b"ARENA_PUBLIC_URL" in response


def test_a_foreign_host_is_not_accepted_as_the_origin(address: str) -> None:
    head = header_lines(
        "evil.example",
        *("Origin: http://evil.example", "Sec-Fetch-Site: same-origin", "Content-Length: 2"),
        method="POST",
        path="/api/v1/battles",
    )
    assert status(exchange(address, head + b"{}")) == 421


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_websocket_to_a_foreign_host_or_from_a_foreign_origin_is_refused(
    address: str, host: str
) -> None:
    def handshake(host: str, origin: str) -> int:
        lines = [
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Origin: {origin}"),
        ]
        head = header_lines(host, *lines, path="/_stcore/stream")
        with connect(address) as connection:
            connection.sendall(head + b"\x88\x80\x00\x00\x00\x00")
            return status(read_head(connection))

    own = urlsplit(address).netloc
    assert handshake(host, f"http://{host}") == 403
    assert handshake(own, f"http://{host}") == 403
    assert handshake(own, f"http://{own}") == 101


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "127.8.9.1", "[::1]"])
def test_the_loopback_is_accepted_with_any_port(address: str, host: str) -> None:
    response = exchange(address, header_lines(host, "Connection: close", path="/healthz"))
    assert status(response) == 200


def test_the_public_host_is_accepted_with_any_port_and_in_any_case() -> None:
    policy = HostPolicy(parse_public_url("https://Vote.Example.org/arena/"))
    for host in ("vote.example.org", "VOTE.example.org:8443", "localhost:8501"):
        assert policy.allows(host, "127.0.0.1"), host
    for host in ("example.org", "a.vote.example.org", "vote.example.org.", None):
        assert not policy.allows(host, "127.0.0.1"), host
    assert "https://vote.example.org/arena/" in policy.refusal


def test_a_server_on_another_interface_answers_to_the_address_that_was_connected_to() -> None:
    everywhere = HostPolicy(None, listens_on="::")
    assert everywhere.allows("192.0.2.7:8501", "192.0.2.7")
    assert everywhere.allows("[2001:db8::7]", "2001:db8:0:0::7")
    assert not everywhere.allows("192.0.2.8:8501", "192.0.2.7")
    assert not everywhere.allows("evil.example", "192.0.2.7")
    one = HostPolicy(None, listens_on="192.0.2.7")
    assert one.allows("192.0.2.7", None)
    on_loopback = HostPolicy(None, listens_on="127.0.0.1")
    assert not on_loopback.allows("192.0.2.7:8501", "192.0.2.7")


@pytest.mark.parametrize(
    ("origin", "passed"),
    [
        ("http://vote.example", True),
        ("https://public.example", True),  # ARENA_PUBLIC_URL, behind a proxy that ends TLS
        ("https://vote.example", False),
        ("http://evil.example", False),
        ("null", False),
        (None, True),  # not a browser
    ],
)
def test_a_foreign_websocket_is_refused_before_streamlit_sees_it(
    origin: str | None, passed: bool
) -> None:
    reached: list[str] = []
    sent: list[dict[str, Any]] = []

    async def streamlit(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"vote.example")] + ([(b"origin", origin.encode())] if origin else [])
    scope = {"type": "websocket", "scheme": "ws", "path": "/_stcore/stream", "headers": headers}
    app = CsrfMiddleware(streamlit, public=parse_public_url("https://public.example"))
    asyncio.run(app(scope, send, send))
    assert bool(reached) == passed
    assert [message["type"] for message in sent] == ["websocket.close"] * (not passed)
