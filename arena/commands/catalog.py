"""`arena tracks`, `arena entrants`, `arena prompts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import open_configured_arena
from arena.commands.output import out, show_table
from arena.commands.typer_app import App
from arena.text import pluralize

if TYPE_CHECKING:
    from arena.catalog.catalog import AddedEntrant

tracks_app = App(
    help="List and add tracks: sets of clips that are compared under identical settings."
)
entrants_app = App(help="List, add and retire entrants: the model versions that compete.")
prompts_app = App(
    help="List, import and retire prompts: the texts from which every entrant generates clips."
)


@tracks_app.command("list")
def list_tracks() -> None:
    """List the tracks and their settings."""
    from arena.catalog import catalog

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
    """Add a track; its settings never change afterwards."""
    from arena.catalog import catalog
    from arena.catalog.schemas import read_track
    from arena.context import utc_now

    entry = read_track(file)
    with open_configured_arena().database.writing() as session:
        change = catalog.add_track(session, entry, now=utc_now()).change
    if change is catalog.Change.ADDED:
        out.print(f"Added the track {entry.name}. Next: `arena entrants add FILE`.")
    else:
        out.print(f"The track {entry.name} already exists, unchanged.")


@entrants_app.command("list")
def list_entrants() -> None:
    """List the entrants by their public names."""
    from arena.catalog import catalog

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
    """Add a model version, after checking that its backend supports its tracks."""
    from arena import production
    from arena.catalog import catalog
    from arena.context import utc_now

    arena = open_configured_arena()
    entry = production.read_entrant_file(file)
    with arena.database.writing() as session:
        added = catalog.add_entrant(session, entry, now=utc_now())
        production.check_entrant(entry, added.entrant.tracks)
        sentence = _describe(added)
    out.print(f"{sentence} Next: `arena generate`.")


def _describe(added: "AddedEntrant") -> str:
    from arena.catalog.catalog import Change

    name = added.entrant.shown_name
    match added.change:
        case Change.ADDED:
            return f"Added {name}."
        case Change.UPDATED:
            changes = ["replaced its settings"] * added.new_settings
            if added.new_tracks:
                changes.append(f"entered it in {', '.join(added.new_tracks)}")
            return f"Updated {name}: {' and '.join(changes)}."
        case Change.UNCHANGED:
            return f"{name} already exists, unchanged."


@entrants_app.command("retire")
def retire_entrant(
    entrant: Annotated[str, typer.Argument(help="The entrant's slug, name or codename.")],
) -> None:
    """Retire an entrant; its clips and votes stay, and it stays listed."""
    from arena.catalog import catalog
    from arena.context import utc_now

    with open_configured_arena().database.writing() as session:
        row = catalog.find_entrant(session, entrant)
        was_active, name = catalog.retire(session, row, now=utc_now()), row.shown_name
    out.print(f"Retired {name}." if was_active else f"{name} was already retired.")


@prompts_app.command("list")
def list_prompts() -> None:
    """List the prompts."""
    from arena.catalog import catalog

    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(prompt.id, prompt.text, ", ".join(prompt.categories)),
                ", ".join(track.name for track in prompt.tracks),
                "yes" if prompt.retired_at else None,
            )
            for prompt in catalog.list_prompts(session)
        ]
    show_table("Prompts", ("id", "text", "categories", "tracks", "retired"), rows)


@prompts_app.command("import")
def import_prompts(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file with id and text.")],
) -> None:
    """Import the prompts of a file, all of them or none."""
    from arena.catalog import catalog
    from arena.catalog.schemas import read_prompts
    from arena.catalog.sources import copied_sources
    from arena.context import utc_now

    entries = read_prompts(file)
    arena = open_configured_arena()
    with (
        copied_sources(arena.database, arena.store, entries) as sources,
        arena.database.writing() as session,
    ):
        imported = catalog.import_prompts(session, entries, sources=sources, now=utc_now())
    sentences = [f"Added {pluralize(imported.added, 'prompt')}."]
    if imported.existing:
        sentences.append(f"Already stored: {imported.existing:,}.")
    if imported.updated:
        sentences.append(f"Entered in further tracks: {imported.updated:,}.")
    out.print(" ".join(sentences))


@prompts_app.command("retire")
def retire_prompt(prompt_id: Annotated[str, typer.Argument(help="The prompt's id.")]) -> None:
    """Retire a prompt; its clips and votes stay."""
    from arena.catalog import catalog
    from arena.context import utc_now

    with open_configured_arena().database.writing() as session:
        prompt = catalog.find_prompt(session, prompt_id)
        was_active = catalog.retire(session, prompt, now=utc_now())
    name = f"the prompt {prompt_id}"
    out.print(f"Retired {name}." if was_active else f"{name.capitalize()} was already retired.")
