"""Tests of one voter against all others: does it answer as the ratings say the rest would?

Every test is a sum over a voter's votes, beside what it would be if the voter answered like the
others, given how hard each battle is. Its p-value is Chernoff's bound exp(K(t) - t u), with K the
cumulants' generating function of the sum and u what was observed: an upper bound for any number of
votes, so that a voter with three votes is never found strange by an approximation. Voters differ
honestly, in taste, speed and readiness to call a tie; K has a normal part for that, with a variance
that is estimated over all voters by moments (the empirical null: Efron 2004).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, xlogy
from scipy.stats import median_abs_deviation

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_STEPS = 15  # of Newton's method: the bound holds wherever it stops
_FARTHEST = 30.0
_SLOWEST = 3.0
_ROUNDS = 50  # of reweighting, far beyond where it settles
_CUT = 3.0  # standard deviations: a normal square so cut has lost 0.5% of its mean
_WORTH_A_LOOK = 2.0  # standard deviations: below it p is set to 1, which is always an upper bound


class Choices(NamedTuple):
    """Votes that chose a side, with what the others would have chosen.

    Attributes:
        voter: code, shape (votes,).
        left: code of the left model; right: of the right one.
        won: 1 where the left side won, 0 where the right one did.
        gap: left minus right without this voter's own votes, in strengths.
    """

    voter: Codes
    left: Codes
    right: Codes
    won: Floats
    gap: Floats

    @property
    def chance(self) -> Floats:
        """Probability that the left side wins, given that one does."""
        probability: Floats = expit(self.gap)
        return probability


def taste_variance(choices: Choices, models: int, honest: NDArray[np.bool_]) -> float:
    """Variance of voters' tastes for a model, in strengths squared, by moments.

    The excess wins of a voter's model have the variance V without tastes and V + s^2 (I^2 + J) with
    them: I the sum of p(1 - p) over its votes, J that of the squares, for the opponents' tastes.

    Args:
        choices: the votes.
        models: how many there are.
        honest: which votes to learn from, shape (votes,).
    """
    chance = choices.chance[honest]
    key, sign = _by_model(choices, models, honest)
    information = np.tile(chance * (1 - chance), 2)
    excess = np.tile(choices.won[honest] - chance, 2) * sign
    size = int(key.max(initial=-1)) + 1
    total = np.bincount(key, excess, minlength=size)
    variance = np.bincount(key, information, minlength=size)
    reach = variance**2 + np.bincount(key, information**2, minlength=size)
    return between_variance(total, variance, reach)


def disagreement(choices: Choices, models: int, voters: int, taste: float) -> Floats:
    """p-value of each voter's agreement with the ratings: too little, shape (voters,).

    The sum of gap * (won - chance): 0 for one who chooses like the others, negative for one who
    chooses at random or against them.
    """
    spread = taste * _taste_reach(choices, models, voters, choices.gap)
    return tail(choices.voter, voters, choices.gap, -choices.gap, choices.won, spread)


def one_sidedness(choices: Choices, models: int, voters: int, taste: float) -> Floats:
    """p-value of each voter's share of left answers, both ways, shape (voters,)."""
    variance = choices.chance * (1 - choices.chance)
    total = variance.sum()
    side = float((choices.won - choices.chance).sum() / total) if total else 0.0
    one = np.ones(len(choices.won))
    spread = taste * _taste_reach(choices, models, voters, one)
    gap = choices.gap + side  # the side's advantage that all voters give it
    ways = [tail(choices.voter, voters, gap, way * one, choices.won, spread) for way in (1, -1)]
    p: Floats = np.minimum(1, 2 * np.minimum(*ways))
    return p


