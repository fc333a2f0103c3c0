"""The arena that this process serves.

Streamlit runs its script by path and passes it nothing, so what the pages read has to be found by
name. This slot is filled once, by `serve`, before the first script run; the API gets its arena as
an argument.
"""

from arena.context import Arena

_serving: list[Arena] = []


def set_arena(arena: Arena) -> None:
    """Name the arena whose pages this process serves."""
    _serving[:] = [arena]


def get_arena() -> Arena:
    """The arena of this process."""
    if not _serving:
        raise RuntimeError("the pages were started without an arena; use arena.web.app")
    return _serving[0]
