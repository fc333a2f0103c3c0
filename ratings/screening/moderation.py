"""Tests whether a group of voters favours a model more than groups differ by for honest reasons.

Given are effects, estimates of how much more each group favours each model than others do, with
the variances of their errors. The variance between the models of a group is estimated over those
that do not stand out, and moderated by that of other groups, since a group has only as many models
as the track (empirical Bayes: Smyth 2004, Statistical Applications in Genetics and Molecular
Biology 3): there is a variance between models that all other groups share (DerSimonian and Laird
1986), and a factor of the group's own. What remains is compared with Student's distribution, with
the degrees of freedom of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from ratings.arrays import Floats, Mask
from ratings.distributions import student_tail

MIN_MODELS = 4
_ROUNDS = 4  # of estimating what honest models differ by without those that stand out
_OUTLIER = 3.0  # standard deviations
_NORMAL_MAD = 1.4826  # standard deviation of a normal variable over its median absolute deviation
_MAX_PRIOR_DF = 60.0  # of what other groups say, also where they do not differ at all
_NEWTON_STEPS = 20  # for a convex function: far more than needed
_FEW_GROUPS = 3  # below it, other groups say nothing


@dataclass(frozen=True, eq=False)
class Effects:
    """How much more a group favours each model.

    Attributes:
        effect: estimates; NaN where there is none.
        error: variances of their errors.
    """

    effect: Floats
    error: Floats

    @property
    def tested(self) -> Mask:
        """Which models have an estimate."""
        return np.isfinite(self.effect)


def effect_p_values(
    groups: dict[int, Effects], ranges: Sequence[tuple[int, int]]
) -> dict[int, Floats]:
    """Return two-sided p-values of each group's models, NaN for those without an estimate.

    The models that stand out are left out of the variances; there must be fewer than half of them.

    Args:
        groups: by a code.
        ranges: smallest and largest number of votes of a voter in each group, by its code; groups
            that overlap say nothing of each other.
    """
    usual = {code: _first_usual(group) for code, group in groups.items()}
    z: dict[int, Floats] = {}
    df: dict[int, float] = {}
    for _ in range(_ROUNDS):
        many = {code: max(MIN_MODELS, group.tested.sum() / 2) for code, group in groups.items()}
        z, df, before = {}, {}, dict(usual)
        for code, group in groups.items():
            if usual[code].sum() < many[code]:
                continue
            others = [
                (groups[other].effect[usual[other]], groups[other].error[usual[other]])
                for other in groups
                if _is_fine(ranges[other])
                and not _overlap(ranges[other], ranges[code])
                and usual[other].sum() >= many[other]
            ]
            between, prior = _of_other_groups(others)
            z[code] = _standardize(group, usual[code], between, prior)
            df[code] = prior + usual[code].sum() - 1
        usual |= {code: groups[code].tested & (np.abs(each) < _OUTLIER) for code, each in z.items()}
        if all((before[code] == usual[code]).all() for code in z):
            break
    p_values = {}
    for code, group in groups.items():
        p = np.where(group.tested, 1.0, np.nan)
        if code in z:
            tested = group.tested
            p[tested] = np.minimum(1, 2 * student_tail(np.abs(z[code][tested]), df[code]))
        p_values[code] = p
    return p_values


def _first_usual(group: Effects) -> Mask:
    """The models that do not stand out by their median absolute deviation."""
    tested = group.tested
    effect, error = group.effect[tested], group.error[tested]
    middle = np.median(effect)
    spread = (_NORMAL_MAD * np.median(np.abs(effect - middle))) ** 2
    total = error + max(0.0, float(spread - np.median(error)))
    usual = tested.copy()
    usual[tested] = np.abs(effect - middle) < _OUTLIER * np.sqrt(total)
    return usual


def _is_fine(limits: tuple[int, int]) -> bool:
    """Whether a group is of the finest ones, which do not overlap."""
    low, high = limits
    return high + 1 < 2 * low or low == high


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _of_other_groups(others: Sequence[tuple[Floats, Floats]]) -> tuple[float, float]:
    """Variance between models in other groups, and for how many degrees of freedom it stands.

    Args:
        others: effects and the variances of their errors, of the usual models.
    """
    if len(others) < _FEW_GROUPS:
        return 0.0, 0.0
    found = np.array([_between(*each) for each in others])
    between = max(0.0, float(np.average(found[:, 0], weights=found[:, 1])))
    spreads = np.array([_spread(*each, between)[0] for each in others])
    df = np.array([len(each[0]) - 1.0 for each in others])
    # The spreads' logarithms differ by more than those of chi-square variables do.
    logs = np.log(spreads) - digamma(df / 2) + np.log(df / 2)
    variance = (_NORMAL_MAD * np.median(np.abs(logs - np.median(logs)))) ** 2
    surplus = float(variance - polygamma(1, df / 2).mean())
    prior = 2 * _inverse_trigamma(surplus) if surplus > 0 else np.inf
    return between, float(min(prior, _MAX_PRIOR_DF))


def _standardize(group: Effects, usual: Mask, between: float, prior: float) -> Floats:
    """Effects over their standard deviations, each compared with the other usual models.

    Args:
        group: to test.
        usual: its usual models.
        between: variance between models in other groups.
        prior: degrees of freedom for which that stands.
    """
    z = np.zeros(len(group.effect))
    for model in np.flatnonzero(group.tested):
        others = usual & (np.arange(len(z)) != model)
        spread, mean, error_of_mean = _spread(group.effect[others], group.error[others], between)
        df = others.sum() - 1
        # Not below what the errors alone explain.
        factor = max(1.0, float((prior + df * spread) / (prior + df)))
        variance = (group.error[model] + between + error_of_mean) * factor
        z[model] = (group.effect[model] - mean) / np.sqrt(variance)
    return z


def _between(effect: Floats, error: Floats) -> tuple[float, float]:
    """DerSimonian and Laird's variance between models, perhaps negative, and its precision."""
    weight = 1 / error
    mean = (weight * effect).sum() / weight.sum()
    squares = (weight * (effect - mean) ** 2).sum()
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    df = len(effect) - 1
    return float((squares - df) / scale), float(scale**2 / (2 * df))


def _spread(effect: Floats, error: Floats, between: float) -> tuple[float, float, float]:
    """Mean square of effects in their standard deviations; their mean, and its variance."""
    weight = 1 / (error + between)
    mean = (weight * effect).sum() / weight.sum()
    squares = (weight * (effect - mean) ** 2).sum()
    return float(squares / (len(effect) - 1)), float(mean), float(1 / weight.sum())


def _inverse_trigamma(value: float) -> float:
    """The argument at which the trigamma function has this value (Smyth 2004, appendix)."""
    found = 0.5 + 1 / value
    for _ in range(_NEWTON_STEPS):
        trigamma = float(polygamma(1, found))
        found += trigamma * (1 - trigamma / value) / float(polygamma(2, found))
    return found
