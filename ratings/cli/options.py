"""The command line's options: the parser, and the parsed values as a frozen dataclass."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ratings.cli.report_kinds import REPORTS, VOTERS
from ratings.errors import OptionError
from ratings.schema import (
    AUTOMATIC,
    BOTH_BAD_RULES,
    COLUMN_ALIASES,
    METHODS,
    OTHER_VOTERS,
    TIE_RULES,
    VOTER,
)

if TYPE_CHECKING:
    from ratings.leaderboard import LeaderboardOptions
    from ratings.votes.cluster_columns import Cluster
    from ratings.votes.renaming import Renames

FORMATS = ("table", "csv", "json")

_ELO_OPTIONS = ("method", "ties", "both_bad", "anchor", "by")
_BRADLEY_TERRY_OPTIONS = ("ci", "cluster", "bootstrap", "side", "covariate", "prior_sd")
_NO_CLUSTER = "none"


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Attributes:
        paths: the files of votes.
        renames: other names of their columns and words.
        columns: optional columns to read from them.
        rating: options of the leaderboard, and of the fits of reports.
        report: name in `REPORTS`; None: the leaderboard.
        by: column with one leaderboard per value; None: a single leaderboard.
        power: of the plan report.
        period: of the time report.
        format: "table", "csv" or "json".
    """

    paths: tuple[str, ...]
    renames: "Renames"
    columns: frozenset[str]
    rating: "LeaderboardOptions"
    report: str | None
    by: str | None
    power: float
    period: str
    format: str


def build_parser() -> argparse.ArgumentParser:
    """The parser; its defaults are None, which distinguishes omitted options."""
    parser = argparse.ArgumentParser(
        prog="python -m ratings", description="Compute a leaderboard from files of pairwise votes."
    )
    add = parser.add_argument
    add(
        "votes",
        nargs="*",
        metavar="VOTES",
        help="vote files: .csv, .tsv, .jsonl, .ndjson or .parquet, also compressed (.gz, .bz2, "
        ".xz, .zip); - for standard input",
    )
    add(
        "--columns",
        nargs="+",
        action="extend",
        metavar="NAME=COLUMN",
        help="other names of columns, such as model_a=left_name winner=preferred",
    )
    add(
        "--words",
        nargs="+",
        action="extend",
        metavar="WORD=ANSWER",
        help="other words of the winner's column, such as left=model_a draw=tie",
    )
    add(
        "--method",
        choices=METHODS,
        help="rating method: bt, Bradley-Terry (default), or elo, sequential Elo",
    )
    add(
        "--ties",
        choices=TIE_RULES,
        help="count a tie as half a win for each side (default), model it as an outcome "
        "(davidson, rao-kupper), or drop it",
    )
    add(
        "--both-bad",
        choices=BOTH_BAD_RULES,
        help='count "both bad" as a tie (default), drop it, or model it as its own outcome',
    )
    add("--ci", type=float, metavar="LEVEL", help="confidence level (default 0.95)")
    add(
        "--cluster",
        action="append",
        metavar="COLUMN",
        help="cluster intervals by a column such as voter or prompt; give it twice for two-way "
        "clustering; none treats every vote as independent (default: by voter, if the votes "
        "have a voter column)",
    )
    add(
        "--bootstrap",
        type=int,
        metavar="N",
        help="compute intervals from N bootstrap resamples instead of the sandwich estimator",
    )
    add("--side", action="store_true", help="estimate the advantage of the left side")
    add(
        "--covariate",
        action="append",
        metavar="NAME",
        help="control for a property of the clips: the difference of columns NAME_a and NAME_b, "
        "or column NAME; may be repeated",
    )
    add(
        "--prior-sd",
        type=float,
        metavar="POINTS",
        help="shrink ratings towards their mean with a normal prior of this standard deviation, "
        "which rates every model",
    )
    add(
        "--anchor",
        action="append",
        type=_anchor,
        metavar="NAME=1000",
        help="fix the rating of a model; repeated, fix the mean of several",
    )
    add(
        "--report",
        choices=REPORTS,
        metavar="NAME",
        help="show a report instead of the leaderboard: "
        + "; ".join(f"{name}, {kind.help}" for name, kind in REPORTS.items()),
    )
    add("--power", type=float, metavar="POWER", help="power of the plan report (default 0.8)")
    add(
        "--period",
        metavar="LENGTH",
        help="period of the time report, such as 7D or 12h (default: about 50 periods)",
    )
    add("--by", metavar="COLUMN", help="compute one leaderboard per value of a column")
    add("--format", choices=FORMATS, default="table", help="output format (default table)")
    return parser


