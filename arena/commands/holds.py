"""`arena holds`: the ledger of votes that do not count."""

from typing import Annotated

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, out, show_table
from arena.commands.typer_app import App

VoteArgument = Annotated[
    int | None, typer.Argument(metavar="VOTE_ID", help="The vote's number.", show_default=False)
]
VoterOption = Annotated[
    int | None,
    typer.Option("--voter", metavar="V", help="All votes of this voter, by its number."),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="One plain sentence, which is public.")
]
AuthorOption = Annotated[str, typer.Option("--author", metavar="NAME", help="Who decided; public.")]

holds_app = App(
    help="List votes that do not count, hold votes, and let them count again. Nothing is deleted.",
    examples=["arena holds list", 'arena holds add 17 --reason "Cast by the maker\'s own staff."'],
)


@holds_app.command(
    "list", examples=["arena holds list", "arena holds list --voter 12 --format csv"]
)
def list_holds(
    track: TrackOption = None,
    voter: Annotated[
        int | None, typer.Option("--voter", metavar="V", help="Only votes of this voter.")
    ] = None,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List the events that hold votes or let them count again, in their order."""
    from arena.canonical import instant_text
    from arena.catalog.tracks import find_track
    from arena.holds.decisions import list_events

    with open_configured_arena().database.reading() as session:
        if track is not None:
            find_track(session, track)
        events = list_events(session, track=track, voter_id=voter)
    columns = (
        *("number", "vote", "voter", "track", "kind", "rule", "version", "reason", "author", "at"),
    )
    rows = [
        (
            *(each.event.number, each.event.vote_id, each.voter_id, each.track),
            *(each.event.kind.value, each.event.rule, each.event.version, each.event.reason),
            *(each.event.author, instant_text(each.event.at)),
        )
        for each in events
    ]
    show_table("Hold events", columns, rows, format, if_empty="No vote was ever held.")


@holds_app.command("add", examples=['arena holds add 17 --reason "Cast twice by the same person."'])
def add(
    reason: ReasonOption,
    vote: VoteArgument = None,
    voter: VoterOption = None,
    track: TrackOption = None,
    author: AuthorOption = "operator",
) -> None:
    """Hold a vote, or all votes of a voter: they no longer count."""
    from arena.context import utc_now
    from arena.holds.decisions import Selection, hold_votes

    selection = Selection(*_checked(vote, voter, reason), track)
    arena = open_configured_arena()
    held = arena.database.write(
        lambda session: hold_votes(session, selection, reason=reason, author=author, now=utc_now())
    )
    out.print(f"Held {selection.describe(held)}. Next: `arena leaderboard`.")


@holds_app.command(
    "release", examples=['arena holds release --voter 12 --reason "The voter is known to us."']
)
def release(
    reason: ReasonOption,
    vote: VoteArgument = None,
    voter: VoterOption = None,
    track: TrackOption = None,
    author: AuthorOption = "operator",
) -> None:
    """Let held votes count again, or keep the rules from holding them: they stay counted."""
    from arena.context import utc_now
    from arena.holds.decisions import Selection, release_votes

    selection = Selection(*_checked(vote, voter, reason), track)
    arena = open_configured_arena()
    released = arena.database.write(
        lambda session: release_votes(
            session, selection, reason=reason, author=author, now=utc_now()
        )
    )
    what = selection.describe(released.votes)
    verb = "counts" if released.votes == 1 else "count"
    kept = "it" if released.votes == 1 else "them"
    effect = "again" if released.were_held else f"as before, and the rules will not hold {kept}"
    out.print(f"{what[0].upper()}{what[1:]} {verb} {effect}. Next: `arena leaderboard`.")


def _checked(vote: int | None, voter: int | None, reason: str) -> tuple[int | None, int | None]:
    if not reason.strip():
        raise typer.BadParameter("--reason is empty.")
    if (vote is None) == (voter is None):
        raise typer.BadParameter("name either a vote's number, or --voter.")
    return vote, voter
