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
    from arena.audit.screening import VoterScreen, effect_of, read_votes
    from arena.catalog import catalog
    from arena.context import utc_now
    from arena.holds.rules import rule_text

    arena = open_configured_arena()
    screen = VoterScreen(arena.database)
    rows: list[tuple[object, ...]] = []
    effects: list[str] = []
    with arena.database.reading() as session:
        tracks = catalog.list_tracks(session)
        for each in [catalog.find_track(session, track)] if track else tracks:
            table = screen.table(session, each)
            if table.empty:
                continue
            flagged = table[table["rule"] != ""].sort_values("q")
            for number, row in flagged.iterrows():
                text = rule_text(row["rule"])
                p, q = f"{row['p']:.2g}", f"{row['q']:.2g}"
                left = f"{row['left']:.0%}"
                rows.append(
                    (each.name, number, int(row["votes"]), row["rule"], text.short, p, q, left)
                )
            names = {str(entrant.id): entrant.shown_name for entrant in each.entrants}
            frame = read_votes(session, each.id, None)
            effects += [
                f"{each.name}: {line}" for line in effect_of(frame, flagged.index.tolist(), names)
            ]
    columns = ("track", "voter", "votes", "rule", "reason", "p", "q", "left")
    show_table(
        "Flagged voters", columns, rows, format, if_empty="The rules flag no voter of people."
    )
    if format is TableFormat.TABLE:
        for line in effects:
            err.print(line)
    if hold:
        written = screen.run(now=utc_now())
        out.print(f"Wrote {pluralize(written, 'hold event')}. Next: `arena leaderboard`.")