def favouritism(choices: Choices, models: int, voters: int, taste: float) -> tuple[Floats, Codes]:
    """p-value of each voter's most favoured or disfavoured model, and which it is.

    The excess wins of every model that the voter met, both ways; the least p is multiplied by the
    number of such tests (Bonferroni).
    """
    all_votes = np.ones(len(choices.won), dtype=bool)
    key, sign = _by_model(choices, models, all_votes)
    met, group = np.unique(key, return_inverse=True)
    chance = choices.chance
    variance: Floats = np.bincount(group, np.tile(chance * (1 - chance), 2)).astype(np.float64)
    spread: Floats = taste * variance**2
    gap, won = np.tile(choices.gap, 2), np.tile(choices.won, 2)
    ways = [tail(group, len(met), gap, way * sign, won, spread) for way in (1, -1)]
    least = np.minimum(*ways)
    voter = met // models
    tests = 2 * np.bincount(voter, minlength=voters)
    order = np.lexsort([least, voter])
    first = order[np.unique(voter[order], return_index=True)[1]]
    p, model = np.full(voters, np.nan), np.full(voters, -1)
    p[voter[first]] = np.minimum(1, least[first] * tests[voter[first]])
    model[voter[first]] = met[first] % models
    return p, model


def indecision(
    voter: Codes, undecided: NDArray[np.bool_], honest: NDArray[np.bool_]
) -> tuple[Floats, float]:
    """p-value of each voter's share of ties and "both bad": too large; and that share's variance.

    Args:
        voter: code of each vote, shape (votes,).
        undecided: whether neither side won, shape (votes,).
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    learnt = undecided[honest[voter]]
    share = float(learnt.mean()) if len(learnt) else 0.0
    if share in (0.0, 1.0):
        return np.where(np.bincount(voter, minlength=voters) > 0, 1.0, np.nan), 0.0
    votes = np.bincount(voter, minlength=voters)
    excess = np.bincount(voter, undecided - share, minlength=voters)
    count = votes.astype(float)
    between = between_variance(
        excess[honest], share * (1 - share) * count[honest], count[honest] ** 2
    )
    logit = np.full(len(voter), np.log(share / (1 - share)))
    spread = between * count**2
    one = np.ones(len(voter))
    return tail(voter, voters, logit, one, undecided.astype(float), spread), between


def haste(voter: Codes, milliseconds: Floats, honest: NDArray[np.bool_]) -> tuple[Floats, float]:
    """p-value of each voter's speed, too fast; and the variance of voters' mean leads.

    A vote's lead is by how many robust standard deviations (from the median absolute deviation)
    the logarithm of its time lies below the median; it is taken as normal, and slow votes as no
    slower than three deviations, so that a pause does not make up for haste.

    Args:
        voter: code of each vote, shape (votes,).
        milliseconds: from the battle's opening to the vote; NaN where it is not known.
        honest: voters to learn from, shape (voters,).
    """
    voters = len(honest)
    known = np.isfinite(milliseconds)
    votes = np.bincount(voter[known], minlength=voters)
    p = np.where(votes > 0, 1.0, np.nan)
    if not known.any():
        return p, 0.0
    logs = np.log(np.maximum(milliseconds[known], 1.0))
    middle = np.median(logs)
    deviation = float(median_abs_deviation(logs, scale="normal"))
    if not deviation:
        return p, 0.0
    lead = np.maximum((middle - logs) / deviation, -_SLOWEST)
    ahead = np.bincount(voter[known], lead, minlength=voters)
    count = votes.astype(float)
    between = between_variance(ahead[honest], count[honest], count[honest] ** 2)
    variance = count + between * count**2
    fast = ahead > 0
    p[fast] = np.exp(-(ahead[fast] ** 2) / (2 * variance[fast]))
    return p, between


def repetition(voter: Codes, pair: Codes, voters: int) -> Floats:
    """p-value of each voter's most frequent pair, beside how often all voters met it.

    Chernoff's bound of the binomial (its relative entropy), times the pairs that the voter met.

    Args:
        voter: code of each vote, shape (votes,).
        pair: code of the pair of models (or of clips), in no order of sides, shape (votes,).
        voters: how many there are.
    """
    p = np.full(voters, np.nan)
    if not len(voter):
        return p
    pairs = int(pair.max()) + 1
    share = np.bincount(pair, minlength=pairs) / len(pair)
    met, count = np.unique(voter * pairs + pair, return_counts=True)
    by, of = met // pairs, met % pairs
    votes = np.bincount(voter, minlength=voters)
    seen = count / votes[by]
    expected = share[of]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = xlogy(seen, seen / expected) + xlogy(1 - seen, (1 - seen) / (1 - expected))
    bound = np.where(seen > expected, np.exp(-votes[by] * np.nan_to_num(entropy)), 1.0)
    tests = np.bincount(by, minlength=voters)
    np.fmin.at(p, by, np.minimum(1, bound * tests[by]))
    return p


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


def tail(
    group: Codes, groups: int, gap: Floats, step: Floats, won: Floats, spread: Floats
) -> Floats:
    """Bound of the probability that sums of step * (won - chance) are as large as observed.

    Args:
        group: whose sum a vote belongs to, shape (votes,).
        groups: how many sums there are.
        gap: log odds of winning under the null, shape (votes,).
        step: what a win adds, shape (votes,).
        won: 1 or 0, shape (votes,).
        spread: variance of the normal part of each sum, shape (groups,).

    Returns:
        Shape (groups,); NaN for a group without votes.
    """
    chance = expit(gap)
    observed = np.bincount(group, step * (won - chance), minlength=groups)
    variance = np.bincount(group, step**2 * chance * (1 - chance), minlength=groups) + spread
    votes = np.bincount(group, minlength=groups)
    p = np.where(votes > 0, 1.0, np.nan)
    wanted = (observed > _WORTH_A_LOOK * np.sqrt(variance)) & (votes > 0)
    if not wanted.any():
        return p
    of = np.cumsum(wanted) - 1
    chosen = wanted[group]
    key, gap, step, chance = of[group[chosen]], gap[chosen], step[chosen], chance[chosen]
    size = int(wanted.sum())
    observed, variance, spread = observed[wanted], variance[wanted], spread[wanted]
    longest = np.zeros(size)
    np.maximum.at(longest, key, np.abs(step))
    reach = np.zeros(size)
    for _ in range(_STEPS):
        tilted = expit(gap + reach[key] * step)
        slope = np.bincount(key, step * (tilted - chance), minlength=size) + spread * reach
        curve = np.bincount(key, step**2 * tilted * (1 - tilted), minlength=size) + spread
        move = (observed - slope) / np.maximum(curve, 1e-12)
        reach = np.clip(reach + np.clip(move, -2 / longest, 2 / longest), 0, _FARTHEST / longest)
    tilt = reach[key] * step
    cumulant = np.logaddexp(0, gap + tilt) - np.logaddexp(0, gap) - tilt * chance
    total = np.bincount(key, cumulant, minlength=size) + spread * reach**2 / 2
    p[wanted] = np.exp(np.minimum(total - reach * observed, 0))
    return p


def _by_model(choices: Choices, models: int, which: NDArray[np.bool_]) -> tuple[Codes, Floats]:
    """Every vote once for each of its models: code of voter and model, and the model's sign."""
    voter = choices.voter[which] * models
    key = np.concatenate([voter + choices.left[which], voter + choices.right[which]])
    half = len(key) // 2
    return key, np.repeat([1.0, -1.0], [half, len(key) - half])


def _taste_reach(choices: Choices, models: int, voters: int, step: Floats) -> Floats:
    """By how much a taste of variance 1 for every model varies a voter's sum, shape (voters,)."""
    key, sign = _by_model(choices, models, np.ones(len(step), dtype=bool))
    chance = choices.chance
    moved = np.bincount(
        key, np.tile(step * chance * (1 - chance), 2) * sign, minlength=voters * models
    )
    reach: Floats = (moved.reshape(voters, models) ** 2).sum(axis=1)
    return reach
