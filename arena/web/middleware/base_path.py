"""Serves everything below the path of ARENA_PUBLIC_URL, such as `/arena`.

Requests are answered with the path and without it, so a proxy may remove the path or pass it on.
Links that the arena sends contain it.
"""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class BasePathMiddleware:
    """Remove the base path from a request's path, if it is there."""

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self.app = app
        self.base_path = base_path
        self.raw_base_path = base_path.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        base = self.base_path
        if base and scope["type"] in {"http", "websocket"}:
            path = scope["path"]
            if path == base and scope["type"] == "http":
                # The page's relative links resolve below the path only with the slash.
                return await RedirectResponse(f"{base}/", 308)(scope, receive, send)
            if path.startswith(f"{base}/"):
                raw_path = (scope.get("raw_path") or b"").removeprefix(self.raw_base_path)
                scope = {**scope, "path": path[len(base) :], "raw_path": raw_path}
        await self.app(scope, receive, send)
