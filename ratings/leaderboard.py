"""Compute a leaderboard: ratings, intervals, ranks, counts and a status for every model.

`compute_leaderboard` returns a typed `Leaderboard`, which the command line uses. The published
function `leaderboard` returns its table: callers index, filter and save it as any DataFrame, which
a wrapper that imitates a DataFrame would support only in part. The `attrs` of the table are a copy
of the parameters, for reading only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.cluster_sums import ClusterSums
from ratings.inference.uncertainty import DEFAULT_ROUNDS, intervals
from ratings.leaderboard_rows import count_votes, fill_ratings, finish
from ratings.model.bradley_terry import bradley_terry, place_on_scale, unrated_reason
from ratings.model.connectivity import largest_component
from ratings.model.elo import INITIAL, K, elo
from ratings.model.outcomes import OutcomeRules, win_matrix
from ratings.schema import AUTOMATIC, COLUMNS, METHODS
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import Cluster


@dataclass(frozen=True)
class LeaderboardOptions:
    """What a leaderboard is computed with; `leaderboard` documents each option."""

    method: str = "bt"
    ties: str = "half"
    both_bad: str = "tie"
    confidence: float = 0.95
    cluster: Cluster = AUTOMATIC
    anchors: Mapping[str, float] = field(default_factory=dict)
    rounds: int | None = None
    side: bool = False
    covariates: Sequence[str] = ()
    prior_sd: float | None = None
    sums: ClusterSums | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise OptionError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if self.method == "elo" and (
            self.side
            or self.covariates
            or self.prior_sd is not None
            or self.rounds is not None
            or self.sums is not None
            or self.cluster not in (None, AUTOMATIC)
        ):
            raise OptionError(
                "sequential Elo has no side effect, covariates, prior, bootstrap or clusters: "
                "leave them out, or use method bt"
            )


class Effect(NamedTuple):
    """A parameter other than a rating, with its interval, in Elo points."""

    effect: str
    estimate: float
    lower: float
    upper: float
    variance: float


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """A leaderboard and everything it was computed with.

    Attributes:
        frame: one row per model, best first, with the columns `COLUMNS`; its `attrs` are a copy of
            `parameters()`.
        options: the options as requested.
        tie_parameter: Davidson's nu or Rao and Kupper's theta; None under the other rules.
        cluster: the columns that intervals are clustered by, joined by " and "; None: by vote.
        cluster_note: why a requested column was not used; None: it was.
        intervals: "sandwich" or "bootstrap"; None for Elo, which has no intervals.
        rounds: bootstrap rounds; 0 for the sandwich.
        rounds_left_out: bootstrap rounds without finite ratings.
        effects: side advantage, covariates and the rating of "neither", as far as estimated.
        unrated_reason: why no model is rated; None if any is.
    """

    frame: pd.DataFrame
    options: LeaderboardOptions
    tie_parameter: float | None = None
    cluster: str | None = None
    cluster_note: str | None = None
    intervals: str | None = None
    rounds: int = 0
    rounds_left_out: int = 0
    effects: tuple[Effect, ...] = ()
    unrated_reason: str | None = None

    @property
    def method(self) -> str:
        """The rating method, "bt" or "elo"."""
        return self.options.method

    @property
    def rules(self) -> OutcomeRules:
        """How ties and "both bad" count."""
        return OutcomeRules(self.options.ties, self.options.both_bad)

    def parameters(self) -> dict[str, Any]:
        """Every parameter used, as plain values by name: what `frame.attrs` holds a copy of."""
        options = self.options
        shared = {
            "method": options.method,
            "ties": options.ties,
            "both_bad": options.both_bad,
            "anchors": dict(options.anchors),
        }
        if options.method == "elo":
            return shared | {"k": K, "initial": INITIAL}
        return shared | {
            "tie_parameter": self.tie_parameter,
            "confidence": options.confidence,
            "cluster": self.cluster,
            "cluster_note": self.cluster_note,
            "intervals": self.intervals,
            "rounds": self.rounds,
            "rounds_left_out": self.rounds_left_out,
            "effects": [effect._asdict() for effect in self.effects],
            "prior_sd": options.prior_sd,
            "unrated_reason": self.unrated_reason,
        }


@dataclass(frozen=True, eq=False)
class LeaderboardGroups:
    """One leaderboard per value of a column.

    Attributes:
        frame: the leaderboards one below the other, with the column in front.
        column: the column of the votes.
        boards: the leaderboards by value, in the order of `frame`.
    """

    frame: pd.DataFrame
    column: str
    boards: dict[str, Leaderboard]


def leaderboard(
    battles: Battles,
    *,
    method: str = "bt",
    ties: str = "half",
    both_bad: str = "tie",
    confidence: float = 0.95,
    cluster: Cluster = AUTOMATIC,
    anchors: Mapping[str, float] | None = None,
    rounds: int | None = None,
    side: bool = False,
    covariates: Sequence[str] = (),
    prior_sd: float | None = None,
    sums: ClusterSums | None = None,
) -> pd.DataFrame:
    """One row per model, best first, with the columns `COLUMNS`.

    A model that cannot be rated has empty cells (NaN, or NA in the ranks) and a status that says
    why. Any number of votes is accepted, including none. `attrs` carries every parameter used.

    Args:
        battles: the votes.
        method: "bt" (Bradley-Terry), or "elo" (sequential; no intervals and no rank sets).
        ties: see `bradley_terry`.
        both_bad: count "both bad" as a "tie", "drop" it, or model it as its "own" outcome.
        confidence: level of each interval by itself, and of all rank sets jointly.
        cluster: see `intervals`; by default voters, if the votes have a voter column.
        anchors: ratings to fix, by model; with several, their mean is fixed.
        rounds: compute intervals from this many bootstrap rounds instead of the sandwich.
        side: see `bradley_terry`.
        covariates: see `bradley_terry`.
        prior_sd: see `bradley_terry`; the status still depends on the votes alone.
        sums: see `intervals`.

    Raises:
        OptionError: an unknown option, or one that these votes or this method do not support.
    """
    options = LeaderboardOptions(
        method=method,
        ties=ties,
        both_bad=both_bad,
        confidence=confidence,
        cluster=cluster,
        anchors=dict(anchors or {}),
        rounds=rounds,
        side=side,
        covariates=covariates,
        prior_sd=prior_sd,
        sums=sums,
    )
    return compute_leaderboard(battles, options).frame


def leaderboard_by(frame: pd.DataFrame, column: str, **options: Any) -> pd.DataFrame:
    """One leaderboard per value of a column, one below the other, with that column in front.

    Args:
        frame: a table of votes, as for `Battles.from_frame`.
        column: such as `track` or `language`.
        **options: as for `leaderboard`.

    Returns:
        The rows. `attrs` holds the parameters that all leaderboards share, the column as `by`, and
        under `groups`, by value, the parameters that differ, such as `effects`.
    """
    return compute_leaderboards(frame, column, LeaderboardOptions(**options)).frame


def compute_leaderboard(battles: Battles, options: LeaderboardOptions | None = None) -> Leaderboard:
    """The leaderboard of all votes, with everything it was computed with.

    Args:
        battles: the votes.
        options: see `leaderboard`; None: the defaults.

    Raises:
        OptionError: see `leaderboard`.
    """
    options = options or LeaderboardOptions()
    result = _rate_elo(battles, options) if options.method == "elo" else _rate(battles, options)
    result.frame.attrs.update(result.parameters())
    return result


def compute_leaderboards(
    frame: pd.DataFrame, column: str, options: LeaderboardOptions | None = None
) -> LeaderboardGroups:
    """One leaderboard per value of a column.

    Args:
        frame: a table of votes, as for `Battles.from_frame`.
        column: such as `track` or `language`.
        options: see `leaderboard`; None: the defaults.

    Raises:
        OptionError: see `leaderboard`; or the column is missing or is a leaderboard's own.
    """
    if column in COLUMNS:
        raise OptionError(f"a leaderboard already has a column {column!r}: rename it in the votes")
    boards = {}
    for value, battles in Battles.by_column(frame, column).items():
        try:
            boards[value] = compute_leaderboard(battles, options)
        except OptionError as error:
            raise OptionError(f"{column} {value}: {error}") from None
    if not boards:
        boards[""] = compute_leaderboard(Battles.from_frame(frame), options)
    parts = [board.frame.copy() for board in boards.values()]
    for value, part in zip(boards, parts, strict=True):
        part.attrs = {}
        part.insert(0, column, pd.Series(value, index=part.index, dtype=object))
    together = pd.concat(parts, ignore_index=True)
    parameters = {value: board.parameters() for value, board in boards.items()}
    shared = _shared(parameters.values())
    together.attrs.update(shared | {"by": column})
    together.attrs["groups"] = {
        value: {name: each for name, each in group.items() if name not in shared}
        for value, group in parameters.items()
    }
    return LeaderboardGroups(together, column, boards)


def _shared(groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The parameters that are the same in all groups."""
    first, *others = groups
    return {
        name: each for name, each in first.items() if all(other[name] == each for other in others)
    }


