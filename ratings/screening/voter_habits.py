"""Tests of a voter's habits, whatever it chooses: no choice, haste, the same thing again and again.

Each is beside what the other voters do. Voters differ honestly in readiness to call a tie and in
speed; these variances are estimated over all voters by moments (the empirical null: Efron 2004).
What a voter is shown is the sampler's doing, so there is no honest difference in that: who meets
one model again and again skips the other battles.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv
from scipy.stats import norm

from ratings.arrays import Codes, Floats, Mask
from ratings.screening.tail_bounds import between_variance

_MEDIAN_VARIANCE = np.pi / 2  # of a normal sample's median, beside its mean's
_MOST_SPREAD, _LEAST_SPREAD = 0.9, 1e-4  # of a share's largest possible variance
_NODES, _DIGITS = 200, 15  # of an integral
_AT_ONCE = 1 << 21  # visits of periods, for each of a voter's repeated things


def indecision(voter: Codes, undecided: Mask, honest: Mask) -> tuple[Floats, float]:
    """p-value of each voter's share of ties and "both bad": too large; and that share's variance.

    Honest voters' shares have a beta distribution with the mean and variance of theirs, whose long
    tail is upwards: p is that of a beta-binomial.

    Args:
        voter: code of each vote, shape (votes,).
        undecided: whether neither side won, shape (votes,).
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    learnt = undecided[honest[voter]]
    share = float(learnt.mean()) if len(learnt) else 0.0
    count = np.bincount(voter, minlength=voters).astype(float)
    p = np.where(count > 0, 1.0, np.nan)
    if share in (0.0, 1.0):
        return p, 0.0
    number: Floats = np.bincount(voter, undecided, minlength=voters).astype(np.float64)
    binomial = share * (1 - share)
    # A share's variance is between those of one probability for all, and of all or nothing.
    between = between_variance(
        (number - share * count)[honest],
        binomial * count[honest],
        (count * (count - 1))[honest],
    )
    between = min(between, _MOST_SPREAD * binomial)
    many = number > share * count
    alike, place = np.unique(np.stack([number, count])[:, many], axis=1, return_inverse=True)
    p[many] = _beta_binomial_tail(alike[0], alike[1], share, between)[place]
    return p, between


def _beta_binomial_tail(number: Floats, count: Floats, mean: float, variance: float) -> Floats:
    """Probability of so many of a count or more, from slightly above, shape (voters,).

    An integral over the beta distribution's own upper probabilities, in steps of their logarithm.
    """
    if variance <= mean * (1 - mean) * _LEAST_SPREAD:
        alone: Floats = betainc(number, count - number + 1, mean)
        return alone
    size = mean * (1 - mean) / variance - 1
    above = np.logspace(0, -_DIGITS, _NODES)
    chance = 1 - betaincinv((1 - mean) * size, mean * size, above)
    p = np.full(len(number), above[-1])
    for weight, at in zip(above[:-1] - above[1:], chance[1:], strict=True):
        p += weight * betainc(number, count - number + 1, at)
    return p


