"""Proportions with intervals clustered by voter, and false discovery rates."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.arrays import Codes, Floats, Mask
from ratings.distributions import student_quantile

_NORMAL_KURTOSIS = 3.0


class Estimate(NamedTuple):
    """An estimate with its interval and its number of votes; NaN without votes."""

    value: float
    lower: float
    upper: float
    votes: int

    def map(self, function: Callable[[float], float]) -> "Estimate":
        """Apply a non-decreasing function to the value and its interval."""
        return Estimate(
            function(self.value), function(self.lower), function(self.upper), self.votes
        )


NO_ESTIMATE = Estimate(np.nan, np.nan, np.nan, 0)


def wilson_interval(
    share: Floats | float,
    trials: Floats | float,
    confidence: float = 0.95,
    *,
    df: float = np.inf,
) -> tuple[Floats, Floats]:
    """Interval of a proportion from independent trials (Wilson 1927), of any shape.

    Args:
        share: observed proportion.
        trials: number of trials; may be fractional.
        confidence: of the interval.
        df: degrees of freedom of the proportion's variance, if that is estimated.
    """
    z = float(student_quantile(0.5 + confidence / 2, df))
    share, trials = np.asarray(share, dtype=float), np.asarray(trials, dtype=float)
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half_width = (
        z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / 4 / trials**2)
    )
    return np.maximum(centre - half_width, 0.0), np.minimum(centre + half_width, 1.0)


def contribution_df(contributions: NDArray[Any]) -> float:
    """Degrees of freedom of a variance that is the sum of the squares of these contributions q.

    3 (sum of q^2)^2 / sum of q^4, as in `clusters.Sandwich`: about their number for normal
    contributions of equal variance, and at most their number minus 1.
    """
    square, fourth = float((contributions**2).sum()), float((contributions**4).sum())
    most = max(int((contributions != 0).sum()) - 1, 1)
    return min(max(1.0, _NORMAL_KURTOSIS * square**2 / fourth), most) if fourth > 0 else np.inf


def estimate_proportion(hits: Mask, cluster: Codes, confidence: float) -> Estimate:
    """The proportion of hits, with a cluster-robust interval.

    Wilson's interval for the number of independent trials whose variance would equal that of the
    clusters' sums, multiplied by c / (c - 1) for c clusters.

    Args:
        hits: shape (votes,).
        cluster: codes from 0, shape (votes,).
        confidence: of the interval.
    """
    votes = len(hits)
    if not votes:
        return NO_ESTIMATE
    share = float(hits.mean())
    sums = np.bincount(cluster, hits - share)
    clusters = int((np.bincount(cluster) > 0).sum())
    squares = float((sums**2).sum()) * clusters / max(clusters - 1, 1)
    if squares > 0:
        trials = share * (1 - share) * votes**2 / squares
    else:  # all alike, or sums that cancel: at most one independent answer per cluster
        trials = float(clusters)
    lower, upper = wilson_interval(share, min(trials, votes), confidence, df=contribution_df(sums))
    return Estimate(share, float(lower), float(upper), votes)


def false_discovery_rates(p: Floats) -> Floats:
    """q-values of all entries that are not NaN (Benjamini and Hochberg 1995), same shape."""
    flat = p.ravel()
    q = np.full(len(flat), np.nan)
    tested = np.flatnonzero(~np.isnan(flat))
    order = tested[np.argsort(flat[tested], kind="stable")]
    scaled = flat[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q.reshape(p.shape)
