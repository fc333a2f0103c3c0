"""What stands before every route: the key, and the most bytes of a body."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator.serve.errors import ApiError, TooLarge, Unauthorized

OPEN_PATHS = ("/healthz",)
MEBIBYTE = 2**20
# So much of a body that is too large is read and thrown away: a client that is still sending when
# its connection is closed does not see why.
DISCARD_FACTOR = 4


class ApiKeyMiddleware:
    """Refuses requests without the server's key, but for its health."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self.app, self.key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
            # Headers come as latin-1, whatever the bytes are: the key's own are compared.
            matches = hmac.compare_digest(given.strip().encode("latin-1"), self.key)
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
    """Refuses bodies of more than `max_bytes`, whatever they say of their length."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through while its body is small enough, or answer 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            await _discard_body(receive, self.max_bytes * DISCARD_FACTOR)
            await self._refusal().as_response()(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise self._refusal()
            return message

        await self.app(scope, counted, send)

    def _refusal(self) -> ApiError:
        return TooLarge(
            f"The request has more than {self.max_bytes // MEBIBYTE} MiB; send a smaller image.",
            param="input_reference",
        )


async def _discard_body(receive: Receive, max_bytes: int) -> None:
    seen = 0
    while seen <= max_bytes:
        message = await receive()
        seen += len(message.get("body", b""))
        if not message.get("more_body", False):
            return
