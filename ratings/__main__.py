"""`python -m ratings VOTES...`: a leaderboard from files of votes."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ratings.cli.reports import REPORTS, VOTERS
from ratings.cli.tables import FORMATS, show_leaderboard, show_report
from ratings.errors import OptionError, RatingsError, VotesError
from ratings.leaderboard import METHODS, leaderboard, leaderboard_by
from ratings.model.outcomes import BOTH_BAD_RULES, TIE_RULES
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import AUTOMATIC, COLUMN_ALIASES, Cluster
from ratings.votes.periods import AUTOMATIC as EVEN_PERIODS
from ratings.votes.reading import Progress, read_columns

_OF_ELO = ("method", "ties", "both_bad", "anchor", "by")
_OF_BRADLEY_TERRY = ("ci", "cluster", "bootstrap", "side", "covariate", "prior_sd")
_NO_CLUSTER = "none"


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
    """All options without a default of argparse's, which would hide whether they were given."""
    parser = argparse.ArgumentParser(
        prog="python -m ratings", description="Make a leaderboard from files of pairwise votes."
    )
    add = parser.add_argument
    add("votes", nargs="+", metavar="VOTES", help="files: .csv, .parquet or .jsonl")
    add("--method", choices=METHODS, help="default bt, Bradley-Terry")
    add(
        "--ties",
        choices=TIE_RULES,
        help="half a win to each (default), an outcome of its own, or left out",
    )
    add(
        "--both-bad",
        choices=BOTH_BAD_RULES,
        help="a tie (default), left out, or an outcome of its own",
    )
    add("--ci", type=float, metavar="SHARE", help="confidence (default 0.95)")
    add(
        "--cluster",
        action="append",
        metavar="COLUMN",
        help="column of independent answers, such as voter or prompt; twice for both ways; none "
        "for every vote by itself (default: voter, where the votes name voters)",
    )
    add("--bootstrap", type=int, metavar="N", help="intervals from N refits to resampled votes")
    add("--side", action="store_true", help="estimate the advantage of the left side")
    add(
        "--covariate",
        action="append",
        metavar="NAME",
        help="hold equal the difference of columns NAME_a and NAME_b, or column NAME",
    )
    add(
        "--prior-sd", type=float, metavar="POINTS", help="regularise: rate everyone, pulled to 1000"
    )
    add(
        "--anchor",
        action="append",
        type=_anchor,
        metavar="NAME=1000",
        help="rating to hold; may be repeated, then their mean is held",
    )
    add(
        "--report",
        choices=REPORTS,
        metavar="NAME",
        help="instead of the leaderboard: "
        + "; ".join(f"{name}, {kind.help}" for name, kind in REPORTS.items()),
    )
    add("--power", type=float, metavar="SHARE", help="of a plan (default 0.8)")
    add(
        "--period",
        metavar="LENGTH",
        help="of ratings over time, such as 7D or 12h (default: some 50 periods)",
    )
    add("--by", metavar="COLUMN", help="one leaderboard for each value of a column")
    add("--format", choices=FORMATS, default="table")
    return parser


def _anchor(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RATING")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} in {text!r} is not a number") from None


def _refuse_idle(options: argparse.Namespace) -> None:
    """What changes nothing in what was asked for is a misunderstanding."""
    if options.report:
        if options.by:
            raise OptionError("--by splits the leaderboard only: leave out --report")
        what, used = f"the report {options.report}", REPORTS[options.report].options
    elif options.method == "elo":
        what, used = "sequential Elo", _OF_ELO
    else:
        what, used = "a leaderboard", (*_OF_ELO, *_OF_BRADLEY_TERRY)
    always = {"votes", "report", "format"}
    idle = [
        f"--{name.replace('_', '-')}"
        for name, value in vars(options).items()
        if value is not None and value is not False and name not in {*always, *used}
    ]
    if idle:
        verb, them = ("changes", "it") if len(idle) == 1 else ("change", "them")
        raise OptionError(f"{', '.join(idle)} {verb} nothing in {what}: leave {them} out")


def _clusters(given: list[str] | None) -> Cluster:
    if given is None:
        return AUTOMATIC
    if given == [_NO_CLUSTER]:
        return None
    if _NO_CLUSTER in given:
        raise OptionError(f"--cluster {_NO_CLUSTER} leaves no room for another")
    return given


def _wanted(options: argparse.Namespace) -> set[str]:
    """The columns that are read beside those that make a vote: no more than the result needs."""
    wanted = {*(options.cluster or ()), *([options.by] if options.by else ())}
    wanted |= {COLUMN_ALIASES[name] for name in wanted if name in COLUMN_ALIASES}
    for name in options.covariate or ():
        wanted |= {name, f"{name}_a", f"{name}_b"}
    if options.report:
        wanted |= set(REPORTS[options.report].columns)
    elif options.method != "elo" and options.cluster is None:
        wanted |= set(VOTERS)
    return wanted - {_NO_CLUSTER}


def _rate(options: argparse.Namespace) -> str:
    _refuse_idle(options)
    asked: dict[str, Any] = {
        "method": options.method or METHODS[0],
        "ties": options.ties or TIE_RULES[0],
        "both_bad": options.both_bad or BOTH_BAD_RULES[0],
        "confidence": 0.95 if options.ci is None else options.ci,
        "cluster": None if options.method == "elo" else _clusters(options.cluster),
        "anchors": dict(options.anchor or ()),
        "rounds": options.bootstrap,
        "side": options.side,
        "covariates": options.covariate or [],
        "prior_sd": options.prior_sd,
    }
    told = _tell_progress if sys.stderr.isatty() else (lambda path: None)
    wanted = _wanted(options)
    read = [(path, read_columns(path, wanted, progress=told(path))) for path in options.votes]
    # A file without a byte has no columns that could differ.
    parts = [(path, part) for path, part in read if len(part.columns)]
    paths, frames = [path for path, _ in parts], [part for _, part in parts]
    for path, part in parts:
        lacking = sorted(set(frames[0].columns) ^ set(part.columns))
        if lacking:
            raise VotesError(f"{paths[0]} and {path} are no one table: only one has {lacking[0]!r}")
    frame = pd.DataFrame()
    if frames:
        frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    try:
        if options.report:
            more = {
                "power": 0.8 if options.power is None else options.power,
                "period": options.period or EVEN_PERIODS,
            }
            report = REPORTS[options.report].make(Battles.from_frame(frame), asked | more)
            return show_report(report, options.format)
        if options.by and len(frame.columns):
            board = leaderboard_by(frame, options.by, **asked)
        else:
            board = leaderboard(Battles.from_frame(frame), **asked)
    except VotesError as error:
        raise _in_its_file(error, paths, [len(part) for part in frames]) from error
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