def _rate_elo(battles: Battles, options: LeaderboardOptions) -> Leaderboard:
    board = count_votes(battles)
    ratings = elo(battles, ties=options.ties, both_bad=options.both_bad)
    if options.anchors:
        ratings = place_on_scale(ratings, options.anchors)
    board["rating"] = ratings.to_numpy()
    board["rank"] = board["rating"].rank(method="min", ascending=False)
    wins = _win_matrix(battles, options)
    return Leaderboard(finish(board, wins, largest_component(wins)), options)


def _rate(battles: Battles, options: LeaderboardOptions) -> Leaderboard:
    board = count_votes(battles)
    fit = bradley_terry(
        battles,
        options.ties,
        both_bad=options.both_bad,
        anchors=options.anchors,
        side=options.side,
        covariates=options.covariates,
        prior_sd=options.prior_sd,
    )
    around = intervals(
        battles,
        fit,
        confidence=options.confidence,
        cluster=options.cluster,
        method="sandwich" if options.rounds is None else "bootstrap",
        rounds=DEFAULT_ROUNDS if options.rounds is None else options.rounds,
        sums=options.sums,
    )
    fill_ratings(board, fit, around)
    wins = _win_matrix(battles, options)
    connected = fit.ratings.notna().to_numpy()
    if options.prior_sd is not None:  # rates every model; the status is about the votes
        connected = largest_component(wins)
    return Leaderboard(
        frame=finish(board, wins, connected),
        options=options,
        tie_parameter=None if np.isnan(fit.tie_parameter) else fit.tie_parameter,
        cluster=around.cluster,
        cluster_note=around.cluster_note,
        intervals=around.method,
        rounds=around.rounds,
        rounds_left_out=around.left_out,
        effects=tuple(
            Effect(**{str(name): value for name, value in row.items()})
            for row in around.effects.reset_index().to_dict("records")
        ),
        unrated_reason=unrated_reason(battles, fit),
    )


def _win_matrix(battles: Battles, options: LeaderboardOptions) -> Floats:
    return win_matrix(OutcomeRules(options.ties, options.both_bad).apply(battles.pair_sums.votes))
