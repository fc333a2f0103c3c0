"""Tails of sums over many votes, and how much such sums differ from voter to voter.

The probability that a sum of independent votes is at least u is at most exp(K(t) - t u), with K the
cumulants' generating function and t where K'(t) = u (Chernoff 1952). The saddlepoint approximation
(Robinson 1982) adds the factor exp(z^2 / 2) times the normal tail at z = t sqrt(K''(t)); for sums
that grow by steps of h, times t h / (1 - exp(-t h)). The smaller of the two is above the exact
probability for any number of votes, by a factor of four at most where that was enumerated.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, expit

from ratings.arrays import Codes, Floats

_STEPS = 15  # of Newton's method; where it has not settled, the bound holds nevertheless
_FARTHEST = 30.0
_MARGIN = 1.15  # the approximation is up to 13% too low, for steps that are alike
_ROUNDS = 50  # of reweighting, far beyond where it settles
_CUT = 3.0  # standard deviations: a normal square so cut has lost 0.5% of its mean
_WORTH_A_LOOK = 2.0  # standard deviations: below it p is set to 1, which is always an upper bound


def tail(
    group: Codes, groups: int, gap: Floats, step: Floats, won: Floats, spread: Floats
) -> Floats:
    """Probability that sums of step * (won - chance) are as large as observed, shape (groups,).

    Args:
        group: whose sum a vote belongs to, shape (votes,).
        groups: how many sums there are.
        gap: log odds of winning under the null, shape (votes,).
        step: what a win adds, shape (votes,).
        won: 1 or 0, shape (votes,).
        spread: variance of the normal part of each sum, shape (groups,).

    Returns:
        NaN for a group without votes.
    """
    chance = expit(gap)
    observed: Floats = np.bincount(group, step * (won - chance), minlength=groups).astype(
        np.float64
    )
    variance = np.bincount(group, step**2 * chance * (1 - chance), minlength=groups) + spread
    votes: Floats = np.bincount(group, minlength=groups).astype(np.float64)
    p = np.where(votes > 0, 1.0, np.nan)
    wanted = (observed > _WORTH_A_LOOK * np.sqrt(variance)) & (votes > 0)
    if not wanted.any():
        return p
    chosen = wanted[group]
    key = (np.cumsum(wanted) - 1)[group[chosen]]
    p[wanted] = _saddlepoint(
        key,
        gap[chosen],
        step[chosen],
        observed[wanted],
        spread[wanted],
        votes[wanted],
    )
    return p


def _saddlepoint(
    key: Codes,
    gap: Floats,
    step: Floats,
    observed: Floats,
    spread: Floats,
    votes: Floats,
) -> Floats:
    size, chance = len(observed), expit(gap)
    longest = np.zeros(size)
    np.maximum.at(longest, key, np.abs(step))
    usual = np.bincount(key, np.abs(step), minlength=size) / votes
    reach, curve = np.zeros(size), np.ones(size)
    for _ in range(_STEPS):
        tilted = expit(gap + reach[key] * step)
        slope = np.bincount(key, step * (tilted - chance), minlength=size) + spread * reach
        curve = np.bincount(key, step**2 * tilted * (1 - tilted), minlength=size) + spread
        move = (observed - slope) / np.maximum(curve, 1e-12)
        reach = np.clip(reach + np.clip(move, -2 / longest, 2 / longest), 0, _FARTHEST / longest)
    tilt = reach[key] * step
    cumulant = np.logaddexp(0, gap + tilt) - np.logaddexp(0, gap) - tilt * chance
    exponent = np.bincount(key, cumulant, minlength=size) + spread * reach**2 / 2
    bound: Floats = np.exp(np.minimum(exponent - reach * observed, 0))
    lattice = reach * usual / -np.expm1(-np.maximum(reach * usual, 1e-12))
    normal = erfcx(reach * np.sqrt(curve / 2)) / 2
    smaller: Floats = bound * np.minimum(1, _MARGIN * normal * lattice)
    return smaller


def between_variance(total: NDArray[Any], within: NDArray[Any], reach: NDArray[Any]) -> float:
    """Variance of what differs between voters, from sums that it moves.

    A sum has the variance V + s^2 B. Solves sum of B (total^2 - V - s^2 B) / (V + s^2 B)^2 = 0 for
    s^2, the score of a normal variance component; squares are cut at three standard deviations, so
    that a few strange voters do not pass for a wide habit.

    Args:
        total: observed sums about their means, any shape.
        within: their variances V if voters did not differ.
        reach: B, by how much a variance of 1 between voters would vary each.
    """
    told = reach > 0
    total, within, reach = total[told], within[told], reach[told]
    if len(total) < 2:
        return 0.0
    found = max(0.0, float((total**2 - within).sum() / reach.sum()))
    for _ in range(_ROUNDS):
        variance = within + found * reach
        square = np.minimum(total**2, _CUT**2 * variance)
        weight = reach / variance**2
        found = max(0.0, float((weight * (square - within)).sum() / (weight * reach).sum()))
    return found
