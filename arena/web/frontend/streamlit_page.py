"""Streamlit's index page and style sheet, as the arena sends them.

The installed page is the same for every application: it is named Streamlit, and loads fonts that
the arena does not use. Here it gets the titles, descriptions and icon of the arena's pages.
"""

import hashlib
import re
from html import escape
from importlib.resources import files
from pathlib import Path

import streamlit

from arena.web.frontend.navigation import Page
from arena.web.frontend.vote_page import defer_streamlit, vote_page_head

STREAMLIT_STATIC = Path(streamlit.__file__).parent / "static"
STYLE_SHEET = re.compile(r"\./static/css/(index\.[A-Za-z0-9_-]{8}\.css)")
FONT_FACE = re.compile(
    r"@font-face\{font-family:(Source [A-Za-z]+|Material Symbols Rounded);[^}]*\}"
)
# Streamlit asks for the icon font at the start of every page, by way of a space; the arena's pages
# have no icons. Without the space in its range, it is loaded only where an icon is shown.
ICON_RANGE = "unicode-range:U+21-10FFFF"
# What is removed from Streamlit's page: it names Streamlit, loads what is not used, or advertises
# the agent API, which is off.
REMOVED = (
    r"<!--\s*Machine-readable.*?-->",
    r"<link\s+rel=\"service-desc\"[^>]*>",
    r"<link\s+rel=\"shortcut icon\"[^>]*>",
    r"<link\s+rel=\"preload\"[^>]*as=\"font\"[^>]*>",
    r"<title>.*?</title>",
    r"<noscript>.*?</noscript>",
)
NO_SCRIPT = (
    "<noscript><p>Voting and the leaderboard need JavaScript. The API works without it: "
    "<a href='./api/docs'>its documentation</a>.</p></noscript>"
)

# Says why a page stays empty; named by its content, like Streamlit's files.
CONNECTION_SCRIPT = (files("arena.web.frontend") / "connection.js").read_bytes()


def _named_by_content(stem: str, content: bytes, suffix: str) -> str:
    """A URL path that changes with the content, so that it can be cached for ever."""
    return f"/static/{stem}.{hashlib.sha256(content).hexdigest()[:8]}{suffix}"


CONNECTION_URL = _named_by_content("connection", CONNECTION_SCRIPT, ".js")


def streamlit_page() -> str:
    """Streamlit's index page as it is installed."""
    return (STREAMLIT_STATIC / "index.html").read_text(encoding="utf-8")


def render_index(page: Page, *, site: str) -> str:
    """The HTML of a page: Streamlit's, with this page's title, description, icon and preloads."""
    html = streamlit_page()
    for pattern in REMOVED:
        html = re.sub(pattern, "", html, flags=re.DOTALL)
    # The pages are one level below the arena's address, so relative links work below any path.
    head = [
        f"<title>{escape(page.headline)} · {escape(site)}</title>",
        f'<meta name="description" content="{escape(page.description, quote=True)}" />',
        f'<meta property="og:title" content="{escape(page.headline, quote=True)}" />',
        f'<meta property="og:description" content="{escape(page.description, quote=True)}" />',
        f'<meta name="application-name" content="{escape(site, quote=True)}" />',
        f'<meta property="og:site_name" content="{escape(site, quote=True)}" />',
        '<meta name="color-scheme" content="light dark" />',
        '<link rel="icon" type="image/svg+xml" href="./favicon.svg" />',
    ]
    html = STYLE_SHEET.sub(f".{style_sheet()[0]}", html)
    if not page.path:
        html = defer_streamlit(html.replace("<head>", f"<head>\n{vote_page_head()}", 1))
    html = html.replace("</head>", "\n".join([*head, "</head>"]), 1)
    # Deferred scripts and modules run in the order of the page: this one before Streamlit's.
    connection = f'<script defer src=".{CONNECTION_URL}"></script>'
    html = html.replace("<head>", f"<head>\n{connection}", 1)
    return html.replace('<div id="root">', f'{NO_SCRIPT}<div id="root">', 1)


def style_sheet() -> tuple[str, bytes]:
    """The URL path and content of Streamlit's style sheet, without the fonts that are not used."""
    name = STYLE_SHEET.search(streamlit_page())
    if name is None:
        raise RuntimeError("Streamlit's index page has no style sheet of the known name")
    text = (STREAMLIT_STATIC / "static" / "css" / name[1]).read_text(encoding="utf-8")

    def replace(face: re.Match[str]) -> str:
        return "" if face[1].startswith("Source") else f"{face[0][:-1]};{ICON_RANGE}}}"

    content = FONT_FACE.sub(replace, text).encode()
    return _named_by_content("css/index", content, ".css"), content
