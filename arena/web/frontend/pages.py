"""What browsers load before the pages run: their HTML, Streamlit's files, icon, robots.txt, 404.

Streamlit's own server answers every path with its index page, sends its files uncompressed, and
has routes that the arena does not use (uploads, metrics, an agent API). So it gets only the
requests of `STREAMLIT_PATHS` and `STREAMLIT_EXACT`; all others are answered here.
"""

from html import escape
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.web.frontend.navigation import PAGE_BY_PATH
from arena.web.frontend.static_files import IMMUTABLE, REVALIDATE, StaticFile, StaticFolder
from arena.web.frontend.streamlit_page import (
    CONNECTION_SCRIPT,
    CONNECTION_URL,
    STREAMLIT_STATIC,
    render_index,
    style_sheet,
)

STREAMLIT_PATHS = ("/_stcore/bidi-components/", "/component/", "/media/")
STREAMLIT_EXACT = frozenset({"/_stcore/health", "/_stcore/host-config", "/_stcore/stream"})
STATIC_PREFIX = "/static/"
ICON = "favicon.svg"
ICON_PATHS = frozenset({"/favicon.svg", "/favicon.ico", "/favicon.png"})
ROBOTS = "User-agent: *\nDisallow: {base}/api/\nDisallow: {base}/clip/\nAllow: {base}/\n"
NOT_FOUND = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>Page not found · {site}</title>
<link rel="icon" type="image/svg+xml" href="{base}/favicon.svg">
<style>:root {{ color-scheme: light dark }} body {{ max-width: 34rem; margin: 20vh auto;
padding: 0 1.2rem; font: 17px/1.5 system-ui, sans-serif }}</style></head><body>
<h1>Page not found</h1><p>There is no page at this address.</p>
<p><a href="{base}/">Vote</a> · <a href="{base}/leaderboard">Leaderboard</a> ·
<a href="{base}/about">About</a></p></body></html>
"""


class PagesMiddleware:
    """Answer requests for pages and their files; pass on what Streamlit's runtime answers."""

    def __init__(self, app: ASGIApp, *, base_path: str, site: str) -> None:
        self.app = app
        self.base_path = base_path
        self.site = site
        self.static = StaticFolder(STREAMLIT_STATIC / "static")
        self.files = {
            path: StaticFile.make(
                "index.html", render_index(page, site=site).encode(), cache_control=REVALIDATE
            )
            for path, page in PAGE_BY_PATH.items()
        }
        for url, content in (style_sheet(), (CONNECTION_URL, CONNECTION_SCRIPT)):
            self.files[url] = StaticFile.make(url, content, cache_control=IMMUTABLE)
        icon = (files("arena.web.rendering") / "mark.svg").read_bytes()
        self.icon = StaticFile.make(ICON, icon, cache_control="public, max-age=86400")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_runtime = path in STREAMLIT_EXACT or path.startswith(STREAMLIT_PATHS)
        if scope["type"] == "lifespan" or is_runtime:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            response = await self._respond(scope, path)
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, path: str) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            known = path in PAGE_BY_PATH or path in ICON_PATHS or path == "/robots.txt"
            if known:
                allow = {"Allow": "GET, HEAD"}
                return PlainTextResponse("Method not allowed.", 405, headers=allow)
            return self._not_found()
        if file := await self._find(path):
            return file.response(Headers(scope=scope))
        if path == "/robots.txt":
            return PlainTextResponse(ROBOTS.format(base=self.base_path))
        if path.endswith("/") and path.rstrip("/") in PAGE_BY_PATH:
            # Relative, so that it is right below any path.
            return RedirectResponse(f"../{path.strip('/')}", 308)
        return self._not_found()

    async def _find(self, path: str) -> StaticFile | None:
        if path in self.files:
            return self.files[path]
        if path in ICON_PATHS:
            return self.icon
        if path.startswith(STATIC_PREFIX):
            return await self.static.get(path.removeprefix(STATIC_PREFIX))
        return None

    def _not_found(self) -> Response:
        text = NOT_FOUND.format(base=escape(self.base_path, quote=True), site=escape(self.site))
        return HTMLResponse(text, 404, headers={"Cache-Control": REVALIDATE})
