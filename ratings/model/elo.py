"""Sequential Elo: each vote changes two ratings; the order of the votes matters."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome

K, INITIAL = 4.0, 1000.0
_SCORES = {Outcome.A: 1.0, Outcome.B: 0.0, Outcome.TIE: 0.5, Outcome.BOTH_BAD: 0.5}
_CHUNK = 1 << 18  # votes converted to Python lists at a time
_WORTH_COMPILING = 500_000  # votes; with fewer, compiling takes longer than it saves


def elo(
    battles: Battles,
    *,
    k: float = K,
    initial: float = INITIAL,
    scale: float = 400,
    ties: str = "half",
    both_bad: str = "tie",
) -> "pd.Series[float]":
    """Elo ratings after all votes in row order; a vote's weight multiplies its change.

    Ratings depend on the order of the rows and have no intervals; for a leaderboard prefer
    `bradley_terry`. Every vote depends on the ratings after the previous one, so the recurrence
    runs vote by vote; it is compiled if numba is installed (`pip install hippodrome[fast]`).

    Args:
        battles: the votes.
        k: maximum change of a rating by one vote, in Elo points.
        initial: rating of every model at the start.
        scale: rating points for odds of ten to one.
        ties: "half" a win to each, or "drop" them.
        both_bad: count as a "tie", or "drop".

    Returns:
        Elo points by model; NaN for models without a vote.

    Raises:
        OptionError: an unknown rule, a k or scale that is not positive, or an initial rating that
            is not finite.
    """
    if ties not in {"half", "drop"}:
        raise OptionError(f"sequential Elo accepts ties as half or drop, not {ties!r}")
    if both_bad not in {"tie", "drop"}:
        raise OptionError(f"sequential Elo accepts both_bad as tie or drop, not {both_bad!r}")
    for name, value in (("k", k), ("scale", scale)):
        if not (value > 0 and np.isfinite(value)):
            raise OptionError(f"{name} must be a number above 0, not {value}")
    if not np.isfinite(initial):
        raise OptionError(f"initial must be a finite number, not {initial}")
    left_out = {Outcome.TIE, Outcome.BOTH_BAD} if ties == "drop" else set()
    if both_bad == "drop":
        left_out.add(Outcome.BOTH_BAD)
    a, b, outcome, weight = battles.a, battles.b, battles.outcome, battles.weight
    if left_out:
        kept = ~np.isin(outcome, list(left_out))
        a, b, outcome, weight = a[kept], b[kept], outcome[kept], weight[kept]
    ratings = np.full(len(battles.models), initial / scale)  # in powers of ten of the odds
    scores = np.array([_SCORES[outcome] for outcome in Outcome])
    compiled = _compiled() if len(a) >= _WORTH_COMPILING else None
    if compiled is not None:
        compiled(ratings, a, b, outcome, scores, weight, k / scale)
    else:
        try:
            _run(ratings, a, b, scores[outcome], weight, k / scale)
        except OverflowError:
            raise OptionError(
                f"sequential Elo diverges with k = {k:g}: the weights are too large"
            ) from None
    voted = np.bincount(np.concatenate([a, b]), minlength=len(ratings)) > 0
    return pd.Series(
        np.where(voted, ratings * scale, np.nan),
        index=pd.Index(battles.models, name="model"),
        name="rating",
        dtype=float,
    )


def _run(ratings: Floats, a: Any, b: Any, scores: Floats, weight: Floats, k: float) -> None:
    """The recurrence on plain lists, whose items Python reads faster than those of arrays."""
    current = ratings.tolist()
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        steps = (k * weight[part]).tolist()
        votes = zip(a[part].tolist(), b[part].tolist(), scores[part].tolist(), steps, strict=True)
        for left, right, score, step in votes:
            first, second = current[left], current[right]
            change = step * (score - 1 / (1 + 10 ** (second - first)))
            current[left] = first + change
            current[right] = second - change
    ratings[:] = current


@cache
def _compiled() -> Any:
    """The same recurrence compiled by numba; None if it is not installed."""
    if find_spec("numba") is None:
        return None
    import numba

    def run(ratings, a, b, outcome, scores, weight, k):  # type: ignore[no-untyped-def]
        for vote in range(len(a)):
            left, right = a[vote], b[vote]
            expected = 1 / (1 + 10 ** (ratings[right] - ratings[left]))
            change = k * weight[vote] * (scores[outcome[vote]] - expected)
            ratings[left] += change
            ratings[right] -= change

    return numba.njit(cache=False)(run)
