"""`arena generate` and `arena import`. The generator is loaded when there is work for it."""

from pathlib import Path
from typing import Annotated

import typer

from arena import catalog
from arena.commands.options import EntrantOption, TrackOption, WorkersOption, open_here
from arena.console import out, progress
from arena.errors import ProductionError
from arena.home import Arena, utc_now
from arena.manifest import read_manifest


def generate(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Generate every clip that is missing; stopped or killed, run it again."""
    generate_missing(open_here(), track=track, entrant=entrant, limit=limit, workers=workers)


def generate_missing(
    arena: Arena, *, track: str | None, entrant: str | None, limit: int | None, workers: int | None
) -> None:
    from arena import production

    with arena.database.reading() as session:
        missing = production.find_missing(
            session,
            track=catalog.find_track(session, track) if track else None,
            entrant=catalog.find_entrant(session, entrant) if entrant else None,
        )[:limit]
    if not missing:
        out.print("No clip is missing.")
        return
    reasons: list[str] = []
    with progress("Generating clips", len(missing)) as advance:
        for result in production.produce(
            arena.database, arena.store, missing, workers=workers, clock=utc_now
        ):
            if reason := production.failure_of(result):
                reasons.append(reason)
            advance(note=result.request.entrant.name)
    out.print(f"{len(missing) - len(reasons)} clips are new.")
    if reasons:
        raise ProductionError(f"{len(reasons)} clips failed; the first: {reasons[0]}")


def import_clips(
    manifest: Annotated[Path, typer.Argument(help="CSV: entrant, prompt_id, track, path[, seed].")],
) -> None:
    """Take in clips made elsewhere, all of them or none."""
    from arena import production

    arena = open_here()
    rows = read_manifest(manifest)
    with progress("Taking in clips", len(rows)) as advance:
        production.import_clips(
            arena.database,
            arena.store,
            rows,
            clock=utc_now,
            on_clip=lambda row: advance(note=row.entrant),
        )
    out.print(f"{len(rows)} clips are in.")
