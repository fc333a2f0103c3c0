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
    from arena.catalog import catalog
    from arena.context import utc_now

    arena = open_configured_arena()
    voters: list[tuple[object, ...]] = []
    blocs: list[tuple[object, ...]] = []
    effects: list[str] = []
    with arena.database.reading() as session:
        tracks = catalog.list_tracks(session)
        for each in [catalog.find_track(session, track)] if track else tracks:
            report = report_voters(session, each)
            voters += report.voters
            blocs += report.blocs
            effects += report.effects
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
        "Flagged voters", columns, voters, format, if_empty="The rules flag no voter of people."
    )
    if format is TableFormat.TABLE:
        if blocs:
            columns = ("track", "votes each", "voters", "model", "votes", "won", "expected", "p")
            show_table("Groups of voters that favour or disfavour a model", columns, blocs, format)
        for line in effects:
            err.print(line)
    if hold:
        written = VoterScreen(arena.database).run_all(now=utc_now())
        out.print(f"Wrote {pluralize(written, 'hold event')}. Next: `arena leaderboard`.")
