"""The commands `arena generate`, `failures` and `import`.

The database, and the generator with torch, are imported only when there is work for them.
"""

from pathlib import Path
from typing import Annotated

import typer

from arena.commands.bills import Budget
from arena.commands.generating import (
    generate_missing,
    make_honey_copies,
    recheck_clips,
    rerender_clips,
)
from arena.commands.options import (
    EntrantOption,
    RayOption,
    TrackOption,
    WorkersOption,
    YesOption,
    open_configured_arena,
)
from arena.commands.output import FormatOption, TableFormat, out, show_table
from arena.commands.selection import select
from arena.errors import ProductionError
from arena.files import atomic_write
from arena.text import pluralize


def generate(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Generate at most N clips.", metavar="N")
    ] = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    recheck: Annotated[
        int | None,
        typer.Option(
            "--recheck",
            min=1,
            metavar="N",
            help="Instead, generate N random clips again and compare them.",
        ),
    ] = None,
    masters_of: Annotated[
        str | None,
        typer.Option(
            "--masters-of",
            metavar="TRACK",
            help="Render from another track's masters instead of running the model.",
        ),
    ] = None,
    order_again: Annotated[
        bool,
        typer.Option(
            "--order-again",
            help="Also order clips again that may have been billed, or that were refused.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print what paid services would be asked for."),
    ] = False,
    max_usd: Annotated[
        float | None,
        typer.Option(
            "--max-usd",
            min=0,
            metavar="N",
            help="Order only until the sum of list prices would pass N US dollars.",
        ),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Generate all missing clips. If interrupted, run it again to resume.

    Then make the damaged copies of a few clips, for honey pairs.
    """
    arena = open_configured_arena()
    if masters_of is not None:
        if track is None or recheck is not None:
            raise ProductionError("--masters-of needs --track and cannot be used with --recheck.")
        rerender_clips(
            arena, masters_of, track=track, entrant=entrant, limit=limit, workers=workers, ray=ray
        )
        make_honey_copies(arena, track=track)
    elif recheck is None:
        has_new = generate_missing(
            arena,
            track=track,
            entrant=entrant,
            limit=limit,
            workers=workers,
            ray=ray,
            order_again=order_again,
            budget=Budget(dry_run, max_usd, yes),
        )
        if not dry_run:
            make_honey_copies(arena, track=track)
        if has_new:
            out.print("Next: `arena serve`.")
    elif limit is not None:
        raise ProductionError(
            "--limit cannot be used with --recheck, which sets the number itself."
        )
    else:
        recheck_clips(
            arena,
            recheck,
            track=track,
            entrant=entrant,
            workers=workers,
            ray=ray,
            budget=Budget(dry_run, max_usd, yes),
        )


def failures(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Write an HTML page with thumbnails instead.",
        ),
    ] = None,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List failed clips with their reasons.

    `arena generate` tries them again, but not what a service has refused or may have billed.
    """
    from arena.production.failures import failures_page, list_failures

    arena = open_configured_arena()
    with arena.database.reading() as session:
        failed = list_failures(session, **select(session, track, entrant))
    if page is not None:
        try:
            with atomic_write(page) as draft:
                draft.write_text(failures_page(failed, arena.store), encoding="utf-8")
        except OSError as error:
            raise ProductionError(f"{page} cannot be written: {error.strerror}.") from error
        out.print(f"Wrote {pluralize(len(failed), 'failed clip')} to {page}.")
        return
    columns = ("entrant", "track", "prompt", "seed", "reason")
    rows = [(each.entrant, each.track, each.prompt_id, each.seed, each.reason) for each in failed]
    show_table("Failed clips", columns, rows, format, if_empty="No clip has failed.")


def import_clips(
    manifest: Annotated[
        Path, typer.Argument(help="A CSV file: entrant, prompt_id, track, path[, seed].")
    ],
) -> None:
    """Import clips made elsewhere, all of them or none."""
    from arena import production
    from arena.catalog.manifest import read_manifest
    from arena.commands.progress import progress
    from arena.context import utc_now

    arena = open_configured_arena()
    rows = read_manifest(manifest)
    with progress("Importing clips", len(rows)) as advance:
        added = production.import_clips(
            arena.database,
            arena.store,
            rows,
            clock=utc_now,
            on_clip=lambda row: advance(note=row.entrant),
        )
    existing = len(rows) - added
    note = f" {pluralize(existing, 'clip')} already existed, unchanged." if existing else ""
    make_honey_copies(arena)
    out.print(f"Added {pluralize(added, 'clip')}.{note} Next: `arena serve`.")
