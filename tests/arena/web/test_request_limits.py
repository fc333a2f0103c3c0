"""Every request has limits, whatever its route: its framing, its size, and the time to send it."""

import asyncio
import resource
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from starlette.types import Message, Receive, Scope, Send

from arena.web.middleware.request_limits import MAX_BODY_BYTES, RequestLimitsMiddleware
from playable import TRACK
from raw_http import connect, exchange, header_lines, read_all, status

ROUTES = [
    ("POST", "/api/v1/battles"),
    ("POST", "/api/v1/battles/token/vote"),
    ("GET", "/api/v1/tracks"),
    ("GET", "/clip/name.mp4"),
    ("GET", "/healthz"),
    ("GET", "/"),
    ("POST", "/leaderboard"),
    ("PUT", "/_stcore/upload_file/session/file"),
    ("POST", "/_stcore/agent/interact"),
    ("POST", "/static/js/index.js"),
    ("DELETE", "/no/such/route"),
]


def host_of(address: str) -> str:
    return urlsplit(address).netloc


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(
    address: str, method: str, path: str
) -> None:
    head = header_lines(
        host_of(address), f"Content-Length: {MAX_BODY_BYTES + 1}", method=method, path=path
    )
    response = exchange(address, head)  # the server closes the connection without the body
    assert status(response) == 413
    assert b"application/problem+json" in response
    assert b"nosniff" in response


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_body_in_chunks_is_refused_once_it_is_too_large(
    address: str, method: str, path: str
) -> None:
    head = header_lines(host_of(address), "Transfer-Encoding: chunked", method=method, path=path)
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    chunks = chunk * (MAX_BODY_BYTES // 0x1000 + 1)
    assert status(exchange(address, head + chunks)) == 413


def test_a_client_that_sends_150_megabytes_reads_the_refusal(address: str) -> None:
    response = httpx.post(f"{address}/api/v1/battles", content=b"x" * 150_000_000, timeout=60)
    assert response.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "9" * 40, "5, 6", "1_0"])
def test_a_malformed_content_length_is_refused(address: str, length: str) -> None:
    head = header_lines(host_of(address), f"Content-Length: {length}", method="POST")
    assert status(exchange(address, head + b"x")) in {400, 413}


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["content-length: 0", "TRANSFER-ENCODING: Chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: identity"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Transfer-Encoding : chunked"],
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/battles", "/", "/no/such/route"])
def test_ambiguous_framing_is_refused_and_what_follows_is_not_a_request(
    address: str, lines: list[str], path: str
) -> None:
    host = host_of(address)
    smuggled = header_lines(host, path="/healthz")
    request = header_lines(host, *lines, method="POST", path=path) + b"0\r\n\r\n" + smuggled
    response = exchange(address, request)  # returns, so the connection was closed
    assert status(response) in {400, 501}
    assert response.count(b"HTTP/1.1 ") == 1


def test_a_chunked_body_in_http_1_0_is_refused(address: str) -> None:
    head = header_lines(host_of(address), "Transfer-Encoding: chunked", method="POST")
    response = exchange(address, head.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n")
    assert status(response) == 400


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding:chunked\x0b"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked;q=1"],
        ["Transfer-Encoding:", " chunked"],
        ["X-A: 1", " Transfer-Encoding: chunked"],
        ["X-A: 1\nTransfer-Encoding: chunked"],
        ["X-A: 1\rTransfer-Encoding: chunked"],
        ["X-A: \0"],
        ["X A: 1"],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: +5"],
        ["Content-Length: 5 5"],
    ],
)
def test_headers_that_two_servers_could_read_differently_are_refused(
    address: str, lines: list[str]
) -> None:
    host = host_of(address)
    smuggled = header_lines(host, path="/healthz")
    request = header_lines(host, *lines, method="POST", path="/api/v1/battles") + b"0\r\n\r\n"
    response = exchange(address, request + smuggled)
    assert status(response) == 400
    assert response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("size", ["0x2", "+2", "-2", "2 ", " 2", "2_", "", "2\n", "g"])
def test_a_malformed_size_of_a_chunk_is_refused(address: str, size: str) -> None:
    head = header_lines(
        host_of(address), "Transfer-Encoding: chunked", method="POST", path="/api/v1/battles"
    )
    response = exchange(address, head + size.encode() + b"\r\n{}\r\n0\r\n\r\n")
    assert status(response) == 400


@pytest.mark.parametrize("chunk", [b"2\r\n{}}\r\n", b"2\r\n{}X\n", b"3\r\n{}\r\n"])
def test_a_chunk_that_is_not_as_long_as_it_says_is_refused(address: str, chunk: bytes) -> None:
    head = header_lines(
        host_of(address), "Transfer-Encoding: chunked", method="POST", path="/api/v1/battles"
    )
    assert status(exchange(address, head + chunk + b"0\r\n\r\n")) == 400


@pytest.mark.parametrize("ending", [b"\n", b"\r"])
def test_lines_that_end_in_one_character_are_refused(address: str, ending: bytes) -> None:
    head = header_lines(host_of(address), path="/healthz").replace(b"\r\n", ending)
    assert status(exchange(address, head)) in {400, 408}


def test_fields_after_the_body_are_no_headers(address: str) -> None:
    body = f'{{"track": "{TRACK}"}}'.encode()
    head = header_lines(
        host_of(address),
        "Transfer-Encoding: chunked",
        "Content-Type: application/json",
        "Connection: close",
        method="POST",
        path="/api/v1/battles",
    )
    chunks = b"%x\r\n%s\r\n0\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"
    assert status(exchange(address, head + chunks % (len(body), body))) == 201


