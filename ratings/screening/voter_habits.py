"""Tests of a voter's habits, whatever it chooses: rate of ties, speed and repetition.

Each voter is compared with the other voters. Honest voters differ in how readily they call a tie
and in speed; these variances are estimated over all voters by moments (the empirical null: Efron
2004). What a voter is shown is decided by the sampler, so honest voters do not differ in that: a
voter who meets one model again and again skips the other battles.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from ratings.arrays import Codes, Floats, Mask
from ratings.distributions import normal_quantile, normal_tail
from ratings.screening.tail_bounds import between_variance

_MEDIAN_VARIANCE = np.pi / 2  # variance of a normal sample's median relative to its mean's
# Limits of the variance of a proportion, relative to its maximum mean * (1 - mean).
_MAX_RELATIVE_VARIANCE, _MIN_RELATIVE_VARIANCE = 0.9, 1e-4
_NODES, _DIGITS = 200, 15  # of the numerical integral over a beta distribution
_BLOCK_VISITS = 1 << 21  # (voter, period) visits held in memory at once


def tie_rate(voter: Codes, undecided: Mask, honest: Mask) -> tuple[Floats, float]:
    """Test for too many ties and "both bad": p-values, and the variance of honest tie rates.

    Honest voters' tie rates have a beta distribution with their mean and variance, whose long tail
    is upwards: p is the upper tail of a beta-binomial distribution.

    Args:
        voter: code of each vote's voter, shape (votes,).
        undecided: whether neither side won, shape (votes,).
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    used = undecided[honest[voter]]
    mean = float(used.mean()) if len(used) else 0.0
    votes = np.bincount(voter, minlength=voters).astype(float)
    p = np.where(votes > 0, 1.0, np.nan)
    if mean in (0.0, 1.0):
        return p, 0.0
    ties: Floats = np.bincount(voter, undecided, minlength=voters).astype(np.float64)
    # The variance of a proportion is at most mean * (1 - mean), that of all ties or none.
    maximum = mean * (1 - mean)
    between = between_variance(
        (ties - mean * votes)[honest],
        maximum * votes[honest],
        (votes * (votes - 1))[honest],
    )
    between = min(between, _MAX_RELATIVE_VARIANCE * maximum)
    above = ties > mean * votes
    distinct, index = np.unique(np.stack([ties, votes])[:, above], axis=1, return_inverse=True)
    p[above] = _beta_binomial_tail(distinct[0], distinct[1], mean, between)[index]
    return p, between


def _beta_binomial_tail(successes: Floats, trials: Floats, mean: float, variance: float) -> Floats:
    """Upper bound of the probability of `successes` or more in `trials`, slightly above it.

    The integral is taken over the upper probabilities of the beta distribution, in logarithmic
    steps.

    Args:
        successes: shape (n,).
        trials: shape (n,).
        mean: mean of the beta distribution.
        variance: its variance.
    """
    if variance <= mean * (1 - mean) * _MIN_RELATIVE_VARIANCE:
        binomial: Floats = betainc(successes, trials - successes + 1, mean)
        return binomial
    size = mean * (1 - mean) / variance - 1
    upper = np.logspace(0, -_DIGITS, _NODES)
    chance = 1 - betaincinv((1 - mean) * size, mean * size, upper)
    p = np.full(len(successes), upper[-1])
    for weight, node in zip(upper[:-1] - upper[1:], chance[1:], strict=True):
        p += weight * betainc(successes, trials - successes + 1, node)
    return p


