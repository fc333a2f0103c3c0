"""The reports of the command line: their columns, options and help, without their code.

Apart from `reports`, so that the parser does not load the analyses that a leaderboard never uses.
"""

from typing import TYPE_CHECKING, NamedTuple

from ratings.schema import (
    CLIPS,
    COLUMN_ALIASES,
    DECIDED,
    DRAWN,
    OTHER_VOTERS,
    PROMPT,
    TIMES,
    VOTER,
)

if TYPE_CHECKING:
    import pandas as pd

VOTERS = (VOTER, COLUMN_ALIASES[VOTER], *OTHER_VOTERS)
_PROMPTS = (PROMPT, COLUMN_ALIASES[PROMPT])
_RULES = ("ties", "both_bad")
_FITTED = (*_RULES, "side", "prior_sd")


class Report(NamedTuple):
    """A table with a caption.

    Attributes:
        table: for programs.
        caption: what it is based on, in one line.
        shown: the tables printed for people; empty: `table`.
    """

    table: "pd.DataFrame"
    caption: str
    shown: "tuple[pd.DataFrame, ...]" = ()


class ReportKind(NamedTuple):
    """What the parser knows of a report.

    Attributes:
        columns: optional columns of the votes that it reads.
        options: command-line options that affect it.
        help: what it shows.
    """

    columns: tuple[str, ...]
    options: tuple[str, ...]
    help: str


REPORTS = {
    "pairs": ReportKind((), (), "which pair to show next, with its probability"),
    "plan": ReportKind(
        VOTERS,
        (*_FITTED, "covariate", "ci", "cluster", "power"),
        "how many more votes would separate neighbours",
    ),
    "voters": ReportKind(
        (*VOTERS, DECIDED, DRAWN, *CLIPS, *TIMES),
        (*_FITTED, "cluster"),
        "voters with unusual voting patterns",
    ),
    "first": ReportKind(
        (),
        (*_FITTED, "covariate", "cluster"),
        "how many votes would change the first place (whole clusters with --cluster)",
    ),
    "known": ReportKind(
        VOTERS,
        (*_FITTED, "covariate", "ci", "cluster"),
        "whether the first place is known, however often this is asked",
    ),
    "reliability": ReportKind(
        (*VOTERS, *CLIPS, *_PROMPTS, "battle_id", "first"),
        (*_RULES, "ci", "cluster"),
        "whether voters repeat themselves, agree, and favour a side",
    ),
    "fit": ReportKind(
        VOTERS, ("side", "cluster"), "whether Bradley-Terry fits the votes, pair by pair"
    ),
    "time": ReportKind(
        (*VOTERS, *TIMES),
        (*_RULES, "ci", "cluster", "anchor", "period"),
        "ratings over time",
    ),
}
