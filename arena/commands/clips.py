"""Commands that make and take in clips. The generator is loaded when there is work for it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer
from sqlalchemy.orm import Session

from arena.catalog import catalog
from arena.catalog.manifest import read_manifest
from arena.commands.options import (
    EntrantOption,
    RayOption,
    TrackOption,
    WorkersOption,
    open_configured_arena,
)
from arena.commands.output import out, show_table
from arena.commands.progress import progress
from arena.context import Arena, utc_now
from arena.errors import ProductionError
from arena.models import Entrant, Track
from arena.production.failures import failures_page, list_failures
from arena.text import pluralize

if TYPE_CHECKING:
    from generator.clips import ClipRequest, FailedClip, GeneratedClip


class Chosen(TypedDict):
    """What a command is limited to."""

    track: Track | None
    entrant: Entrant | None


def generate(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    workers: WorkersOption = None,
    ray: RayOption = None,
    recheck: Annotated[
        int | None,
        typer.Option("--recheck", min=1, help="Make so many random clips again, and compare."),
    ] = None,
    masters_of: Annotated[
        str | None,
        typer.Option(
            "--masters-of", help="Run no model: render what this other track's masters are of."
        ),
    ] = None,
) -> None:
    """Generate every clip that is missing; stopped or killed, run it again."""
    arena = open_configured_arena()
    if masters_of is not None:
        if track is None or recheck is not None:
            raise ProductionError("--masters-of needs --track, and goes without --recheck.")
        rerender_clips(
            arena, masters_of, track=track, entrant=entrant, limit=limit, workers=workers, ray=ray
        )
    elif recheck is None:
        generate_missing(arena, track=track, entrant=entrant, limit=limit, workers=workers, ray=ray)
    elif limit is not None:
        raise ProductionError("--recheck says how many clips itself: leave --limit out.")
    else:
        recheck_clips(arena, recheck, track=track, entrant=entrant, workers=workers, ray=ray)


def generate_missing(
    arena: Arena,
    *,
    workers: int | None,
    track: str | None = None,
    entrant: str | None = None,
    limit: int | None = None,
    ray: str | None = None,
) -> None:
    """Make what is missing, with a line of progress for each entrant.

    Raises:
        ProductionError: clips failed: how many, and where to see why.
    """
    from arena import production

    with arena.database.reading() as session:
        missing = production.find_pending(session, **_chosen(session, track, entrant))[:limit]
        none_entered = not missing and not catalog.list_entrants(session)
    if not missing:
        none_yet = "There are no entrants yet: `arena entrants add` enters them."
        out.print(none_yet if none_entered else "No clip is missing.")
        return
    made = production.produce(
        arena.database, arena.store, missing, workers=workers, ray=ray, clock=utc_now
    )
    requests = [item.request for item in missing]
    _report("Generating clips", made, requests, listed="arena failures lists them")


def rerender_clips(
    arena: Arena,
    source: str,
    *,
    track: str,
    entrant: str | None,
    limit: int | None,
    workers: int | None,
    ray: str | None,
) -> None:
    """Render what a track lacks from another's masters: for terms that have changed.

    Raises:
        ProductionError: the tracks do not belong together, or clips failed.
    """
    from arena import production

    with arena.database.reading() as session:
        missing = production.find_pending(session, **_chosen(session, track, entrant))
        target, masters = (catalog.find_track(session, name) for name in (track, source))
        kept = production.find_stored_masters(
            session, arena.store, missing, target=target, source=masters
        )
    left, kept = len(missing) - len(kept), kept[:limit]
    if not kept:
        out.print(f"{source} has no master of a clip that {track} lacks.")
        return
    made = production.produce(
        arena.database, arena.store, kept, workers=workers, ray=ray, clock=utc_now
    )
    if left:
        out.print(
            f"No master there of {pluralize(left, 'missing clip')}: arena generate makes the rest."
        )
    requests = [item.request for item in kept]
    _report("Rendering masters", made, requests, listed="they are still missing")


def _report(
    title: str,
    made: Iterator["GeneratedClip | FailedClip"],
    requests: list["ClipRequest"],
    *,
    listed: str,
) -> None:
    """Follow clips as they are made, and say what came of them.

    Raises:
        ProductionError: clips failed: how many, and where to see why.
    """
    from arena import production

    reasons: list[str] = []
    totals = Counter(request.entrant.name for request in requests)
    with progress(title, len(requests), totals) as advance:
        for result in made:
            if reason := production.failure_reason(result):
                reasons.append(reason)
            advance(note=result.request.entrant.name)
    out.print(f"New: {pluralize(len(requests) - len(reasons), 'clip')}.")
    if reasons:
        raise ProductionError(
            f"{pluralize(len(reasons), 'clip')} failed ({listed}); the first: {reasons[0]}"
        )


def recheck_clips(
    arena: Arena,
    count: int,
    *,
    track: str | None,
    entrant: str | None,
    workers: int | None,
    ray: str | None,
) -> None:
    """Make random clips again and say how far they are from those that are there.

    Raises:
        ProductionError: some could not be made again, or to other bits on the same hardware.
    """
    from arena import production

    with arena.database.reading() as session:
        drawn = production.sample_ready(session, count, **_chosen(session, track, entrant))
    if not drawn:
        out.print("No clip that was generated here is there to be made again.")
        return
    rows, bad = [], 0
    with progress("Making clips again", len(drawn)) as advance:
        for found in production.recheck(arena.store, drawn, workers=workers, ray=ray):
            request, bad = found.ready.request, bad + (not found.ok)
            clip = (request.entrant.name, request.track.name, request.prompt_id, request.seed)
            rows.append((*clip, "yes" if found.same_hardware else "no", found.summary()))
            advance(note=request.entrant.name)
    columns = ("entrant", "track", "prompt", "seed", "same hardware", "against the first")
    show_table("Clips made again", columns, rows)
    if bad:
        raise ProductionError(
            f"{bad} of {pluralize(len(rows), 'clip')} came out otherwise on the same hardware, or "
            "not at all."
        )


def _chosen(session: Session, track: str | None, entrant: str | None) -> Chosen:
    return {
        "track": catalog.find_track(session, track) if track else None,
        "entrant": catalog.find_entrant(session, entrant) if entrant else None,
    }


def failures(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Write a page with thumbnails (.html).")
    ] = None,
) -> None:
    """List clips that failed, with their reasons; generate tries them again."""
    arena = open_configured_arena()
    with arena.database.reading() as session:
        failed = list_failures(session, **_chosen(session, track, entrant))
    if page is not None:
        page.write_text(failures_page(failed, arena.store), encoding="utf-8")
        out.print(f"{page}: {pluralize(len(failed), 'clip')}.")
        return
    columns = ("entrant", "track", "prompt", "seed", "reason")
    rows = [(each.entrant, each.track, each.prompt_id, each.seed, each.reason) for each in failed]
    show_table("Clips that failed", columns, rows)


def import_clips(
    manifest: Annotated[Path, typer.Argument(help="CSV: entrant, prompt_id, track, path[, seed].")],
) -> None:
    """Take in clips made elsewhere, all of them or none."""
    from arena import production

    arena = open_configured_arena()
    rows = read_manifest(manifest)
    with progress("Taking in clips", len(rows)) as advance:
        new = production.import_clips(
            arena.database,
            arena.store,
            rows,
            clock=utc_now,
            on_clip=lambda row: advance(note=row.entrant),
        )
    known = len(rows) - new
    told = (
        f"; {pluralize(known, 'clip')} of the list there already, left as before" if known else ""
    )
    out.print(f"New: {pluralize(new, 'clip')}{told}.")
