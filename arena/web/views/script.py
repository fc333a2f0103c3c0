"""The script that Streamlit runs on each visit: navigation, then the selected page."""

from importlib.resources import files

import streamlit as st

from arena.web.frontend.navigation import PAGE_BY_PATH, PAGES
from arena.web.rendering.branding import logo_svg
from arena.web.views.about import show_about
from arena.web.views.app_state import get_site
from arena.web.views.leaderboard import show_leaderboard
from arena.web.views.own_votes import show_own_votes
from arena.web.views.releases import show_releases
from arena.web.views.vote import show_vote

MARK = str(files("arena.web.rendering") / "mark.svg")
VIEWS = {
    "": show_vote,
    "leaderboard": show_leaderboard,
    "releases": show_releases,
    "me": show_own_votes,
    "about": show_about,
}

st.logo(logo_svg(get_site()), size="large", link=None)
page = st.navigation(
    [
        st.Page(VIEWS[page.path], title=page.title, url_path=page.path, default=not page.path)
        for page in PAGES
    ],
    position="top",
)
headline = PAGE_BY_PATH[f"/{page.url_path}"].headline
title = f"{headline} · {get_site().title}"
st.set_page_config(page_title=title, page_icon=MARK, layout="wide")
page.run()
