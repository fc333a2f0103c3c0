"""The duel: two clips in step, one vote, the next pair. A Streamlit component without reruns.

The component speaks to the API by itself (`assets/client.js`), so a vote costs no script run and
the page's socket may drop without losing one. Streamlit mounts it and lends it the theme.
"""

from importlib.resources import files

import streamlit as st

from arena.web.assets import asset_url

KEY = "duel"  # fixed: without one the element is made anew whenever its data change


def show_duel() -> None:
    """Mount the duel in the page that is being drawn."""
    module = asset_url("mount.js")
    # A component's module is imported from a blob, where relative addresses mean nothing; and
    # only text of more than one line is taken for a module and not for a file's path.
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
