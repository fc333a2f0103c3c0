"""Limits of every request, whatever its route: framing, path, size of the body, time to send it.

The body is read here, before any route sees the request, so a slow sender holds a coroutine and at
most `max_bytes` of memory, never a thread or a database session.
"""

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.middleware.problem_details import problem, refuse

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
MAX_BODY_BYTES = 16 * 1024  # a vote has a few hundred bytes, and nothing larger is ever sent
BODY_TIMEOUT_S = 10.0  # for the whole body
MAX_TARGET_BYTES = 8 * 1024  # of path and query
MAX_HEADERS_BYTES = 16 * 1024  # of all names and values


class RequestLimitsMiddleware:
    """Refuse ambiguous, oversized and slow requests; pass on the others with their whole body.

    Args:
        app: the application.
        max_bytes: of a body.
        timeout_s: seconds in which the body has to arrive.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, send)
        names = [name for name, _ in scope["headers"]]
        refusal = _head_problem(scope) or _framing_problem(scope, names)
        if refusal is not None:
            return await refuse(problem(*refusal), scope, receive, send)
        has_body = b"content-length" in names or b"transfer-encoding" in names
        if scope["type"] == "websocket" or not has_body:
            return await self.app(scope, receive, send)
        try:
            async with asyncio.timeout(self.timeout_s):
                body = await self._read(scope, receive)
        except TimeoutError:
            sentence = f"The body did not arrive within {self.timeout_s:g} seconds: send it again."
            return await refuse(problem(408, "slow-body", sentence), scope, receive, send)
        except _BodyTooLarge:
            sentence = f"The body of a request may have at most {self.max_bytes:,} bytes."
            return await refuse(problem(413, "too-large", sentence), scope, receive, send)
        except _Disconnected:
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        for name, value in scope["headers"]:
            if name == b"content-length" and _is_larger(value, self.max_bytes):
                raise _BodyTooLarge
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            body += bytes(message.get("body", b""))
            if len(body) > self.max_bytes:
                raise _BodyTooLarge
            if not message.get("more_body", False):
                return body


class _BodyTooLarge(Exception):
    pass


class _Disconnected(Exception):
    pass


def _is_larger(content_length: bytes, limit: int) -> bool:
    digits = content_length.strip()
    return not digits.isdigit() or len(digits) > 18 or int(digits) > limit


def _head_problem(scope: Scope) -> tuple[int, str, str] | None:
    target = scope.get("raw_path") or b""
    if not scope["path"].startswith("/"):
        return 400, "bad-target", "The request's path does not begin with a slash."
    if len(target) + len(scope.get("query_string", b"")) > MAX_TARGET_BYTES:
        return 414, "long-target", f"Path and query may have at most {MAX_TARGET_BYTES:,} bytes."
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS_BYTES:
        return 431, "large-headers", f"The headers may have at most {MAX_HEADERS_BYTES:,} bytes."
    if CONTROL_CHARACTER.search(scope["path"]):
        return 400, "bad-target", "The request's path contains a control character."
    return None


def _framing_problem(scope: Scope, names: list[bytes]) -> tuple[int, str, str] | None:
    """Refuse what a proxy and this server could divide into requests differently (RFC 9112, 6)."""
    if b"transfer-encoding" not in names:
        return None
    if b"content-length" in names:
        return (
            400,
            "ambiguous-length",
            "A request may have Transfer-Encoding or Content-Length, not both.",
        )
    if scope.get("http_version") == "1.0":
        return 400, "ambiguous-length", "A request of HTTP/1.0 cannot have Transfer-Encoding."
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
