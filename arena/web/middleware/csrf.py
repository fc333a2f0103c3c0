"""Rejects state-changing requests and WebSockets that a browser opens from another site (CSRF).

The check uses what browsers report about a request's origin (`Sec-Fetch-Site`, else `Origin`), so
no token is needed. A client that sends neither is not a browser, and has no voter's cookie that
another site could abuse.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.public_url import PublicUrl
from arena.web.middleware.problem_details import problem, refuse

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SAME_SITE = {"same-origin", "none"}
PAGE_SCHEMES = {"ws": "http", "wss": "https"}  # of the page that opened a WebSocket


class CsrfMiddleware:
    """Answer 403 to a state-changing request from another site, and refuse its WebSockets.

    Streamlit checks the origin of a WebSocket too, but asks a service on the internet for this
    machine's address before it refuses a foreign one.
    """

    def __init__(self, app: ASGIApp, *, public: PublicUrl | None) -> None:
        self.app = app
        self.public_origin = public.origin if public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._changes_state(scope):
            scheme: str = scope["scheme"]
            scheme = PAGE_SCHEMES.get(scheme, scheme)
            if not self._is_same_origin(Headers(scope=scope), scheme):
                refusal = problem(403, "cross-site", "Requests from another site are not accepted.")
                if scope["type"] == "websocket":
                    return await refuse(refusal, scope, receive, send)
                return await refusal(scope, receive, send)
        await self.app(scope, receive, send)

    def _changes_state(self, scope: Scope) -> bool:
        if scope["type"] == "http":
            return scope["method"] not in SAFE_METHODS
        return bool(scope["type"] == "websocket")

    def _is_same_origin(self, headers: Headers, scheme: str) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None and site not in SAME_SITE:
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        # `HostMiddleware` has checked that the host is the arena's own.
        return origin in {f"{scheme}://{headers.get('host', '')}", self.public_origin}
