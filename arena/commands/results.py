"""The commands `arena simulate`, `leaderboard`, `export` and `verify`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, out, show_csv, show_json, show_table
from arena.text import pluralize
from arena.voter_kinds import OVERALL, VoterGroup

if TYPE_CHECKING:
    from arena.context import Arena


class FileFormat(StrEnum):
    """The formats of `arena.release.tables`, whose import would load pyarrow here."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


def leaderboard(
    track: TrackOption = None,
    category: Annotated[str, typer.Option(help="Only prompts of this category.")] = OVERALL,
    voters: Annotated[VoterGroup, typer.Option(help="Whose votes to count.")] = VoterGroup.PEOPLE,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Show the leaderboard of one track or of all tracks."""
    from arena.context import utc_now
    from arena.standings import boards, standings

    arena = open_configured_arena()
    found = [
        standings.leaderboard(
            arena.database, track_name=name, category=category, voters=voters.kind, now=utc_now()
        )
        for name in ([track] if track else standings.tracks_with(arena.database, category))
    ]
    match format:
        case TableFormat.JSON:
            documents = [boards.board_document(board) for board in found]
            show_json(documents[0] if track else documents)
        case TableFormat.CSV:
            frame = boards.boards_frame(found, with_track=track is None)
            show_csv(boards.frame_csv(frame))
        case TableFormat.TABLE:
            if not found:
                out.print(
                    "No track has both an entrant and a prompt yet. "
                    "Next: `arena entrants add FILE`, `arena prompts import FILE`."
                )
            for board in found:
                show_table(*boards.board_cells(board, now=utc_now()), with_title=True)


def simulate(
    votes: Annotated[int, typer.Option("--votes", min=1, metavar="N", help="Number of votes.")],
    track: TrackOption = None,
    voters: Annotated[int, typer.Option(min=1, help="Number of simulated voters.")] = 60,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same votes.")] = 0,
) -> None:
    """Add votes by simulated voters; they are never mixed with people's votes."""
    simulate_votes(open_configured_arena(), votes=votes, track=track, voters=voters, seed=seed)


def simulate_votes(
    arena: "Arena",
    *,
    votes: int,
    track: str | None,
    voters: int,
    seed: int,
    entrants: frozenset[int] | None = None,
) -> None:
    """Add simulated votes, with a progress bar; `entrants` limits them to clips of these."""
    from arena.commands.progress import progress
    from arena.context import utc_now
    from arena.simulation import simulate as run_simulation

    with progress("Simulating votes", votes) as advance:
        cast = run_simulation(
            arena.database,
            votes=votes,
            track=track,
            voters=voters,
            seed=seed,
            entrants=entrants,
            now=utc_now(),
            on_vote=advance,
        )
    out.print(
        f"Added {pluralize(cast, 'simulated vote')}. Next: `arena leaderboard --voters simulated`."
    )


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to create.")],
    track: TrackOption = None,
    format: Annotated[
        list[FileFormat] | None,
        typer.Option("--format", help="File format; may be repeated. Default: parquet and csv."),
    ] = None,
    with_media: Annotated[bool, typer.Option("--with-media", help="Include the clips.")] = False,
) -> None:
    """Export a release: votes, models, prompts, clips, leaderboards and checksums."""
    from arena.context import utc_now
    from arena.release import export_release
    from arena.site import read_site

    arena = open_configured_arena()
    summary = export_release(
        arena.database,
        folder,
        track=track,
        formats=tuple(format or (FileFormat.PARQUET, FileFormat.CSV)),
        store=arena.store,
        with_media=with_media,
        site=read_site(arena.settings),
        now=utc_now(),
    )
    out.print(f"{summary} Next: `arena verify {folder}`.")


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a release, or a ZIP archive of it.")
    ],
) -> None:
    """Verify a release from its folder alone: checksums, votes and recomputed leaderboards."""
    from arena.release.verify import verify_release

    out.print(str(verify_release(folder)))
