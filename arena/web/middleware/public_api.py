"""The parts of the API that any site may read: tracks, leaderboards, statistics and receipts.

They contain nothing of a voter, so every origin may read them (CORS), and they set no cookie.
"""

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC_PATHS = (
    "/api/v1/tracks",
    "/api/v1/leaderboard",
    "/api/v1/production",
    "/api/v1/releases",
    "/api/v1/seals",
)
PUBLIC_PREFIXES = (
    "/api/v1/tracks/",
    "/api/v1/receipts/",
    "/api/v1/releases/",
    "/api/v1/seals/",
    "/api/docs",
    "/api/openapi.json",
)
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, HEAD, OPTIONS",
}
EXPOSED = "Content-Disposition, Content-Range, Retry-After"


def is_public(path: str) -> bool:
    """Whether any site may read this path."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)


class PublicApiMiddleware:
    """Allow every origin to read the public paths, and answer their preflight requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_public(scope["path"]):
            return await self.app(scope, receive, send)
        if scope["method"] == "OPTIONS":
            return await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Access-Control-Expose-Headers"] = EXPOSED
            await send(message)

        await self.app(scope, receive, send_with_cors)


class HeadMiddleware:
    """Answer HEAD like GET, without the body, wherever a route does not know HEAD itself.

    Args:
        app: the application.
        own: prefixes of the paths whose routes answer HEAD themselves.
    """

    def __init__(self, app: ASGIApp, *, own: tuple[str, ...]) -> None:
        self.app = app
        self.own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope["path"].startswith(self.own):
            return await self.app(scope, receive, send)

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, send_without_body)
