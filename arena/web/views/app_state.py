"""The arena that this process serves, for the pages.

Streamlit runs its script by path and passes no arguments, so pages look the arena up here.
`make_app` sets it once, before the first script run. The API receives its arena as an argument.
"""

from arena.context import Arena
from arena.site import Site, read_site

_current: list[Arena] = []
_site: list[Site] = []


def set_arena(arena: Arena) -> None:
    """Set the arena that this process serves, and read its operator's texts and logo."""
    _current[:] = [arena]
    _site[:] = [read_site(arena.settings)]


def get_site() -> Site:
    """The operator's name, texts and logo."""
    get_arena()
    return _site[0]


def get_arena() -> Arena:
    """The arena that this process serves."""
    if not _current:
        raise RuntimeError("no arena is set: start the pages with arena.web.app")
    return _current[0]
