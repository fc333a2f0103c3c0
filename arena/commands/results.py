"""`arena leaderboard`, `simulate`, `export`, `verify`."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import out, show_table
from arena.commands.progress import progress
from arena.context import Arena, utc_now
from arena.models import OVERALL, VoterKind
from arena.standings import boards, standings


class Voters(StrEnum):
    PEOPLE = "people"
    SIMULATED = "simulated"

    @property
    def kind(self) -> VoterKind:
        return VoterKind.PERSON if self is Voters.PEOPLE else VoterKind.SIMULATED


class TableFormat(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class FileFormat(StrEnum):
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


def leaderboard(
    track: TrackOption = None,
    category: Annotated[str, typer.Option(help="Only prompts of this category.")] = OVERALL,
    voters: Annotated[Voters, typer.Option(help="Whose votes.")] = Voters.PEOPLE,
    format: Annotated[TableFormat, typer.Option("--format")] = TableFormat.TABLE,
) -> None:
    """Show the leaderboard of a track, or of every track that has votes to count."""
    arena = open_configured_arena()
    shown = [
        standings.leaderboard(
            arena.database, track_name=name, category=category, voters=voters.kind, now=utc_now()
        )
        for name in ([track] if track else standings.tracks_with(arena.database, category))
    ]
    match format:
        case TableFormat.JSON:
            documents = [boards.board_document(board) for board in shown]
            out.print_json(json.dumps(documents[0] if track else documents))
        case TableFormat.CSV:
            frame = boards.boards_frame(shown, with_track=track is None)
            frame.to_csv(sys.stdout, index=False)
        case TableFormat.TABLE:
            if not shown:
                out.print(
                    "No track has both an entrant and a prompt yet: "
                    "see `arena entrants add --help` and `arena prompts import --help`."
                )
            for board in shown:
                show_table(*boards.board_cells(board))


def simulate(
    votes: Annotated[int, typer.Option("--votes", min=1, help="How many votes.")],
    track: TrackOption = None,
    voters: Annotated[int, typer.Option(min=1, help="How many simulated voters.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same votes.")] = 0,
) -> None:
    """Add votes of simulated voters, marked as such and never mixed with people's."""
    simulate_votes(open_configured_arena(), votes=votes, track=track, voters=voters, seed=seed)


def simulate_votes(arena: Arena, *, votes: int, track: str | None, voters: int, seed: int) -> None:
    from arena.simulation import simulate as run_simulation

    with progress("Simulating votes", votes) as advance:
        cast = run_simulation(
            arena.database,
            votes=votes,
            track=track,
            voters=voters,
            seed=seed,
            now=utc_now(),
            on_vote=advance,
        )
    out.print(f"{cast} simulated votes are in.")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    track: TrackOption = None,
    format: Annotated[
        list[FileFormat] | None,
        typer.Option("--format", help="May be repeated; default parquet and csv."),
    ] = None,
    with_media: Annotated[bool, typer.Option("--with-media", help="With the renditions.")] = False,
) -> None:
    """Write a release: votes, models, prompts, clips, leaderboards, checksums."""
    from arena.release import export_release

    arena = open_configured_arena()
    summary = export_release(
        arena.database,
        folder,
        track=track,
        formats=tuple(format or (FileFormat.PARQUET, FileFormat.CSV)),
        store=arena.store,
        with_media=with_media,
        now=utc_now(),
    )
    out.print(str(summary))


def verify(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A release.")]) -> None:
    """Check a release's sums and compute its leaderboards again; needs only the folder."""
    from arena.release.verify import verify_release

    out.print(str(verify_release(folder)))