def read_options(parsed: argparse.Namespace) -> Options:
    """Check parsed arguments and fill in the defaults.

    Raises:
        OptionError: options that contradict each other or have no effect.
    """
    from ratings.leaderboard import LeaderboardOptions  # loads pandas, which --help does not need
    from ratings.votes.renaming import Renames

    _check_effective(parsed)
    defaults = LeaderboardOptions()
    clusters = None if parsed.method == "elo" else _clusters(parsed.cluster)
    return Options(
        paths=named_paths(parsed),
        renames=Renames(_pairs(parsed.columns), _pairs(parsed.words)),
        columns=_columns(parsed),
        rating=LeaderboardOptions(
            method=parsed.method or defaults.method,
            ties=parsed.ties or defaults.ties,
            both_bad=parsed.both_bad or defaults.both_bad,
            confidence=defaults.confidence if parsed.ci is None else parsed.ci,
            cluster=clusters,
            anchors=dict(parsed.anchor or ()),
            rounds=parsed.bootstrap,
            side=parsed.side,
            covariates=tuple(parsed.covariate or ()),
            prior_sd=parsed.prior_sd,
        ),
        report=parsed.report,
        by=parsed.by,
        power=0.8 if parsed.power is None else parsed.power,
        period=parsed.period or AUTOMATIC,
        format=parsed.format,
    )


def _pairs(items: list[str] | None) -> dict[str, str]:
    """The items NAME=VALUE of an option that takes several."""
    return dict(item.split("=", 1) for item in items or () if "=" in item)


def named_paths(parsed: argparse.Namespace) -> tuple[str, ...]:
    """The files of votes, also those that stand behind `--columns` and `--words`."""
    return (*parsed.votes, *_paths_among(parsed.columns), *_paths_among(parsed.words))


def _paths_among(items: list[str] | None) -> list[str]:
    """Files that stand behind an option that takes several items."""
    return [item for item in items or () if "=" not in item]


def _anchor(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RATING")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} in {text!r} is not a number") from None


def _check_effective(parsed: argparse.Namespace) -> None:
    """Refuse options without effect on the requested result: they indicate a misunderstanding."""
    used: tuple[str, ...]
    if parsed.report:
        if parsed.by:
            raise OptionError("--by splits only the leaderboard: leave out --report")
        result, used = f"the report {parsed.report}", REPORTS[parsed.report].options
    elif parsed.method == "elo":
        result, used = "sequential Elo", _ELO_OPTIONS
    else:
        result, used = "a leaderboard", (*_ELO_OPTIONS, *_BRADLEY_TERRY_OPTIONS)
    always = {"votes", "columns", "words", "report", "format"}
    unused = [
        f"--{name.replace('_', '-')}"
        for name, value in vars(parsed).items()
        if value is not None and value is not False and name not in {*always, *used}
    ]
    if unused:
        verb, them = ("has", "it") if len(unused) == 1 else ("have", "them")
        raise OptionError(f"{', '.join(unused)} {verb} no effect on {result}: leave {them} out")


def _clusters(names: list[str] | None) -> "Cluster":
    if names is None:
        return AUTOMATIC
    if names == [_NO_CLUSTER]:
        return None
    if _NO_CLUSTER in names:
        raise OptionError(f"--cluster {_NO_CLUSTER} cannot be combined with another --cluster")
    return names


def _columns(parsed: argparse.Namespace) -> frozenset[str]:
    """The optional columns to read: only those that the result needs."""
    columns = {*(parsed.cluster or ()), *([parsed.by] if parsed.by else ())}
    columns |= {COLUMN_ALIASES[name] for name in columns if name in COLUMN_ALIASES}
    columns |= set(OTHER_VOTERS if VOTER in columns else ())
    for name in parsed.covariate or ():
        columns |= {name, f"{name}_a", f"{name}_b"}
    if parsed.report:
        columns |= set(REPORTS[parsed.report].columns)
    elif parsed.method != "elo" and parsed.cluster is None:
        columns |= set(VOTERS)
    return frozenset(columns - {_NO_CLUSTER})
