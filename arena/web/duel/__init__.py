"""The vote page: shows two clips, takes a vote and goes on to the next pair.

`arena.web.frontend.vote_page` loads it with the page, without Streamlit; `show_duel` opens it when
Streamlit comes to the page from another one. `assets/` holds its JavaScript modules and style
sheets, served by `arena.web.frontend.assets` and used as they are (no build step); also the module
of the page of own votes, which shares the API client. Start reading in `assets/mount.js` and
`assets/duel.js`. The page calls the API itself (`assets/api.js`), so a vote causes no Streamlit
rerun and none is lost when Streamlit's WebSocket drops.
"""

import streamlit as st

from arena.web.frontend.assets import asset_url

KEY = "duel"  # fixed: without a key the component is mounted again whenever its data change


def show_duel() -> None:
    """Show the duel while the current page is open."""
    module = asset_url("mount.js")
    # Streamlit imports a component's module from a blob, where relative URLs do not resolve: all
    # pages are one level below the arena's address. Text of a single line would be a file's path.
    entry = f"""export default async () => {{
  const duel = await import(new URL(".{module}", document.baseURI).href);
  return duel.mount();
}};
"""
    component = st.components.v2.component(
        "hippodrome.duel", js=entry, html="", isolate_styles=False
    )
    component(key=KEY)
