"""Sequential Elo: each vote moves two ratings; the order of the votes matters."""

import numpy as np
import pandas as pd

from ratings.battles import Battles
from ratings.columns import Outcome
from ratings.errors import OptionError

_SCORES = {Outcome.A: 1.0, Outcome.B: 0.0, Outcome.TIE: 0.5, Outcome.BOTH_BAD: 0.5}
_SCALE = 400.0


def elo(
    battles: Battles,
    *,
    k: float = 4,
    initial: float = 1000,
    ties: str = "half",
    both_bad: str = "tie",
) -> "pd.Series[float]":
    """Elo ratings after all votes, in row order; a vote's weight multiplies its step.

    Ratings depend on the order of the rows and carry no interval; for a leaderboard prefer
    `bradley_terry`.

    Args:
        battles: the votes.
        k: how far one vote moves a rating at most, Elo points.
        initial: rating of everyone at the start.
        ties: "half" a win to each, or "drop".
        both_bad: as a "tie", or "drop".

    Returns:
        Elo points by model; NaN for models without a vote.
    """
    if ties not in {"half", "drop"}:
        raise OptionError(f"sequential Elo takes ties as half or drop, not {ties!r}")
    if both_bad not in {"tie", "drop"}:
        raise OptionError(f"both_bad must be tie or drop, not {both_bad!r}")
    left_out = {Outcome.TIE, Outcome.BOTH_BAD} if ties == "drop" else set()
    if both_bad == "drop":
        left_out.add(Outcome.BOTH_BAD)
    kept = ~np.isin(battles.outcome, list(left_out))
    a, b = battles.a[kept], battles.b[kept]
    scores = np.array([_SCORES[outcome] for outcome in Outcome])[battles.outcome[kept]]
    # Plain lists: every vote needs the ratings that the one before it left.
    ratings = [float(initial)] * len(battles.models)
    steps = (k * battles.weight[kept]).tolist()
    for left, right, score, step in zip(
        a.tolist(), b.tolist(), scores.tolist(), steps, strict=True
    ):
        expected = 1 / (1 + 10 ** ((ratings[right] - ratings[left]) / _SCALE))
        change = step * (score - expected)
        ratings[left] += change
        ratings[right] -= change
    voted = np.bincount(np.concatenate([a, b]), minlength=len(ratings)) > 0
    return pd.Series(
        np.where(voted, ratings, np.nan),
        index=pd.Index(battles.models, name="model"),
        name="rating",
        dtype=float,
    )
