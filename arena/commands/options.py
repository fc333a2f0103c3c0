"""Options that several commands share, and how a command opens its arena."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from arena.context import Arena

TrackOption = Annotated[
    str | None, typer.Option("--track", metavar="TRACK", help="Only this track.")
]
EntrantOption = Annotated[
    str | None, typer.Option("--entrant", help="Only this entrant: slug, name or codename.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="Number of processes; default: one per core or GPU."
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", help="Generate on a Ray cluster: host:port, auto or local."
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
PortOption = Annotated[
    int, typer.Option("--port", envvar="PORT", min=0, max=65535, help="The port to listen on.")
]


def open_configured_arena() -> "Arena":
    """Open the arena of this process's settings."""
    from arena.context import open_arena
    from arena.settings import load_settings

    return open_arena(load_settings())
