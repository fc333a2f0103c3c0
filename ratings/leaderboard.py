"""The leaderboard: ratings, intervals, ranks, counts and a status for every model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Floats, Mask
from ratings.errors import OptionError
from ratings.inference.ranks import interval_ranks, rank_sets
from ratings.inference.uncertainty import DEFAULT_ROUNDS, intervals
from ratings.model.bradley_terry import bradley_terry, place_on_scale, unrated_reason
from ratings.model.connectivity import largest_component
from ratings.model.elo import INITIAL, K, elo
from ratings.model.outcomes import Rules, win_matrix
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import Cluster
from ratings.votes.columns import Outcome

COLUMNS = (
    "rank",
    "rank_lower",
    "rank_upper",
    "model",
    "rating",
    "rating_lower",
    "rating_upper",
    "variance",
    "vote_count",
    "wins",
    "losses",
    "ties",
    "both_bad",
    "win_rate",
    "status",
)
METHODS = ("bt", "elo")
PRELIMINARY_VOTES = 100  # below it a rating is shown as not settled yet
_RANKS = ("rank", "rank_lower", "rank_upper")
_UNRATED_ORDER = ("undefeated", "disconnected", "winless")


def leaderboard(
    battles: Battles,
    *,
    method: str = "bt",
    ties: str = "half",
    both_bad: str = "tie",
    confidence: float = 0.95,
    cluster: Cluster = None,
    anchors: Mapping[str, float] | None = None,
    rounds: int | None = None,
    side: bool = False,
    covariates: Sequence[str] = (),
    prior_sd: float | None = None,
) -> pd.DataFrame:
    """One row a model, best first, with the columns of `COLUMNS`.

    What cannot be rated has empty cells (NaN, or NA in the ranks) and a status that says why;
    no number of votes, none included, is an error. `attrs` carries every parameter used.

    Args:
        battles: the votes.
        method: "bt" (Bradley-Terry), or "elo" (sequential; no intervals and no rank sets).
        ties: see `bradley_terry`.
        both_bad: as a "tie", or "drop", or "own".
        confidence: of each interval by itself, and of all rank sets jointly.
        cluster: see `intervals`.
        anchors: ratings to hold, by model; the mean of several is held.
        rounds: intervals from a bootstrap of so many rounds instead of the sandwich.
        side: see `bradley_terry`.
        covariates: see `bradley_terry`.
        prior_sd: see `bradley_terry`; the status still says what the votes alone can rate.
    """
    if method not in METHODS:
        raise OptionError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    board = _count(battles)
    parameters: dict[str, Any] = {
        "method": method,
        "ties": ties,
        "both_bad": both_bad,
        "anchors": dict(anchors or {}),
    }
    if method == "elo":
        others = (prior_sd, rounds, cluster)
        if side or covariates or any(each is not None for each in others):
            raise OptionError(
                "sequential Elo has no side effect, covariates, prior, bootstrap or clusters: "
                "leave them out, or take method bt"
            )
        ratings = elo(battles, ties=ties, both_bad=both_bad)
        if anchors:
            ratings = place_on_scale(ratings, anchors)
        board["rating"] = ratings.to_numpy()
        board["rank"] = board["rating"].rank(method="min", ascending=False)
        connected = largest_component(_points(battles, ties, both_bad))
        parameters |= {"k": K, "initial": INITIAL}
    else:
        fit = bradley_terry(
            battles,
            ties,
            both_bad=both_bad,
            anchors=anchors,
            side=side,
            covariates=covariates,
            prior_sd=prior_sd,
        )
        spread = intervals(
            battles,
            fit,
            confidence=confidence,
            cluster=cluster,
            method="sandwich" if rounds is None else "bootstrap",
            rounds=DEFAULT_ROUNDS if rounds is None else rounds,
        )
        board["rating"] = fit.ratings.to_numpy()
        board["rating_lower"] = spread.lower.to_numpy()
        board["rating_upper"] = spread.upper.to_numpy()
        board["variance"] = spread.variance.to_numpy()
        is_rated = fit.ratings.notna().to_numpy()
        rated = board.loc[is_rated]
        board.loc[is_rated, "rank"] = interval_ranks(
            rated["rating_lower"].to_numpy(), rated["rating_upper"].to_numpy()
        )
        best, worst = rank_sets(
            rated["rating"].to_numpy(),
            spread.covariance.to_numpy(),
            confidence=confidence,
            df=float(spread.df.min()) if len(rated) else np.inf,
        )
        board.loc[is_rated, "rank_lower"] = best
        board.loc[is_rated, "rank_upper"] = worst
        connected = is_rated
        if prior_sd is not None:
            connected = largest_component(_points(battles, ties, both_bad))
        parameters |= {
            "tie_parameter": None if np.isnan(fit.tie_parameter) else fit.tie_parameter,
            "confidence": confidence,
            "cluster": spread.cluster,
            "cluster_note": spread.cluster_note,
            "intervals": spread.method,
            "rounds": spread.rounds,
            "rounds_left_out": spread.left_out,
            "effects": spread.effects.reset_index().to_dict("records"),
            "prior_sd": prior_sd,
            "unrated_because": unrated_reason(battles, fit),
        }
    board["status"] = _statuses(battles, connected, ties, both_bad)
    board = _order(board)[list(COLUMNS)].astype(dict.fromkeys(_RANKS, "Int64"))
    board.attrs.update(parameters)
    return board


def leaderboard_by(frame: pd.DataFrame, column: str, **options: Any) -> pd.DataFrame:
    """A leaderboard for each value of a column, under each other, with that column in front.

    Args:
        frame: as `Battles.from_frame` takes it.
        column: such as `track` or `language`.
        **options: as `leaderboard` takes them.

    Returns:
        The rows; in `attrs` every parameter that all boards share, `by`, the column, and in
        `groups`, by value, the parameters in which they differ, such as `effects`.
    """
    if column in COLUMNS:
        raise OptionError(
            f"a leaderboard has a column {column!r} of its own: rename that of the votes"
        )
    boards, groups = [], {}
    for value, battles in Battles.by_column(frame, column).items():
        try:
            board = leaderboard(battles, **options)
        except OptionError as error:
            raise OptionError(f"{column} {value}: {error}") from None
        groups[value] = parameters_of(board)
        board.attrs = {}
        board.insert(0, column, value)
        boards.append(board)
    if not boards:
        empty = leaderboard(Battles.from_frame(frame), **options)
        empty.insert(0, column, pd.Series(dtype=object))
        return empty
    together = pd.concat(boards, ignore_index=True)
    together.attrs.update(_shared(groups.values()) | {"by": column})
    together.attrs["groups"] = {
        value: {name: each for name, each in own.items() if name not in together.attrs}
        for value, own in groups.items()
    }
    return together


def _shared(groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The parameters that are the same in all."""
    first, *others = groups
    return {name: each for name, each in first.items() if all(o[name] == each for o in others)}


