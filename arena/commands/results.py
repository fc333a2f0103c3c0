"""The commands `arena simulate`, `leaderboard`, `plan`, `export` and `verify`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import (
    FormatOption,
    TableFormat,
    err,
    out,
    show_csv,
    show_json,
    show_table,
)
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
    from arena.catalog.prompts import count_held_out
    from arena.catalog.tracks import list_tracks
    from arena.catalog.variants import variants_by_name, with_variants
    from arena.context import utc_now
    from arena.standings import boards, standings
    from arena.standings.hold_texts import describe_held

    arena = open_configured_arena()
    with arena.database.reading() as session:  # their alarm is in the details
        held_out = {each.name for each in list_tracks(session) if count_held_out(session, each)}
    found = [
        standings.leaderboard(
            arena.database,
            track_name=name,
            category=category,
            voters=voters.kind,
            now=utc_now(),
            with_details=format is TableFormat.JSON
            or (format is TableFormat.TABLE and name in held_out),
        )
        for name in ([track] if track else standings.tracks_with(arena.database, category))
    ]
    match format:
        case TableFormat.JSON:
            with arena.database.reading() as session:
                counted = variants_by_name(session)
            documents = [with_variants(boards.board_document(board), counted) for board in found]
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
                if alarm := boards.held_out_alarm(board):
                    err.print(f"{board.track}: {alarm}", style="red")
                for line in describe_held(board):
                    err.print(line)
            if found and voters is VoterGroup.PEOPLE and not any(board.votes for board in found):
                out.print("Simulated votes have leaderboards of their own: --voters simulated.")


def plan(
    track: TrackOption = None,
    power: Annotated[
        float,
        typer.Option(metavar="P", help="Probability of telling them apart, from 0.5 to below 1."),
    ] = 0.8,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Show how many more votes tell neighbours on the leaderboard apart.

    "Elo apart" is the difference between a model and the next one, with its interval; "probability
    above" is that of the model being the better one. "More votes", in the whole track, are enough
    with the probability of --power if the difference is as estimated, "on this pair only" if all
    of them are on these two; "allowing for error" averages over what the difference may be.
    """
    from arena.errors import ConfigurationError
    from arena.standings import standings
    from ratings import OptionError

    arena = open_configured_arena()
    names = [track] if track else standings.tracks_with(arena.database, OVERALL)
    try:
        plans = {
            name: standings.plan(arena.database, track_name=name, power=power) for name in names
        }
    except OptionError as error:
        raise ConfigurationError(f"--power: {error}.") from error
    if format is TableFormat.JSON:
        show_json(plans[track] if track else plans)
        return
    cells = _plan_cells if format is TableFormat.TABLE else _plan_values
    rows = [
        [*([] if track else [name]), *cells(row)]
        for name, found in plans.items()
        for row in (found["neighbours"] if found else [])
    ]
    columns = [] if track else ["track"]
    columns += PLAN_HEADINGS if format is TableFormat.TABLE else PLAN_COLUMNS
    show_table(
        "More votes until neighbours are told apart",
        columns,
        rows,
        format,
        if_empty="No track has two models rated by people yet. Next: `arena serve`.",
    )
    if format is TableFormat.TABLE:
        if rows:
            err.print(
                f"Votes: needed in the whole track, with a probability of {power:.0%}; "
                f'"{ALLOWING}" averages over what the difference may be; "-": no number is enough. '
                "`arena plan --help` explains the columns."
            )
        for name, found in plans.items():
            if found:
                err.print(f"{name}: {_first_place(found)}")


ALLOWING = "allowing for error"
PLAN_HEADINGS = (
    *("model", "next", "elo apart", "interval", "probability above", "told apart", "more votes"),
    *("on this pair only", ALLOWING),
)
# Columns of the command's CSV, and the keys of the plan's neighbours.
PLAN_COLUMNS = {
    **{"model": "model", "next": "next", "elo apart": "gap", "from": "gap_lower"},
    **{"to": "gap_upper", "probability above": "probability_above", "told apart": "told_apart"},
    **{"more votes": "more_votes", "on this pair only": "direct_votes"},
    "for sure": "assured_votes",
}


def _plan_values(row: dict[str, Any]) -> list[object]:
    """Return the cells of a neighbour for programs."""
    values = (row.get(key) for key in PLAN_COLUMNS.values())
    return [round(value, 3) if isinstance(value, float) else value for value in values]


