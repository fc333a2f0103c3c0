"""`arena tracks`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import YesOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, confirm, out, show_table
from arena.commands.typer_app import App
from arena.text import pluralize

if TYPE_CHECKING:
    from arena.catalog.registration import PublishedRegistration

tracks_app = App(
    help="List, add, register and close tracks: sets of clips compared under identical settings.",
    examples=[
        "arena tracks list",
        "arena tracks add my-track.toml",
        "arena tracks register finals",
    ],
)


@tracks_app.command("list", examples=["arena tracks list", "arena tracks list --format json"])
def list_tracks(format: FormatOption = TableFormat.TABLE) -> None:
    """List the tracks and their settings."""
    from arena.catalog import tracks
    from arena.catalog.registration import find_registration

    columns = (
        *("track", "audio", "width", "height", "fps", "frames", "kbps", "bytes"),
        *("prompt rewriting", "entrants", "prompts", "registered", "closed"),
    )
    with open_configured_arena().database.reading() as session:
        rows = [
            (
                *(track.name, "yes" if track.audio else "no", track.width, track.height),
                *(track.fps, track.frames, track.video_kbps, track.bytes),
                *(track.prompt_rewriting, len(track.entrants), len(track.prompts)),
                _registered(find_registration(session, track)),
                "yes" if track.closed_at else None,
            )
            for track in tracks.list_tracks(session)
        ]
    show_table(
        "Tracks", columns, rows, format, if_empty="No tracks yet. Next: `arena tracks add FILE`."
    )


def _registered(registration: "PublishedRegistration | None") -> str | None:
    """Whether a track is registered, and how much changed since."""
    if registration is None:
        return None
    changed = len(registration.changed)
    return f"yes, {pluralize(changed, 'deviation')}" if changed else "yes"


@tracks_app.command("add", examples=["arena tracks add my-track.toml"])
def add_track(file: Annotated[Path, typer.Argument(help="The track's TOML file.")]) -> None:
    """Add a track; its settings never change afterwards."""
    from arena.catalog import tracks
    from arena.catalog.schemas import read_track
    from arena.context import utc_now

    entry = read_track(file)
    with open_configured_arena().database.writing() as session:
        change = tracks.add_track(session, entry, now=utc_now()).change
    if change is tracks.Change.ADDED:
        out.print(
            f"Added the track {entry.name}. "
            "Next: `arena entrants add FILE`, `arena prompts import FILE`."
        )
    else:
        out.print(f"The track {entry.name} already exists, unchanged.")


@tracks_app.command(
    "register",
    examples=[
        "arena tracks register text-to-video",
        'arena tracks register finals --stopping "At 10,000 votes, or on 2027-01-31."',
    ],
)
def register_track(
    track: Annotated[str, typer.Argument(help="The track's name.")],
    stopping: Annotated[
        str | None, typer.Option("--stopping", metavar="TEXT", help="When it will be closed.")
    ] = None,
    exclusion: Annotated[
        str | None, typer.Option("--exclusion", metavar="TEXT", help="Which votes are left out.")
    ] = None,
) -> None:
    """Publish a track's prompts, settings and rules before its first vote, and seal them."""
    from arena.audit.seals import seal_votes
    from arena.catalog import registration
    from arena.catalog.tracks import find_track
    from arena.context import utc_now

    arena, now = open_configured_arena(), utc_now()
    with arena.database.writing() as session:
        registered = registration.register_track(
            session,
            find_track(session, track),
            stopping=stopping or registration.DEFAULT_STOPPING,
            exclusion=exclusion or registration.DEFAULT_EXCLUSION,
            now=now,
        )
        sha256 = registered.sha256
    seal_votes(arena, now=now)
    out.print(
        f"Registered the track {track}: SHA-256 {sha256}, at /api/v1/tracks/{track}/registration. "
        "Later changes will be shown as deviations. Next: `arena serve`."
    )


@tracks_app.command("close", examples=["arena tracks close text-to-video"])
def close_track(
    track: Annotated[str, typer.Argument(help="The track's name.")], yes: YesOption = False
) -> None:
    """Close a track for good: no more clips or votes; then its final leaderboard and release.

    Closing a closed track again finishes what was interrupted.
    """
    from arena.catalog.tracks import find_track
    from arena.context import utc_now
    from arena.release.closing import close_for_good, is_finished

    arena = open_configured_arena()
    with arena.database.reading() as session:
        found = find_track(session, track)
        if is_finished(arena, found):
            out.print(f"The track {track} is already closed, and its release is published.")
            return
        is_open = found.closed_at is None
    if is_open:
        confirm(
            f"Close the track {track} for good? It takes no more votes and no more clips, and its "
            "seeds, hashes and hidden names are published.",
            yes=yes,
        )
    summary = close_for_good(arena, track, now=utc_now())
    where = "" if summary is None else f" {summary} Next: `arena verify {summary.folder}`."
    out.print(f"Closed the track {track}.{where}")
