"""The rows of a leaderboard: counts, ratings with ranks, a status for every model, their order."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Floats, Mask
from ratings.inference.ranks import interval_ranks, rank_sets
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry
from ratings.schema import COLUMNS
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome

PRELIMINARY_VOTES = 100  # models with fewer votes are "preliminary"
_RANKS = ("rank", "rank_lower", "rank_upper")
_UNRATED_ORDER = ("undefeated", "disconnected", "winless")


def count_votes(battles: Battles) -> pd.DataFrame:
    """One row per model in the order of `battles.models`, with counts and empty ratings."""
    votes = battles.pair_sums.votes
    as_left, as_right = votes.sum(axis=2), votes.sum(axis=1)  # (4, models) each
    counts = {
        "wins": as_left[Outcome.A] + as_right[Outcome.B],
        "losses": as_left[Outcome.B] + as_right[Outcome.A],
        "ties": as_left[Outcome.TIE] + as_right[Outcome.TIE],
        "both_bad": as_left[Outcome.BOTH_BAD] + as_right[Outcome.BOTH_BAD],
    }
    counts = {name: count.astype(int) for name, count in counts.items()}
    total = np.sum(list(counts.values()), axis=0)
    score = counts["wins"] + (counts["ties"] + counts["both_bad"]) / 2
    rate = np.full(len(total), np.nan)
    np.divide(score, total, out=rate, where=total > 0)
    columns = {
        **dict.fromkeys((name for name in COLUMNS if name != "status"), np.nan),
        **counts,
        "vote_count": total,
        "win_rate": rate,
        "model": pd.Series(battles.models, dtype=object),
    }
    # All at once: pandas takes longer for each column that is added later than for the sums.
    return pd.DataFrame(columns, index=range(len(total)))


def fill_ratings(board: pd.DataFrame, fit: BradleyTerry, around: Intervals) -> None:
    """Fill in ratings, intervals and ranks of the rated models."""
    board["rating"] = fit.ratings.to_numpy()
    board["rating_lower"] = around.lower.to_numpy()
    board["rating_upper"] = around.upper.to_numpy()
    board["variance"] = around.variance.to_numpy()
    is_rated = fit.ratings.notna().to_numpy()
    rated = board.loc[is_rated]
    board.loc[is_rated, "rank"] = interval_ranks(
        rated["rating_lower"].to_numpy(), rated["rating_upper"].to_numpy()
    )
    best, worst = rank_sets(
        rated["rating"].to_numpy(),
        around.covariance.to_numpy(),
        confidence=around.confidence,
        df=float(around.df.min()) if len(rated) else np.inf,
    )
    board.loc[is_rated, "rank_lower"] = best
    board.loc[is_rated, "rank_upper"] = worst


def finish(board: pd.DataFrame, wins: Floats, connected: Mask) -> pd.DataFrame:
    """Add the status, sort the rows and order the columns."""
    board["status"] = _statuses(board, wins, connected)
    return _sort(board)[list(COLUMNS)].astype(dict.fromkeys(_RANKS, "Int64"))


def _statuses(board: pd.DataFrame, wins: Floats, connected: Mask) -> NDArray[np.object_]:
    """Each model's status; wins and losses are those left by the rules."""
    won, lost = wins.sum(axis=1) > 0, wins.sum(axis=0) > 0
    return np.select(
        [
            ~connected & (won == lost),
            ~connected & won,
            ~connected,
            board["vote_count"].to_numpy() < PRELIMINARY_VOTES,
        ],
        ["disconnected", "undefeated", "winless", "preliminary"],
        default="ok",
    ).astype(object)


def _sort(board: pd.DataFrame) -> pd.DataFrame:
    """Best rating first, then unrated models by status; ties by name."""
    unrated = board["status"].map({name: i for i, name in enumerate(_UNRATED_ORDER, start=1)})
    section = unrated.where(board["rating"].isna(), 0).fillna(0)
    keyed = board.assign(section=section, falling=-board["rating"])
    ordered = keyed.sort_values(["section", "falling", "model"], ignore_index=True)
    return ordered.drop(columns=["section", "falling"])
