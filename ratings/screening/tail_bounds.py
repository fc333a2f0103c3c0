"""Upper bounds on tail probabilities of sums over votes, and the variance between voters.

The probability that a sum of independent votes is at least u is at most exp(K(t) - t u), with K the
cumulant generating function and t where K'(t) = u (Chernoff 1952). The saddlepoint approximation
(Robinson 1982) adds the factor exp(z^2 / 2) times the normal tail at z = t sqrt(K''(t)); for sums
on a lattice of step h, it is also multiplied by t h / (1 - exp(-t h)). The smaller of the two is
above the exact probability for any number of votes, by a factor of at most four where the exact
probability was enumerated.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, expit

from ratings.arrays import Codes, Floats

_NEWTON_STEPS = 15  # the bound also holds where the iteration has not converged
_MAX_TILT = 30.0
_MARGIN = 1.15  # the approximation is up to 13% too low for equal steps
_REWEIGHTING_STEPS = 50  # far more than needed to converge
_CUTOFF = 3.0  # standard deviations: truncating a normal square there removes 0.5% of its mean
_MIN_VARIANCE = 1e-30  # where sums have no variance at all
_SCREENING_Z = 2.0  # standard deviations: below it p is set to 1, which is always an upper bound


def tail_bound(
    group: Codes,
    groups: int,
    log_odds: Floats,
    step: Floats,
    won: Floats,
    normal_variance: Floats,
) -> Floats:
    """Bound the probability that sums of step * (won - chance) are as large as observed.

    Args:
        group: code of the sum that a vote belongs to, shape (votes,).
        groups: number of sums.
        log_odds: log odds of winning under the null hypothesis, shape (votes,).
        step: amount that a win adds, shape (votes,).
        won: 1 or 0, shape (votes,).
        normal_variance: variance of the independent normal part of each sum, shape (groups,).

    Returns:
        Upper bounds of the probabilities, shape (groups,); NaN for a group without votes.
    """
    chance = expit(log_odds)
    observed: Floats = np.bincount(group, step * (won - chance), minlength=groups).astype(
        np.float64
    )
    vote_variance = np.bincount(group, step**2 * chance * (1 - chance), minlength=groups)
    variance = vote_variance + normal_variance
    votes: Floats = np.bincount(group, minlength=groups).astype(np.float64)
    p = np.where(votes > 0, 1.0, np.nan)
    large = (observed > _SCREENING_Z * np.sqrt(variance)) & (votes > 0)
    if not large.any():
        return p
    selected = large[group]
    key = (np.cumsum(large) - 1)[group[selected]]
    p[large] = _saddlepoint(
        key,
        log_odds[selected],
        step[selected],
        observed[large],
        normal_variance[large],
        votes[large],
    )
    return p


def _saddlepoint(
    group: Codes,
    log_odds: Floats,
    step: Floats,
    observed: Floats,
    normal_variance: Floats,
    votes: Floats,
) -> Floats:
    """The smaller of Chernoff's bound and the saddlepoint approximation, shape (groups,)."""
    size, chance = len(observed), expit(log_odds)
    max_step = np.zeros(size)
    np.maximum.at(max_step, group, np.abs(step))
    mean_step = np.bincount(group, np.abs(step), minlength=size) / votes
    tilt, curvature = np.zeros(size), np.ones(size)
    for _ in range(_NEWTON_STEPS):
        tilted = expit(log_odds + tilt[group] * step)
        by_vote = step**2 * tilted * (1 - tilted)
        slope = np.bincount(group, step * (tilted - chance), minlength=size)
        curvature = np.bincount(group, by_vote, minlength=size) + normal_variance
        change = (observed - slope - normal_variance * tilt) / np.maximum(curvature, 1e-12)
        change = np.clip(change, -2 / max_step, 2 / max_step)
        tilt = np.clip(tilt + change, 0, _MAX_TILT / max_step)
    shift = tilt[group] * step
    cumulant = np.logaddexp(0, log_odds + shift) - np.logaddexp(0, log_odds) - shift * chance
    exponent = np.bincount(group, cumulant, minlength=size) + normal_variance * tilt**2 / 2
    chernoff: Floats = np.exp(np.minimum(exponent - tilt * observed, 0))
    lattice = tilt * mean_step / -np.expm1(-np.maximum(tilt * mean_step, 1e-12))
    normal = erfcx(tilt * np.sqrt(curvature / 2)) / 2
    bound: Floats = chernoff * np.minimum(1, _MARGIN * normal * lattice)
    return bound


def between_variance(total: NDArray[Any], within: NDArray[Any], scale: NDArray[Any]) -> float:
    """Estimate a variance between voters from sums that it contributes to.

    A sum has the variance V + s^2 B. Solves sum of B (total^2 - V - s^2 B) / (V + s^2 B)^2 = 0 for
    s^2, the score equation of a normal variance component; squares are truncated at three standard
    deviations, so that a few anomalous voters do not pass for a common habit.

    Args:
        total: observed sums minus their means, any shape.
        within: their variances V if voters did not differ.
        scale: B, the variance that a between-voter variance of 1 adds to each sum.
    """
    affected = scale > 0
    total, within, scale = total[affected], within[affected], scale[affected]
    if len(total) < 2:
        return 0.0
    estimate = max(0.0, float((total**2 - within).sum() / scale.sum()))
    for _ in range(_REWEIGHTING_STEPS):
        variance = np.maximum(within + estimate * scale, _MIN_VARIANCE)
        square = np.minimum(total**2, _CUTOFF**2 * variance)
        weight = scale / variance**2
        estimate = max(0.0, float((weight * (square - within)).sum() / (weight * scale).sum()))
    return estimate
