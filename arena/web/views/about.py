"""`/about`: how the arena works, with the operator's own texts."""

import streamlit as st

from arena.web.rendering.branding import about_markdown
from arena.web.views.app_state import get_arena, get_site

STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: 780px; padding-top: 5rem; padding-bottom: 5rem }
</style>"""


def show_about() -> None:
    """Render the page."""
    st.html(STYLE)
    st.markdown(about_markdown(get_site(), base_path=get_arena().settings.base_path))
