"""`arena claim`."""

from pathlib import Path
from typing import Annotated

import typer

from arena.commands.options import open_configured_arena
from arena.commands.output import out


def claim(
    codename: Annotated[str, typer.Argument(help="The codename to claim.")],
    opening: Annotated[
        Path,
        typer.Option("--opening", metavar="FILE", help="The file that `entrants add` wrote."),
    ],
) -> None:
    """Publish who runs under a codename, after checking the opening against its commitment."""
    from arena.audit.seals import seal_votes
    from arena.catalog import claims
    from arena.catalog.openings import read_opening
    from arena.context import utc_now

    arena = open_configured_arena()
    document = read_opening(opening)
    claimed = arena.database.write(
        lambda session: claims.claim(session, codename, document, now=utc_now())
    )
    entrant = claimed.entrant
    if not claimed.is_new:
        out.print(f"{entrant.codename} is claimed already: it is {entrant.name}.")
        return
    seal_votes(arena, now=utc_now())
    out.print(
        f"{entrant.codename} is {entrant.name} by {entrant.creator}; its whole history bears the "
        "name now. Next: `arena export DIR` publishes the opening."
    )
