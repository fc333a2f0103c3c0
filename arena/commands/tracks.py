"""`arena tracks`."""

from pathlib import Path
from typing import Annotated

import typer

from arena.commands.options import YesOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, confirm, out, show_table
from arena.commands.typer_app import App

tracks_app = App(
    help="List, add and close tracks: sets of clips that are compared under identical settings.",
    examples=["arena tracks list", "arena tracks add my-track.toml"],
)


@tracks_app.command("list", examples=["arena tracks list", "arena tracks list --format json"])
def list_tracks(format: FormatOption = TableFormat.TABLE) -> None:
    """List the tracks and their settings."""
    from arena.catalog import catalog

    columns = (
        *("track", "audio", "width", "height", "fps", "frames", "kbps", "bytes"),
        *("entrants", "prompts", "closed"),
    )
    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(track.name, "yes" if track.audio else "no", track.width, track.height),
                *(track.fps, track.frames, track.video_kbps, track.bytes),
                *(len(track.entrants), len(track.prompts)),
                "yes" if track.closed_at else None,
            )
            for track in catalog.list_tracks(session)
        ]
    show_table(
        "Tracks", columns, rows, format, if_empty="No tracks yet. Next: `arena tracks add FILE`."
    )


@tracks_app.command("add", examples=["arena tracks add my-track.toml"])
def add_track(file: Annotated[Path, typer.Argument(help="The track's TOML file.")]) -> None:
    """Add a track; its settings never change afterwards."""
    from arena.catalog import catalog
    from arena.catalog.schemas import read_track
    from arena.context import utc_now

    entry = read_track(file)
    with open_configured_arena().database.writing() as session:
        change = catalog.add_track(session, entry, now=utc_now()).change
    if change is catalog.Change.ADDED:
        out.print(
            f"Added the track {entry.name}. "
            "Next: `arena entrants add FILE`, `arena prompts import FILE`."
        )
    else:
        out.print(f"The track {entry.name} already exists, unchanged.")


@tracks_app.command("close", examples=["arena tracks close text-to-video"])
def close_track(
    track: Annotated[str, typer.Argument(help="The track's name.")], yes: YesOption = False
) -> None:
    """Close a track for good: no more clips or votes; its leaderboard stays."""
    from arena.catalog import catalog
    from arena.context import utc_now

    arena = open_configured_arena()
    with arena.database.reading() as session:
        if catalog.find_track(session, track).closed_at is not None:
            out.print(f"The track {track} is already closed.")
            return
    confirm(f"Close the track {track} for good? It takes no more votes and no more clips.", yes=yes)
    with arena.database.writing() as session:
        catalog.close_track(session, catalog.find_track(session, track), now=utc_now())
    out.print(f"Closed the track {track}. Next: `arena export DIR --track {track}`.")
