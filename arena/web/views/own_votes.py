"""`/me`: the votes of this browser, what is stored of its voter, and how to leave."""

import streamlit as st

from arena.web.frontend.assets import asset_url

STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: 1180px; padding-top: 5rem; padding-bottom: 5rem }
</style>"""
KEY = "own-votes"


def show_own_votes() -> None:
    """Render the page; its module reads the votes from the API, with the browser's own cookie."""
    st.html(STYLE)
    module = asset_url("own-votes.js")
    # Like the duel's: a component's module is imported from a blob, without a base URL.
    entry = f"""export default async ({{ parentElement }}) => {{
  const page = await import(new URL(".{module}", document.baseURI).href);
  return page.mount(parentElement);
}};
"""
    component = st.components.v2.component(
        "hippodrome.own_votes", js=entry, html="<div></div>", isolate_styles=False
    )
    component(key=KEY)
