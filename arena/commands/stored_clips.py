"""`arena clips`."""

from typing import Annotated

import typer

from arena.commands.options import EntrantOption, TrackOption, YesOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, confirm, out, show_json, show_table
from arena.commands.selection import select
from arena.commands.typer_app import App

ClipArgument = Annotated[
    int, typer.Argument(metavar="ID", min=1, help="The clip's id, from `arena clips list`.")
]

clips_app = App(
    help="List, show, retire and restore single clips.",
    examples=["arena clips list --track text-to-video", "arena clips show 12"],
)


@clips_app.command(
    "list", examples=["arena clips list --entrant my-model", "arena clips list --format csv"]
)
def list_clips(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List the clips with their states: ready, withheld or failed."""
    from arena.catalog.clips import list_clips as find_clips

    with open_configured_arena().database.reading() as session:
        found = find_clips(session, **select(session, track, entrant))
    columns = ("id", "entrant", "track", "prompt", "seed", "state", "reason")
    rows = [
        (clip.id, clip.entrant, clip.track, clip.prompt_id, clip.seed, clip.state, clip.reason)
        for clip in found
    ]
    show_table("Clips", columns, rows, format, if_empty="No clips. Next: `arena generate`.")


@clips_app.command("show", examples=["arena clips show 12", "arena clips show 12 --format json"])
def show_clip(clip_id: ClipArgument, format: FormatOption = TableFormat.TABLE) -> None:
    """Show one clip: its state, files, measures and how it was made."""
    from arena.catalog.clips import describe_clip

    with open_configured_arena().database.reading() as session:
        description = describe_clip(session, clip_id)
    if format is TableFormat.JSON:
        show_json(description)
        return
    rows = []
    for key, value in description.items():
        if isinstance(value, dict):
            rows += [(f"{key}.{name}", each) for name, each in value.items()]
        else:
            rows.append((key, value))
    show_table(f"Clip {clip_id}", ("field", "value"), rows, format)


@clips_app.command("retire", examples=['arena clips retire 12 --reason "shows a logo"'])
def retire_clip(
    clip_id: ClipArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; stored and listed.")
    ],
    yes: YesOption = False,
) -> None:
    """Withdraw a clip from battles, open ones included; votes already cast stay."""
    from arena.catalog.clips import find_clip, list_clips
    from arena.catalog.withholding import withhold_clip
    from arena.context import utc_now
    from arena.errors import CatalogError
    from arena.models import ClipStatus, WithheldCause

    reason = " ".join(reason.split())
    if not reason:
        raise typer.BadParameter("--reason is empty.")
    arena = open_configured_arena()
    with arena.database.reading() as session:
        clip = find_clip(session, clip_id)
        if clip.status is not ClipStatus.READY:
            raise CatalogError(f"Clip {clip_id} is not ready, so no battle shows it.")
        what = f"clip {clip_id} ({clip.entrant.shown_name}, {clip.track.name}, {clip.prompt_id})"
        (listed,) = list_clips(session, clip_id=clip_id)
    if listed.state == "withheld":
        out.print(f"The {what} is already withheld: {listed.reason}.")
        return
    confirm(f"Retire the {what}? No battle shows it any more; votes stay.", yes=yes)
    with arena.database.writing() as session:
        clip = find_clip(session, clip_id)
        withhold_clip(session, clip, cause=WithheldCause.OPERATOR, reason=reason, now=utc_now())
    out.print(f"Retired the {what}. To undo: `arena clips restore {clip_id}`.")


@clips_app.command("restore", examples=["arena clips restore 12"])
def restore_clip(clip_id: ClipArgument) -> None:
    """Let battles show a withheld clip again, whatever the reason was."""
    from arena.catalog import withholding
    from arena.catalog.clips import find_clip

    with open_configured_arena().database.writing() as session:
        find_clip(session, clip_id)
        was_withheld = withholding.restore_clip(session, clip_id)
    if was_withheld:
        out.print(f"Restored clip {clip_id}. If its file is damaged, it is withheld again.")
    else:
        out.print(f"Clip {clip_id} is not withheld.")
