"""`/releases`: the published releases, with their files."""

from html import escape
from importlib.resources import files

import streamlit as st

from arena.published import list_published
from arena.text import pluralize, track_label, utc_text
from arena.web.rendering.tables import Column, render_table
from arena.web.rendering.theme import PALETTES
from arena.web.routes.releases import ReleaseResponse, release_response
from arena.web.views.app_state import get_arena

CACHE_S = 5  # readers within this time share one look at the folder
NONE_YET = (
    "<div class='notice'><h2>No release is published yet</h2><p>Whoever runs this arena publishes "
    "one with <code style='white-space: nowrap'>arena export --publish</code>.</p></div>"
)
LEAD = (
    "<h1 class='board-title'>Releases</h1><p class='board-lead'>All votes, with what they are "
    "about and the seals over them. Download a release as one .zip and run <code>arena verify "
    "FILE.zip --key FINGERPRINT</code>, with the key that you know to be this arena's: it checks "
    "every signature and recomputes every leaderboard from these files alone.</p>"
)


@st.cache_data(ttl=CACHE_S, max_entries=1, show_spinner=False)
def _releases() -> list[dict[str, object]]:
    settings = get_arena().settings
    return [
        release_response(each, settings.base_path).model_dump()
        for each in list_published(settings.home)
    ]


def show_releases() -> None:
    """Render the page."""
    palette = PALETTES.get(st.context.theme.type or "dark", PALETTES["dark"])
    sheet = (files("arena.web.views") / "board.css").read_text(encoding="utf-8")
    st.html(f"<style>:root {{ {palette.as_css('board-')} }}\n{sheet}</style>")
    st.html(LEAD)
    found = [ReleaseResponse.model_validate(each) for each in _releases()]
    st.html(render_releases(found) if found else NONE_YET)


def render_releases(releases: list[ReleaseResponse]) -> str:
    """The table of releases, with every text escaped."""
    return render_table(
        "Releases", RELEASE_TABLE, [(each, "") for each in releases], is_stacked=True
    )


def _files(release: ReleaseResponse) -> str:
    links = " · ".join(
        f"<a href='{escape(file.url, quote=True)}' download>{escape(file.name)}</a>"
        for file in release.files
        if "/" not in file.name
    )
    return f"<details><summary>Single files</summary>{links}</details>"


def _archive(release: ReleaseResponse) -> str:
    url = escape(release.archive, quote=True)
    return f"<a href='{url}' download>{escape(release.id)}.zip</a>"


RELEASE_TABLE = (
    Column[ReleaseResponse](
        "Release",
        lambda row: f"<b>{escape(row.id)}</b><small>{utc_text(row.made_at)}</small>",
        is_name=True,
    ),
    Column[ReleaseResponse](
        "Tracks",
        lambda row: escape(", ".join(map(track_label, row.tracks))),
        css="status",
    ),
    Column[ReleaseResponse](
        "Votes",
        lambda row: f"{row.votes:,}<small>{row.simulated:,} simulated</small>",
    ),
    Column[ReleaseResponse](
        "Size",
        lambda row: f"{row.bytes / 1e6:,.1f} MB<small>{pluralize(len(row.files), 'file')}</small>",
    ),
    Column[ReleaseResponse](
        "Signed by",
        lambda row: f"<small>{escape(row.key)}</small>",
        "Fingerprint of the arena's key, which arena verify --key compares",
        css="status",
    ),
    Column[ReleaseResponse]("Download", _archive, css="status"),
    Column[ReleaseResponse]("Files", _files, css="status wrapped"),
)
