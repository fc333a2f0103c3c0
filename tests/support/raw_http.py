"""Requests as bytes over a socket, for what well-behaved clients cannot send."""

import socket
from contextlib import closing
from urllib.parse import urlsplit

WAIT_S = 60.0  # far longer than any limit of the server, so a busy machine fails no test


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def read_head(connection: socket.socket) -> bytes:
    """Read until the end of a response's head; the connection may stay open."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        assert part, f"the connection ended after {received!r}"
        received += part
    return received


def exchange(address: str, request: bytes) -> bytes:
    """Send the bytes and return everything that comes back before the server closes."""
    with closing(connect(address)) as connection:
        connection.sendall(request)
        return read_all(connection)


def status(response: bytes) -> int:
    """The status code of the first response."""
    return int(response.split(b" ", 2)[1])


def header_lines(host: str, *lines: str, method: str = "GET", path: str = "/") -> bytes:
    """A request's head, up to and including the empty line."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")
