"""`/`: the vote page."""

import streamlit as st

from arena.web.duel import show_duel

# Narrow margins leave more space for the clips.
STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.2rem 1.6rem 0; max-width: none }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4rem .9rem 0 } }
</style>"""


def show_vote() -> None:
    """Render the page; the component does everything else."""
    st.html(STYLE)
    show_duel()
