"""Options that several commands share."""

from typing import Annotated

import typer

from arena.context import Arena, open_arena
from arena.settings import load_settings

TrackOption = Annotated[str | None, typer.Option("--track", help="Only this track.")]
EntrantOption = Annotated[
    str | None, typer.Option("--entrant", help="Only this one: slug, name or codename.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: one a core or GPU.")
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", help="A Ray cluster that makes them: host:port, auto or local."),
]
PortOption = Annotated[
    int, typer.Option("--port", envvar="PORT", min=0, max=65535, help="Where to listen.")
]


def open_configured_arena() -> Arena:
    """The arena that the settings of this process name."""
    return open_arena(load_settings())
