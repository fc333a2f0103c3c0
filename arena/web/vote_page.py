"""The HTML of `/`: Streamlit's index page that also loads the vote page's own modules.

Streamlit needs its scripts, a WebSocket and a run of the script before it shows anything. The vote
page needs none of them: it starts as soon as its modules are there, at the same time as Streamlit.
"""

from functools import cache
from pathlib import Path

import streamlit
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from arena.web.assets import STYLES, asset_url, duel_assets

HEADERS = {"Cache-Control": "no-cache"}
ENTRY = "mount.js"
HEAD = "<head>"


@cache
def streamlit_index() -> str:
    """Streamlit's index page, as it ships."""
    path = Path(streamlit.__file__).parent / "static" / "index.html"
    return path.read_text(encoding="utf-8")


def vote_page_head() -> str:
    """The elements that load the vote page's styles and modules, in HTML.

    Every module is preloaded: the browser would otherwise find them one import after another.
    """
    modules = sorted(name for name in duel_assets() if name.endswith(".js"))
    return "\n".join(
        [
            *(f'<link rel="stylesheet" href="{asset_url(name)}">' for name in STYLES),
            f'<script type="module" src="{asset_url(ENTRY)}"></script>',
            *(
                f'<link rel="modulepreload" href="{asset_url(name)}">'
                for name in modules
                if name != ENTRY
            ),
        ]
    )


class VotePageMiddleware:
    """Answer `/` with the vote page, and pass every other request on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) != "/":
            return await self.app(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        html = streamlit_index().replace(HEAD, f"{HEAD}\n{vote_page_head()}", 1)
        await HTMLResponse(html, headers=HEADERS)(scope, receive, send)