def _plan_cells(row: dict[str, Any]) -> list[object]:
    """Return the cells of a neighbour for people, in the order of `PLAN_HEADINGS`."""
    above = row["probability_above"]
    numbers = (row[name] for name in ("more_votes", "direct_votes", "assured_votes"))
    return [
        *(row["model"], row["next"], f"{row['gap']:.0f}"),
        f"{row['gap_lower']:.0f} to {row['gap_upper']:.0f}",
        None if above is None else f"{above:.0%}",
        "yes" if row["told_apart"] else "no",
        *("-" if number is None else number for number in numbers),
    ]


def _first_place(found: dict[str, Any]) -> str:
    """Return what settles the first place, and the next step."""
    if found["first_known"]:
        return f"{found['first']} is first with 95% confidence; no more votes are needed for that."
    if found["first_votes"] is None:
        return "no number of votes is expected to settle the first place."
    votes = pluralize(found["first_votes"], "more vote")
    return (
        f"{votes} settle the first place with a probability of {found['power']:.0%}. "
        "Next: `arena serve` to collect them."
    )


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
        f"Added {pluralize(cast, 'simulated vote')}, answers to honey pairs included. "
        "Next: `arena leaderboard --voters simulated`."
    )


class PublishedSet(StrEnum):
    """The layouts of `arena.release.layouts`, whose import would load pyarrow here."""

    LMSYS_33K = "lmsys-33k"
    KAGGLE_55K = "kaggle-55k"
    GENAI_BENCH = "genai-bench"
    RAPIDATA = "rapidata"


def export(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="The folder to create; not needed with --publish."),
    ] = None,
    track: TrackOption = None,
    format: Annotated[
        list[FileFormat] | None,
        typer.Option("--format", help="File format; may be repeated. Default: parquet and csv."),
    ] = None,
    with_media: Annotated[
        bool, typer.Option("--with-media", help="Include the clips of closed tracks.")
    ] = False,
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="Also write CSV files that spreadsheets open safely."),
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Let the arena serve it: ARENA_HOME/releases/ID.")
    ] = False,
    as_set: Annotated[
        PublishedSet | None,
        typer.Option("--as", help="Write people's votes as the files of another published set."),
    ] = None,
) -> None:
    """Export a release: votes, models, prompts, clips, leaderboards and checksums."""
    if folder is None and not publish:
        raise typer.BadParameter("name the folder to create, or use --publish.")
    arena = open_configured_arena()
    if as_set is not None:
        if folder is None or publish or format or with_media or spreadsheet:
            raise typer.BadParameter(
                "--as needs a folder, and goes with --track alone: its files have one format."
            )
        _export_as(arena, folder, as_set, track=track)
        return
    _export_release(
        arena,
        folder,
        publish=publish,
        track=track,
        formats=tuple(format or (FileFormat.PARQUET, FileFormat.CSV)),
        with_media=with_media,
        spreadsheet=spreadsheet,
    )


def _export_release(arena: "Arena", folder: Path | None, *, publish: bool, **options: Any) -> None:
    from arena.context import utc_now
    from arena.release.export import check_empty
    from arena.release.publish import copy_release, export_arena, publish_release

    if not publish and folder is not None:
        summary = export_arena(arena, folder, now=utc_now(), **options)
        out.print(f"{summary} Next: `arena verify {folder}`.")
    else:
        if folder is not None:
            check_empty(folder)
        published = publish_release(arena, now=utc_now(), **options)
        if published is None:
            return
        if folder is not None:
            copy_release(published.folder, folder)
        out.print(
            f"{published} The arena serves it at /api/v1/releases/{published.folder.name}. "
            f"Next: `arena verify {folder or published.folder}`."
        )
        summary = published
    if options["with_media"] and summary.about.open_tracks:
        out.print(
            "Clips of open tracks are left out, since their files would tell voters which model "
            f"made them: {', '.join(summary.about.open_tracks)}."
        )


def _export_as(arena: "Arena", folder: Path, name: PublishedSet, *, track: str | None) -> None:
    from arena.audit.keys import open_signer
    from arena.context import utc_now
    from arena.release.layout_export import export_layout
    from arena.release.layouts import Layout
    from arena.site import read_site

    now = utc_now()
    summary = export_layout(
        arena.database,
        folder,
        Layout(name.value),
        signer=open_signer(arena.settings.home, arena.database, now=now),
        track=track,
        site=read_site(arena.settings),
        now=now,
    )
    out.print(f"{summary} Next: `python -m ratings {summary.file}`.")


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a release, or a ZIP archive of it.")
    ],
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FINGERPRINT", help="A key of the arena that you know."),
    ] = None,
) -> None:
    """Verify a release from its folder alone: signatures, votes, seals, claims, leaderboards."""
    from arena.release.verify import verify_release

    out.print(str(verify_release(folder, key=key)))
