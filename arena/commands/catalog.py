"""`arena tracks`, `arena entrants`, `arena prompts`."""

from pathlib import Path
from typing import Annotated

import typer

from arena import catalog
from arena.commands.options import open_here
from arena.console import out, show_table
from arena.entries import read_prompts, read_track
from arena.home import utc_now

tracks_app = typer.Typer(help="Tracks: pools of comparison with identical settings.")
entrants_app = typer.Typer(help="Entrants: model versions as they compete.")
prompts_app = typer.Typer(help="Prompts: what every entrant is asked.")


@tracks_app.command("list")
def list_tracks() -> None:
    """List the tracks and their terms."""
    columns = ("track", "audio", "size", "fps", "frames", "kbit/s", "bytes", "entrants", "prompts")
    with open_here().database.reading() as session:
        rows = [
            (
                *(track.name, "yes" if track.audio else "no", f"{track.width}x{track.height}"),
                *(track.fps, track.frames, track.video_kbps, track.bytes),
                *(len(track.entrants), len(track.prompts)),
            )
            for track in catalog.list_tracks(session)
        ]
    show_table("Tracks", columns, rows)


@tracks_app.command("add")
def add_track(file: Annotated[Path, typer.Argument(help="The track's TOML file.")]) -> None:
    """Enter a track; its terms never change afterwards."""
    entry = read_track(file)
    with open_here().database.writing() as session:
        catalog.add_track(session, entry, now=utc_now())
    out.print(f"The track {entry.name} is in.")


@entrants_app.command("list")
def list_entrants() -> None:
    """List the entrants by the names that the public sees."""
    columns = ("slug", "model", "creator", "licence", "release date", "tracks", "retired")
    with open_here().database.reading() as session:
        rows = [
            (
                *(entrant.slug, entrant.shown_name, entrant.shown_creator, entrant.licence),
                entrant.release_date,
                ", ".join(track.name for track in entrant.tracks),
                "yes" if entrant.retired_at else None,
            )
            for entrant in catalog.list_entrants(session)
        ]
    show_table("Entrants", columns, rows)


@entrants_app.command("add")
def add_entrant(file: Annotated[Path, typer.Argument(help="The entrant's TOML file.")]) -> None:
    """Enter a model version, after checking that its backend can serve its tracks."""
    from arena import production

    arena = open_here()
    entry = production.read_entrant_file(file)
    with arena.database.writing() as session:
        entrant = catalog.add_entrant(session, entry, now=utc_now())
        production.check_entrant(entry, entrant.tracks)
        shown = entrant.shown_name
    out.print(f"{shown} is in; `arena generate` makes its clips.")


@prompts_app.command("list")
def list_prompts() -> None:
    """List the prompts."""
    with open_here().database.reading() as session:
        rows = [
            (prompt.id, prompt.text, ", ".join(prompt.categories), len(prompt.tracks))
            for prompt in catalog.list_prompts(session)
        ]
    show_table("Prompts", ("id", "text", "categories", "tracks"), rows)


@prompts_app.command("import")
def import_prompts(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file with id and text.")],
) -> None:
    """Enter the prompts of a file, all of them or none."""
    entries = read_prompts(file)
    with open_here().database.writing() as session:
        added, known = catalog.import_prompts(session, entries, now=utc_now())
    out.print(f"{added} prompts are new, {known} were here already.")