def speed(voter: Codes, milliseconds: Floats, honest: Mask) -> tuple[Floats, float]:
    """Test for too short a median time: p-values, and the variance of honest log medians.

    Medians of logarithms are taken as normal: neither a pause nor a wrong clock moves them.

    Args:
        voter: code of each vote's voter, shape (votes,).
        milliseconds: from the battle's opening to the vote, shape (votes,); NaN where unknown.
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    known = np.isfinite(milliseconds)
    logs, voter = np.log(np.maximum(milliseconds[known], 1.0)), voter[known]
    votes = np.bincount(voter, minlength=voters)
    timed = votes > 0
    median = _medians(voter, logs, votes)
    deviation = np.abs(logs - median[voter])
    used = honest[voter] & (votes[voter] > 1)
    p = np.where(timed, 1.0, np.nan)
    if not used.any():
        return p, 0.0
    # Votes lie nearer to their own sample median than to the true one.
    shrinkage = np.sqrt(1 - 1 / np.maximum(votes[voter[used]], 2))
    std = float(np.median(deviation[used] / shrinkage)) / float(normal_quantile(0.75))
    within = _MEDIAN_VARIANCE * std**2 / np.maximum(votes, 1)
    learnt = timed & honest
    lead = float(np.median(median[learnt])) - median
    between = between_variance(lead[learnt], within[learnt], np.ones(int(learnt.sum())))
    variance = within + between
    tested = timed & (variance > 0)
    p[tested] = normal_tail(lead[tested] / np.sqrt(variance[tested]))
    return p, between


def repetition(
    voter: Codes, item: Codes, period: Codes, honest: Mask, probability: Floats
) -> Floats:
    """Test for an item that a voter was shown too often; p-value of each voter's worst item.

    In a period in which the others were shown N items, this one m times, a voter shown n items is
    expected to be shown it m n / N times. The expectation E summed over periods has an error of its
    own, and a Poisson number about a gamma variable with mean E and that variance is negative
    binomial (Fay and Feuer 1997). E and the variance are computed with one more showing, in the
    period that has the fewest other showings for the voter, so that p is an upper bound. The
    smallest p is multiplied by the number of items.

    Args:
        voter: code of each showing's voter, shape (showings,).
        item: code of what was shown, such as the pair.
        period: code of the period; what the sampler shows changes between periods.
        honest: voters to learn from, shape (voters,).
        probability: with which the sampler drew the item; NaN where unknown. An item drawn that
            often is not anomalous.
    """
    voters = len(honest)
    showings = np.bincount(voter, minlength=voters)
    p = np.where(showings > 0, 1.0, np.nan)
    items, periods = int(item.max(initial=-1)) + 1, int(period.max(initial=-1)) + 1
    keys, key_index, count = np.unique(
        voter * items + item, return_inverse=True, return_counts=True
    )
    repeated = np.flatnonzero(count > 1)
    if not len(repeated):
        return p
    # One test for each item that a voter was shown more than once.
    tested_voter, tested_item = keys[repeated] // items, keys[repeated] % items
    number = count[repeated]
    used = honest[voter]

    visits, visit_index, shown = np.unique(
        voter * periods + period, return_inverse=True, return_counts=True
    )
    visit_voter, visit_period = visits // periods, visits % periods
    others = np.bincount(period, used, minlength=periods)[visit_period]
    others = others - honest[visit_voter] * shown
    weight = shown / np.maximum(others, 1)
    max_weight = np.zeros(voters)
    np.maximum.at(max_weight, visit_voter, weight)
    columns, column = np.unique(tested_item, return_inverse=True)
    item_column = np.minimum(np.searchsorted(columns, item), len(columns) - 1)
    counted = used & (columns[item_column] == item)
    table = np.zeros((periods, len(columns)))
    np.add.at(table, (period[counted], item_column[counted]), 1)

    def moment(power: int) -> Floats:
        """Sum of weight^power over the others' showings of each tested item, and one more."""
        total = _sum_over_visits(
            tested_voter, column, visit_voter, visit_period, weight**power, table
        )
        own = np.bincount(key_index, (weight**power)[visit_index])[repeated]
        smallest = max_weight[tested_voter] ** power
        # Rounding can take the difference below the one showing that is added.
        floored: Floats = np.maximum(total - honest[tested_voter] * own + smallest, smallest)
        return floored

    mean, variance = moment(1), moment(2)
    tail = betainc(number, mean**2 / variance, variance / (mean + variance))
    chance = (np.bincount(key_index, probability) / count)[repeated]
    known = np.isfinite(chance)
    rest = showings[tested_voter][known] - number[known] + 1
    tail[known] = np.maximum(tail[known], betainc(number[known], rest, chance[known]))
    np.minimum.at(p, tested_voter, np.minimum(1, tail * items))
    return p


def _sum_over_visits(
    voter: Codes,
    column: Codes,
    visit_voter: Codes,
    visit_period: Codes,
    weight: Floats,
    table: Floats,
) -> Floats:
    """Sum weight times the table's entry over the periods that a voter visited, shape (sums,).

    Args:
        voter: voter of each sum, shape (sums,).
        column: of the table, shape (sums,).
        visit_voter: voter of each visit, in ascending order, shape (visits,).
        visit_period: period of each visit, a row of the table.
        weight: weight of each visit.
        table: shape (periods, columns).
    """
    first = np.searchsorted(visit_voter, voter)
    last = np.searchsorted(visit_voter, voter, side="right")
    total = np.zeros(len(voter))
    block = np.cumsum(last - first) // _BLOCK_VISITS
    for sums in np.split(np.arange(len(voter)), np.flatnonzero(np.diff(block)) + 1):
        length = (last - first)[sums]
        sum_index = np.repeat(np.arange(len(sums)), length)
        offset = np.arange(len(sum_index)) - np.repeat(np.cumsum(length) - length, length)
        visit = first[sums][sum_index] + offset
        entries = weight[visit] * table[visit_period[visit], column[sums][sum_index]]
        total[sums] = np.bincount(sum_index, entries, minlength=len(sums))
    return total


def _medians(voter: Codes, values: Floats, votes: NDArray[Any]) -> Floats:
    """Median of each voter's values, shape (voters,); NaN without any."""
    order = np.lexsort([values, voter])
    start = np.cumsum(votes) - votes
    some = votes > 0
    median = np.full(len(votes), np.nan)
    low, high = (values[order][(start + (votes - odd) // 2)[some]] for odd in (1, 0))
    median[some] = (low + high) / 2
    return median
