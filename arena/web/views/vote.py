"""`/`: the duel."""

import streamlit as st

from arena.web.duel import show_duel

# The clips get the room: no more air above and beside them than they need.
STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.2rem 1.6rem 0; max-width: none }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4rem .9rem 0 } }
</style>"""


def show_vote() -> None:
    """Two clips of one prompt, in step; the component does the rest."""
    st.html(STYLE)
    show_duel()
