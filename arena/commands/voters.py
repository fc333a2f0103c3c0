"""The command `arena audit voters`."""

from typing import Annotated

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, err, out, show_table
from arena.text import pluralize


def voters(
    track: TrackOption = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Hold the votes of these voters, as a served arena does.")
    ] = False,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List voters whom the rules flag, with reasons, and what holding their votes changes."""
    from arena.audit.screening import VoterScreen
    from arena.audit.voter_report import report_voters
    from arena.catalog.tracks import find_track, list_tracks
    from arena.context import utc_now

    arena = open_configured_arena()
    with arena.database.reading() as session:
        tracks = [find_track(session, track)] if track else list_tracks(session)
        report = report_voters(session, tracks)
    columns: tuple[str, ...] = (
        "track",
        "voter",
        "votes",
        "rule",
        "reason",
        "p",
        "q",
        "left",
        "honey failed",
    )
    show_table(
        "Flagged voters",
        columns,
        report.voters,
        format,
        if_empty="The rules flag no voter of people.",
    )
    if format is TableFormat.TABLE:
        if report.blocs:
            columns = ("track", "votes each", "voters", "model", "votes", "won", "expected", "p")
            title = "Groups of voters that favour or disfavour a model"
            show_table(title, columns, report.blocs, format)
        for line in report.effects:
            err.print(line)
    if hold:
        written = VoterScreen(arena.database).run_all(now=utc_now())
        out.print(f"Wrote {pluralize(written, 'hold event')}. Next: `arena leaderboard`.")
