"""The script that Streamlit runs on each visit: navigation, then the selected page."""

from importlib.resources import files

import streamlit as st

from arena.web.views.about import show_about
from arena.web.views.leaderboard import show_leaderboard
from arena.web.views.vote import show_vote

MARK = str(files("arena.web.views") / "mark.svg")
LOGO = str(files("arena.web.views") / "logo.svg")

st.set_page_config(page_title="Hippodrome", page_icon=MARK, layout="wide")
st.logo(LOGO, size="large", link=None, icon_image=MARK)
page = st.navigation(
    [
        st.Page(show_vote, title="Vote", default=True),
        st.Page(show_leaderboard, title="Leaderboard", url_path="leaderboard"),
        st.Page(show_about, title="About", url_path="about"),
    ],
    position="top",
)
page.run()