def haste(voter: Codes, milliseconds: Floats, honest: Mask) -> tuple[Floats, float]:
    """p-value of each voter's median time, too short; and the variance of log medians.

    Medians of logarithms, taken as normal: neither a pause nor a wrong clock moves them.

    Args:
        voter: code of each vote, shape (votes,).
        milliseconds: from the battle's opening to the vote; NaN where it is not known.
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    known = np.isfinite(milliseconds)
    logs, whose = np.log(np.maximum(milliseconds[known], 1.0)), voter[known]
    votes = np.bincount(whose, minlength=voters)
    timed = votes > 0
    middle = _medians(whose, logs, votes)
    spread = np.abs(logs - middle[whose])
    of_many = honest[whose] & (votes[whose] > 1)
    learnt = timed & honest
    p = np.where(timed, 1.0, np.nan)
    if not of_many.any():
        return p, 0.0
    # Votes lie nearer to their own median than to the true one.
    shrunk = np.sqrt(1 - 1 / np.maximum(votes[whose[of_many]], 2))
    deviation = float(np.median(spread[of_many] / shrunk)) / float(norm.ppf(0.75))
    within = _MEDIAN_VARIANCE * deviation**2 / np.maximum(votes, 1)
    lead = float(np.median(middle[learnt])) - middle
    between = between_variance(lead[learnt], within[learnt], np.ones(int(learnt.sum())))
    variance = within + between
    known_spread = timed & (variance > 0)
    p[known_spread] = norm.sf(lead[known_spread] / np.sqrt(variance[known_spread]))
    return p, between


def repetition(voter: Codes, thing: Codes, when: Codes, honest: Mask, drawn: Floats) -> Floats:
    """p-value of each voter's most repeated thing, beside how often the others were shown it then.

    In a period where the others were shown N things, the thing m times, a voter shown n expects
    m n / N. Summed over periods that expectation E has an error of its own, and a Poisson number
    about a gamma variable of mean E and that variance is negative binomial (Fay and Feuer 1997);
    E and the variance are taken with one showing more, in the voter's thinnest period, so that p is
    an upper bound. The least p is multiplied by the number of things.

    Args:
        voter: code of each showing, shape (showings,).
        thing: code of what was shown, such as the pair.
        when: code of the period: what is shown changes.
        honest: voters to learn from, shape (voters,).
        drawn: probability with which the thing was drawn; NaN where it is not known. A thing drawn
            so often is not strange.
    """
    voters = len(honest)
    votes = np.bincount(voter, minlength=voters)
    p = np.where(votes > 0, 1.0, np.nan)
    things, periods = int(thing.max(initial=-1)) + 1, int(when.max(initial=-1)) + 1
    met, place, count = np.unique(voter * things + thing, return_inverse=True, return_counts=True)
    again = np.flatnonzero(count > 1)
    if not len(again):
        return p
    by, of, number = met[again] // things, met[again] % things, count[again]
    learnt = honest[voter]

    visited, visit, own = np.unique(voter * periods + when, return_inverse=True, return_counts=True)
    whose, period = visited // periods, visited % periods
    others = np.bincount(when, learnt, minlength=periods)[period] - honest[whose] * own
    weight = own / np.maximum(others, 1)
    thinnest = np.zeros(voters)
    np.maximum.at(thinnest, whose, weight)
    repeated, column = np.unique(of, return_inverse=True)
    table = np.zeros((periods, len(repeated)))
    known = np.minimum(np.searchsorted(repeated, thing), len(repeated) - 1)
    counted = learnt & (repeated[known] == thing)
    np.add.at(table, (when[counted], known[counted]), 1)
    mean, variance = (
        _over_visits(by, column, whose, period, power, table)
        - honest[by] * np.bincount(place, power[visit])[again]
        + thinnest[by] ** exponent
        for exponent, power in ((1, weight), (2, weight**2))
    )
    # Rounding can take what is left of a difference below the one showing that was added.
    mean, variance = np.maximum(mean, thinnest[by]), np.maximum(variance, thinnest[by] ** 2)
    least = betainc(number, mean**2 / variance, variance / (mean + variance))
    chance = (np.bincount(place, drawn) / count)[again]
    told = np.isfinite(chance)
    rest = votes[by][told] - number[told] + 1
    least[told] = np.maximum(least[told], betainc(number[told], rest, chance[told]))
    np.minimum.at(p, by, np.minimum(1, least * things))
    return p


def _over_visits(
    by: Codes, column: Codes, whose: Codes, period: Codes, weight: Floats, table: Floats
) -> Floats:
    """Sum over the periods that a voter visited of weight times the table's entry of a thing.

    Args:
        by: voter of each sum, shape (sums,).
        column: of the table, shape (sums,).
        whose: voter of each visit, in order, shape (visits,).
        period: of the visit, a row of the table.
        weight: of the visit.
        table: shape (periods, columns).
    """
    first, last = np.searchsorted(whose, by), np.searchsorted(whose, by, side="right")
    total = np.zeros(len(by))
    pieces = np.cumsum(last - first) // _AT_ONCE
    for part in np.split(np.arange(len(by)), np.flatnonzero(np.diff(pieces)) + 1):
        length = (last - first)[part]
        of_sum = np.repeat(np.arange(len(part)), length)
        step = np.arange(len(of_sum)) - np.repeat(np.cumsum(length) - length, length)
        visit = first[part][of_sum] + step
        entries = weight[visit] * table[period[visit], column[part][of_sum]]
        total[part] = np.bincount(of_sum, entries, minlength=len(part))
    return total


def _medians(voter: Codes, values: Floats, votes: NDArray[Any]) -> Floats:
    """Median of each voter's values; NaN without any."""
    order = np.lexsort([values, voter])
    start = np.cumsum(votes) - votes
    some = votes > 0
    middle = np.full(len(votes), np.nan)
    low, high = (values[order][(start + (votes - odd) // 2)[some]] for odd in (1, 0))
    middle[some] = (low + high) / 2
    return middle
