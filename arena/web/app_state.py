"""The arena that this process serves, for the pages.

Streamlit runs its script by path and passes no arguments, so pages look the arena up here.
`make_app` sets it once, before the first script run. The API receives its arena as an argument.
"""

from arena.context import Arena

_current: list[Arena] = []


def set_arena(arena: Arena) -> None:
    """Set the arena that this process serves."""
    _current[:] = [arena]


def get_arena() -> Arena:
    """The arena that this process serves."""
    if not _current:
        raise RuntimeError("no arena is set: start the pages with arena.web.app")
    return _current[0]
