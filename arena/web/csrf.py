"""Rejects state-changing requests that a browser sends from another site (CSRF).

The check uses what browsers report about a request's origin (`Sec-Fetch-Site`, else `Origin`), so
no token is needed. A client that sends neither is not a browser, and has no voter's cookie that
another site could abuse.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.public_url import PublicUrl
from arena.web.problem_details import problem

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SAME_SITE = {"same-origin", "none"}


class CsrfMiddleware:
    """Answer 403 to a state-changing request that comes from another site."""

    def __init__(self, app: ASGIApp, *, public: PublicUrl | None) -> None:
        self.app = app
        self.public_origin = public.origin if public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            if not self._is_same_origin(Headers(scope=scope), scope["scheme"]):
                refusal = problem(403, "cross-site", "Requests from another site are not accepted.")
                return await refusal(scope, receive, send)
        await self.app(scope, receive, send)

    def _is_same_origin(self, headers: Headers, scheme: str) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None and site not in SAME_SITE:
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        # `hosts` has checked that the host is the arena's own.
        return origin in {f"{scheme}://{headers.get('host', '')}", self.public_origin}
