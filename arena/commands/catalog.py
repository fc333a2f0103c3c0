"""`arena tracks`, `arena entrants`, `arena prompts`."""

from pathlib import Path
from typing import Annotated

import typer

from arena.catalog import catalog
from arena.catalog.schemas import read_prompts, read_track
from arena.commands.options import open_configured_arena
from arena.commands.output import out, show_table
from arena.context import utc_now
from arena.text import pluralize

tracks_app = typer.Typer(help="Tracks: pools of comparison with identical settings.")
entrants_app = typer.Typer(help="Entrants: model versions as they compete.")
prompts_app = typer.Typer(help="Prompts: what every entrant is asked.")


@tracks_app.command("list")
def list_tracks() -> None:
    """List the tracks and their terms."""
    columns = ("track", "audio", "size", "fps", "frames", "kbit/s", "bytes", "entrants", "prompts")
    with open_configured_arena().database.reading() as session:
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
    with open_configured_arena().database.writing() as session:
        catalog.add_track(session, entry, now=utc_now())
    out.print(f"The track {entry.name} is in.")


@entrants_app.command("list")
def list_entrants() -> None:
    """List the entrants by the names that the public sees."""
    columns = ("slug", "model", "creator", "licence", "release date", "tracks", "retired")
    with open_configured_arena().database.reading() as session:
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

    arena = open_configured_arena()
    entry = production.read_entrant_file(file)
    with arena.database.writing() as session:
        entrant, outcome = catalog.add_entrant(session, entry, now=utc_now())
        production.check_entrant(entry, entrant.tracks)
        shown = entrant.shown_name
    out.print(f"{shown} {outcome}; `arena generate` makes its clips.")


@entrants_app.command("retire")
def retire_entrant(
    entrant: Annotated[str, typer.Argument(help="Its slug, name or codename.")],
) -> None:
    """Have an entrant compete no more; its clips and votes stay, and it stays listed."""
    with open_configured_arena().database.writing() as session:
        found = catalog.find_entrant(session, entrant)
        active, shown = catalog.retire(session, found, now=utc_now()), found.shown_name
    out.print(f"{shown} {'is retired' if active else 'was retired already'}.")


@prompts_app.command("list")
def list_prompts() -> None:
    """List the prompts."""
    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(prompt.id, prompt.text, ", ".join(prompt.categories), len(prompt.tracks)),
                "yes" if prompt.retired_at else None,
            )
            for prompt in catalog.list_prompts(session)
        ]
    show_table("Prompts", ("id", "text", "categories", "tracks", "retired"), rows)


@prompts_app.command("import")
def import_prompts(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file with id and text.")],
) -> None:
    """Enter the prompts of a file, all of them or none."""
    entries = read_prompts(file)
    with open_configured_arena().database.writing() as session:
        came = catalog.import_prompts(session, entries, now=utc_now())
    told = f"{pluralize(came.added, 'prompt')} new, {came.known:,} here already"
    out.print(f"{told}{f', {came.widened:,} of them in more tracks now' * bool(came.widened)}.")


@prompts_app.command("retire")
def retire_prompt(prompt_id: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Have a prompt asked no more; its clips and votes stay."""
    with open_configured_arena().database.writing() as session:
        active = catalog.retire(session, catalog.find_prompt(session, prompt_id), now=utc_now())
    out.print(f"The prompt {prompt_id} {'is retired' if active else 'was retired already'}.")
