"""The command `arena status`."""

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.commands.options import open_configured_arena
from arena.commands.output import TableFormat, out, show_json, show_table

if TYPE_CHECKING:
    from arena.context import Arena

BYTES_PER_GB = 1e9
NOTES = 10  # printed; JSON has all


def _misnamed_files(arena: "Arena") -> list[str]:
    """Return sentences on files of clip folders that match no prompt."""
    from arena.catalog.entrant_details import has_folder
    from arena.catalog.entrants import list_entrants

    with arena.database.reading() as session:
        entrants = [each for each in list_entrants(session) if has_folder(each)]
        if not entrants:
            return []
        from arena import production  # loads the generator, which other arenas need not

        return production.misnamed_files_of(session, entrants)


def status(
    format: Annotated[
        TableFormat, typer.Option("--format", help="Output format; csv has the tracks only.")
    ] = TableFormat.TABLE,
) -> None:
    """Show tracks, clips ready, missing and failed, votes, disk and health."""
    from arena.context import utc_now
    from arena.status import TrackStatus, next_steps, read_status

    arena = open_configured_arena()
    found = read_status(arena, now=utc_now())
    found = replace(found, notes=(*found.notes, *_misnamed_files(arena)))
    if format is TableFormat.JSON:
        document: dict[str, Any] = {"home": str(arena.settings.home), **asdict(found)}
        show_json(document | {"healthy": not found.problems})
        return
    columns = [field.name.replace("_", " ") for field in fields(TrackStatus)]
    rows = [list(asdict(track).values()) for track in found.tracks]
    show_table("Tracks", ["track", *columns[1:]], rows, format)
    if format is TableFormat.CSV:
        return
    used, free = (size / BYTES_PER_GB for size in (found.used_bytes, found.free_bytes))
    out.print(f"Arena: {arena.settings.home}, {used:.2f} GB used, {free:.1f} GB free.")
    out.print("Health: " + (" ".join(found.problems) or "database and media store respond."))
    for note in found.notes[:NOTES]:
        out.print(note)
    if len(found.notes) > NOTES:
        out.print(f"… and {len(found.notes) - NOTES:,} more: `arena status --format json`.")
    first, *others = next_steps(found.tracks)
    out.print(f"Next: {first}")
    for step in others:
        out.print(f"      {step}")
