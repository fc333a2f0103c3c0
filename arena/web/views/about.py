"""`/about`: how the arena works, from `about.md`."""

from importlib.resources import files

import streamlit as st

from arena.web.app_state import get_arena

STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: 780px; padding-top: 5rem; padding-bottom: 5rem }
</style>"""


def show_about() -> None:
    """Render the page."""
    st.html(STYLE)
    text = (files("arena.web.views") / "about.md").read_text(encoding="utf-8")
    st.markdown(text.replace("](/", f"]({get_arena().settings.base_path}/"))
