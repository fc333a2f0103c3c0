"""ASGI middleware: API key and maximum body size."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.serve.errors import ApiError, TooLarge, Unauthorized

OPEN_PATHS = ("/healthz",)
MEBIBYTE = 2**20
# A body that is too large is read and discarded up to this multiple of the limit: a client that is
# still sending when the connection closes would not see the response.
DISCARD_FACTOR = 4


class ApiKeyMiddleware:
    """Rejects requests without the API key, except health checks."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self.app, self.key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 401."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            # Headers are decoded as latin-1; encoding them again restores the bytes to compare.
            matches = hmac.compare_digest(token.strip().encode("latin-1"), self.key)
            if scheme.lower() != "bearer" or not matches:
                error = Unauthorized(
                    "The API key is missing or wrong; send it as a bearer token.",
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await error.as_response()(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimitMiddleware:
    """Rejects bodies larger than `max_bytes`, whatever their declared length."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while its body is within the limit, or respond with 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            await _discard_body(receive, self.max_bytes * DISCARD_FACTOR)
            await self._error().as_response()(scope, receive, send)
            return
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._error()
            return message

        await self.app(scope, limited_receive, send)

    def _error(self) -> ApiError:
        return TooLarge(
            f"The request has more than {self.max_bytes // MEBIBYTE} MiB; send a smaller image.",
            param="input_reference",
        )


async def _discard_body(receive: Receive, max_bytes: int) -> None:
    received = 0
    while received <= max_bytes:
        message = await receive()
        received += len(message.get("body", b""))
        if not message.get("more_body", False):
            return