def parameters_of(board: pd.DataFrame) -> dict[str, Any]:
    """Every parameter that a leaderboard was made with, from its `attrs`."""
    return {str(name): value for name, value in board.attrs.items()}


def _count(battles: Battles) -> pd.DataFrame:
    """One row a model in the order of `battles.models`; what is not known yet is empty."""
    votes = battles.pair_sums.votes
    as_left, as_right = votes.sum(axis=2), votes.sum(axis=1)  # (4, models) each
    counts = {
        "wins": as_left[Outcome.A] + as_right[Outcome.B],
        "losses": as_left[Outcome.B] + as_right[Outcome.A],
        "ties": as_left[Outcome.TIE] + as_right[Outcome.TIE],
        "both_bad": as_left[Outcome.BOTH_BAD] + as_right[Outcome.BOTH_BAD],
    }
    board = pd.DataFrame(counts).astype(int)
    board["vote_count"] = board.sum(axis=1)
    taken = board["wins"] + (board["ties"] + board["both_bad"]) / 2
    board["win_rate"] = taken / board["vote_count"].where(board["vote_count"] > 0)
    board["model"] = pd.Series(battles.models, dtype=object)
    empty = [name for name in COLUMNS if name not in board and name != "status"]
    return board.assign(**dict.fromkeys(empty, np.nan))


def _points(battles: Battles, ties: str, both_bad: str) -> Floats:
    return win_matrix(Rules(ties, both_bad).apply(battles.pair_sums.votes))


def _statuses(battles: Battles, connected: Mask, ties: str, both_bad: str) -> NDArray[np.object_]:
    """Why a model is rated as it is; won and lost are what the rules leave of the votes."""
    points = _points(battles, ties, both_bad)
    won, lost = points.sum(axis=1) > 0, points.sum(axis=0) > 0
    few = battles.pair_sums.votes.sum(axis=(0, 2)) + battles.pair_sums.votes.sum(axis=(0, 1))
    return np.select(
        [
            ~connected & (won == lost),
            ~connected & won,
            ~connected,
            few < PRELIMINARY_VOTES,
        ],
        ["disconnected", "undefeated", "winless", "preliminary"],
        default="ok",
    ).astype(object)


def _order(board: pd.DataFrame) -> pd.DataFrame:
    """Best rating first; then the unrated by status; names only where all else is equal."""
    later = board["status"].map({name: i for i, name in enumerate(_UNRATED_ORDER, start=1)})
    place = later.where(board["rating"].isna(), 0).fillna(0)
    keyed = board.assign(place=place, falling=-board["rating"])
    ordered = keyed.sort_values(["place", "falling", "model"], ignore_index=True)
    return ordered.drop(columns=["place", "falling"])
