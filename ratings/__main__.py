"""`python -m ratings VOTES...`: a leaderboard from files of votes."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ratings.battles import Battles
from ratings.columns import STAND_INS
from ratings.errors import OptionError, RatingsError, VotesError
from ratings.leaderboard import METHODS, leaderboard, leaderboard_by
from ratings.outcomes import BOTH_BAD_RULES, TIE_RULES
from ratings.reading import Progress, read_votes
from ratings.reports import REPORTS
from ratings.tables import FORMATS, show_leaderboard, show_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 1 failed, 2 (by argparse) usage."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(_rate(options))
        sys.stdout.flush()
    except RatingsError as error:
        sys.stderr.write(f"ratings: {error}\n")
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ratings", description="Make a leaderboard from files of pairwise votes."
    )
    parser.add_argument("votes", nargs="+", metavar="VOTES", help="files: .csv, .parquet or .jsonl")
    parser.add_argument("--method", choices=METHODS, default="bt", help="default bt, Bradley-Terry")
    parser.add_argument(
        "--ties",
        choices=TIE_RULES,
        default="half",
        help="half a win to each (default), an outcome of its own, or left out",
    )
    parser.add_argument(
        "--both-bad",
        choices=BOTH_BAD_RULES,
        default="tie",
        help="a tie (default), left out, or an outcome of its own",
    )
    parser.add_argument(
        "--ci", type=float, default=0.95, metavar="SHARE", help="confidence (default 0.95)"
    )
    parser.add_argument(
        "--cluster",
        action="append",
        metavar="COLUMN",
        help="column of independent answers, such as voter or prompt; twice for both ways",
    )
    parser.add_argument(
        "--bootstrap", type=int, metavar="N", help="intervals from N refits to resampled votes"
    )
    parser.add_argument(
        "--side", action="store_true", help="estimate the advantage of the left side"
    )
    parser.add_argument(
        "--covariate",
        action="append",
        default=[],
        metavar="NAME",
        help="hold equal the difference of columns NAME_a and NAME_b, or column NAME",
    )
    parser.add_argument(
        "--prior-sd", type=float, metavar="POINTS", help="regularise: rate everyone, pulled to 1000"
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        type=_anchor,
        metavar="NAME=1000",
        help="rating to hold; may be repeated, then their mean is held",
    )
    parser.add_argument(
        "--report",
        choices=REPORTS,
        metavar="NAME",
        help="instead of the leaderboard: "
        + "; ".join(f"{name}, {kind.help}" for name, kind in REPORTS.items()),
    )
    parser.add_argument(
        "--power", type=float, default=0.8, metavar="SHARE", help="of a plan (default 0.8)"
    )
    parser.add_argument("--by", metavar="COLUMN", help="one leaderboard for each value of a column")
    parser.add_argument("--format", choices=FORMATS, default="table")
    return parser


def _anchor(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RATING")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} in {text!r} is not a number") from None


def _rate(options: argparse.Namespace) -> str:
    asked: dict[str, Any] = {
        "method": options.method,
        "ties": options.ties,
        "both_bad": options.both_bad,
        "confidence": options.ci,
        "cluster": options.cluster,
        "anchors": dict(options.anchor),
        "rounds": options.bootstrap,
        "side": options.side,
        "covariates": options.covariate,
        "prior_sd": options.prior_sd,
    }
    wanted = [*(options.cluster or ()), *([options.by] if options.by else ())]
    wanted += [STAND_INS[name] for name in wanted if name in STAND_INS]
    for name in options.covariate:
        wanted += [name, f"{name}_a", f"{name}_b"]
    if options.report:
        if options.by:
            raise OptionError("--by splits the leaderboard only: leave out --report")
        if options.method != METHODS[0]:
            raise OptionError("reports are of Bradley-Terry ratings: leave out --method")
        wanted += REPORTS[options.report].columns
    told = _tell_progress if sys.stderr.isatty() else (lambda path: None)
    frames = [read_votes(path, columns=wanted, progress=told(path)) for path in options.votes]
    for path, part in zip(options.votes, frames, strict=True):
        lacking = sorted(set(frames[0].columns) ^ set(part.columns))
        if lacking:
            raise VotesError(
                f"{options.votes[0]} and {path} are no one table: only one has {lacking[0]!r}"
            )
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    try:
        if options.report:
            battles = Battles.from_frame(frame)
            report = REPORTS[options.report].make(battles, asked | {"power": options.power})
            return show_report(report, options.format)
        if options.by:
            board = leaderboard_by(frame, options.by, **asked)
        else:
            board = leaderboard(Battles.from_frame(frame), **asked)
    except VotesError as error:
        raise _in_its_file(error, options.votes, [len(part) for part in frames]) from error
    return show_leaderboard(board, options.format)


def _tell_progress(path: str) -> Progress:
    """Says on the terminal how much of a file is read, from the first second on."""
    started, last = time.monotonic(), 0

    def tell(done: int, size: int) -> None:
        nonlocal last
        percent = 100 * done // max(size, 1)
        if time.monotonic() - started > 1 and percent > last:
            last = percent
            end = "\n" if done >= size else ""
            sys.stderr.write(f"\rreading {path}: {percent}%{end}")
            sys.stderr.flush()

    return tell


def _in_its_file(error: VotesError, paths: list[str], lengths: list[int]) -> VotesError:
    """The same error with the file, and the row counted in that file."""
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
