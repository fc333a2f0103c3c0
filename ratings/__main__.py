"""`python -m ratings VOTES...`: compute a leaderboard or a report from files of votes.

What loads numpy, pandas and scipy is imported once the command line is known to be right.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ratings.cli.options import Options, build_parser, named_paths, read_options
from ratings.errors import RatingsError, VotesError
from ratings.printable import printable

if TYPE_CHECKING:
    import pandas as pd

    from ratings.leaderboard import Leaderboard
    from ratings.votes.reading import Progress

MAX_MESSAGE = 600  # characters of an error message


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit status: 0 done, 1 failed; argparse exits with 2 on wrong usage.
    """
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if not named_paths(parsed):
        parser.error("name a file of votes, or - for standard input")
    try:
        text = _run(read_options(parsed))
        is_data = parsed.format == "csv" and not sys.stdout.isatty()
        sys.stdout.write(text if is_data else printable(text))
        sys.stdout.flush()
    except RatingsError as error:
        sys.stderr.write(f"ratings: {_shortened(printable(str(error)))}\n")
        return 1
    except BrokenPipeError:  # the reading program, such as `head`, has exited
        sys.stderr.close()
        return 0
    return 0


def _shortened(message: str) -> str:
    """Leave out the middle of a long message, which quotes a long cell."""
    if len(message) <= MAX_MESSAGE:
        return message
    return f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 2 :]}"


def _run(options: Options) -> str:
    import pandas as pd

    from ratings.votes.repeated_ids import drop_repeated_ids

    paths, parts = _read(options)
    frame = pd.DataFrame()
    if parts:
        frame = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
    lengths, kept = [len(part) for part in parts], None
    try:
        frame, kept = drop_repeated_ids(frame, _place_in(paths, lengths))
        if kept is not None:
            count = sum(lengths) - len(kept)
            votes = "1 vote stands" if count == 1 else f"{count:,} votes stand"
            sys.stderr.write(f"ratings: {votes} twice, with the same id: counted once\n")
        return _compute(frame, options)
    except VotesError as error:
        row = error.row if kept is None or error.row is None else int(kept[error.row - 1]) + 1
        raise _locate(VotesError(error.reason, row=row), paths, lengths) from error


def _place_in(paths: list[str], lengths: list[int]) -> "Callable[[int], str]":
    """A function from a row of all files, from 1, to its file and its row there."""

    def place(row: int) -> str:
        for path, length in zip(paths, lengths, strict=True):
            if row <= length:
                return f"{path}, row {row}"
            row -= length
        return f"row {row}"

    return place


def _read(options: Options) -> "tuple[list[str], list[pd.DataFrame]]":
    """The tables of all files with their paths; completely empty files are left out."""
    from ratings.schema import ID
    from ratings.votes.reading import read_columns

    show = _show_progress if sys.stderr.isatty() else (lambda path: None)
    paths, parts = [], []
    for path in options.paths:
        part = read_columns(
            path, options.columns | {ID}, renames=options.renames, progress=show(path)
        )
        if len(part.columns):
            paths.append(path)
            parts.append(part)
    for path, part in zip(paths, parts, strict=True):
        differing = sorted(set(parts[0].columns) ^ set(part.columns))
        if differing:
            raise VotesError(
                f"{paths[0]} and {path} have different columns: only one has {differing[0]!r}"
            )
    return paths, parts


def _compute(frame: "pd.DataFrame", options: Options) -> str:
    from ratings.cli.tables import format_leaderboard, format_report
    from ratings.leaderboard import compute_leaderboard, compute_leaderboards
    from ratings.votes.battles import Battles

    if options.report:
        from ratings.cli.reports import make_report  # loads every analysis

        battles = Battles.from_frame(frame)
        return format_report(make_report(options.report, battles, options), options.format)
    if options.by and len(frame.columns):
        groups = compute_leaderboards(frame, options.by, options.rating)
        _report_clusters(groups.boards.values(), options)
        return format_leaderboard(groups, options.format)
    board = compute_leaderboard(Battles.from_frame(frame), options.rating)
    _report_clusters([board], options)
    return format_leaderboard(board, options.format)


def _report_clusters(boards: Iterable["Leaderboard"], options: Options) -> None:
    """Say on standard error why intervals are not clustered; tables have a caption for that."""
    from ratings.cli import describe

    if options.format == "table":
        return
    notes = {
        describe.clusters(board.cluster, board.cluster_note): None
        for board in boards
        if board.intervals and board.cluster_note
    }
    for note in notes:
        sys.stderr.write(f"ratings: intervals {note}\n")


def _show_progress(path: str) -> "Progress":
    """A callback that shows on the terminal how much of a file is read, after one second."""
    started, last = time.monotonic(), 0

    def show(done: int, size: int) -> None:
        nonlocal last
        percent = 100 * done // max(size, 1)
        if time.monotonic() - started > 1 and percent > last:
            last = percent
            end = "\n" if done >= size else ""
            sys.stderr.write(f"\rreading {printable(str(path))}:{percent}%{end}")
            sys.stderr.flush()

    return show


def _locate(error: VotesError, paths: list[str], lengths: list[int]) -> VotesError:
    """The same error with the name of the file, and the row counted within that file."""
    if error.row is None:
        return VotesError(f"{', '.join(paths)}: {error.reason}")
    row = error.row
    for path, length in zip(paths, lengths, strict=True):
        if row <= length:
            return VotesError(f"{path}, row {row}: {error.reason}")
        row -= length
    return error


if __name__ == "__main__":
    sys.exit(main())
