"""The duel: a Streamlit component that shows two clips, takes a vote and goes on to the next pair.

`show_duel` mounts it; `assets/` holds its JavaScript modules and style sheet, served by
`arena.web.assets` and used as they are (no build step). Start reading in `assets/duel.js`. The
component calls the API itself (`assets/api.js`), so a vote causes no Streamlit rerun and none is
lost when the page's WebSocket drops.
"""

from importlib.resources import files

import streamlit as st

from arena.web.assets import asset_url

KEY = "duel"  # fixed: without a key the component is mounted again whenever its data change


def show_duel() -> None:
    """Mount the duel on the current page."""
    module = asset_url("mount.js")
    # Streamlit imports a component's module from a blob, where relative URLs do not resolve, and
    # treats text of a single line as a file's path.
    entry = f"""export default async (component) => {{
  const duel = await import(new URL("{module}", location.origin).href);
  return duel.mount(component);
}};
"""
    style = (files("arena.web.duel") / "assets" / "duel.css").read_text(encoding="utf-8")
    component = st.components.v2.component(
        "hippodrome.duel", js=entry, css=style, html="", isolate_styles=False
    )
    component(key=KEY)