def test_a_connection_that_asks_for_another_protocol_is_closed_after_the_answer(
    address: str,
) -> None:
    host = host_of(address)
    lines = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    smuggled = header_lines(host, path="/healthz")
    response = exchange(address, header_lines(host, *lines, path="/healthz") + smuggled)
    assert status(response) == 200
    assert response.count(b"HTTP/1.1 ") == 1


def test_requests_on_one_connection_are_answered_in_their_order(address: str) -> None:
    host = host_of(address)
    paths = ["/healthz", "/no/such/route", "/api/v1/tracks"]
    requests = b"".join(header_lines(host, path=path) for path in paths)
    last = header_lines(host, "Connection: close", path="/api/v1/receipts/none")
    received = exchange(address, requests + last)
    answers = received.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers[0::2]] == [b"200", b"200"]
    assert answers[3].startswith(b"404")


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/11", "http/1.1"])
def test_other_versions_of_http_are_refused(address: str, version: str) -> None:
    head = header_lines(host_of(address), "Connection: close", path="/healthz")
    assert status(exchange(address, head.replace(b"HTTP/1.1", version.encode(), 1))) == 400


def test_a_head_that_never_ends_is_refused_once_it_is_large(address: str) -> None:
    head = header_lines(host_of(address)).removesuffix(b"\r\n")
    assert status(exchange(address, head + b"X: " + b"a" * 200_000)) in {400, 431}


@pytest.mark.parametrize("path", ["http://evil.example/", "*", "evil", "/%00", "/a%0d%0ab", "/%1b"])
def test_an_odd_target_is_refused(address: str, path: str) -> None:
    head = header_lines(host_of(address), "Connection: close", path=path)
    assert status(exchange(address, head)) == 400


def test_a_long_target_and_long_headers_are_refused(address: str) -> None:
    host = host_of(address)
    assert status(exchange(address, header_lines(host, path="/" + "a" * 9000))) == 414
    assert status(exchange(address, header_lines(host, "X: " + "a" * 60_000))) in {400, 431}


def test_a_small_body_in_any_framing_is_accepted(voter: httpx.Client) -> None:
    body = f'{{"track": "{TRACK}"}}'.encode()
    headers = {"Content-Type": "application/json"}
    whole = voter.post("/api/v1/battles", content=body, headers=headers)
    parts = voter.post("/api/v1/battles", content=iter([body[:5], body[5:]]), headers=headers)
    assert whole.status_code == parts.status_code == 201
    assert voter.request("GET", "/api/v1/tracks", content=b"{}").status_code == 200


async def _never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("the application must not see this request")


def _answer(app: Any, scope: dict[str, Any], receive: Receive) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    defaults = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/"}
    asyncio.run(app({**defaults, "query_string": b"", **scope}, receive, send))
    return sent


def test_a_body_that_arrives_too_slowly_is_refused_in_any_number_of_parts() -> None:
    parts_sent = 0

    async def drip() -> Message:
        nonlocal parts_sent
        await asyncio.sleep(0.01)
        parts_sent += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    app = RequestLimitsMiddleware(_never, timeout_s=1)
    sent = _answer(app, {"headers": [(b"content-length", b"1000")]}, drip)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert parts_sent > 1


def test_a_client_that_goes_away_while_it_sends_gets_no_answer() -> None:
    async def leave() -> Message:
        return {"type": "http.disconnect"}

    app = RequestLimitsMiddleware(_never)
    assert _answer(app, {"headers": [(b"content-length", b"10")]}, leave) == []


def test_slow_senders_hold_no_threads(address: str, voter: httpx.Client) -> None:
    host = host_of(address)
    head = header_lines(host, "Content-Length: 100", method="POST", path="/api/v1/battles")
    slow = [connect(address) for _ in range(200)]  # far more than the server has threads
    try:
        for connection in slow:
            connection.sendall(head + b"x")
        assert voter.post("/api/v1/battles", json={"track": TRACK}).status_code == 201
        assert voter.get("/healthz").status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_connections_whose_headers_never_end_are_closed(address: str) -> None:
    unfinished = [
        b"",
        b"GET / HT",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n",
        header_lines("localhost", path="/healthz") + b"GET /healthz HT",
    ]
    connections = [connect(address) for _ in unfinished]
    for connection, part in zip(connections, unfinished, strict=True):
        connection.sendall(part)
    received = [read_all(connection) for connection in connections]
    assert [response.count(b" 408 ") for response in received] == [1, 1, 1, 1]


def test_a_connection_is_kept_between_requests(address: str) -> None:
    first, last = (
        header_lines("localhost", f"Connection: {kept}", path="/healthz")
        for kept in ("keep-alive", "close")
    )
    with connect(address) as connection:
        connection.sendall(first)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        time.sleep(0.5)
        connection.sendall(last)
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_silent_connections_use_up_no_file_descriptors(address: str, voter: httpx.Client) -> None:
    (server,) = (
        child
        for child in psutil.Process().children()
        if any(each.laddr.port == urlsplit(address).port for each in child.net_connections())
    )
    limit = server.num_fds() + 100
    usual = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, usual[1]))
    silent = [connect(address) for _ in range(20)]
    try:
        voter.get("/healthz")
        for _ in range(limit):
            silent.append(connect(address))
            silent[-1].sendall(b"GET / HT")
            if len(silent) % 20 == 0:  # so that the server has accepted them
                assert voter.get("/healthz").status_code == 200
                assert server.num_fds() < limit
        assert voter.post("/api/v1/battles", json={"track": TRACK}).status_code == 201
        assert read_all(silent[0]) == b"", "the one that waited longest was closed"
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, usual)
        for connection in silent:
            connection.close()
