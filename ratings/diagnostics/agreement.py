"""Agreement of answers to the same unit: plain, and beyond chance by Krippendorff's alpha (2011).

alpha = 1 - observed / expected disagreement, from how often every value was given to every unit.
Answers are alike within a unit, but also within a voter: one who votes at random lowers the
agreement of every unit it meets. So the variance is clustered both ways. With u the influence of
each pair of answers, summed by unit, by voter (every pair that the voter is in), and by voter
within unit,

    variance = sum over units of U^2 + over voters of V^2 - over voters within units of (UV)^2

(Cameron, Gelbach and Miller 2011, with the voters' part of pairs as in Aronow, Samii and Assenova
2015). Intervals are Wilson's, for the number of independent answers that has this variance.
"""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError
from ratings.inference.proportions import NO_ESTIMATE, Estimate, contribution_df, wilson_interval

METRICS = ("nominal", "ordinal", "interval")


class Answers(NamedTuple):
    """Answers to units, at most one of a voter to a unit.

    Attributes:
        unit: code from 0, shape (answers,).
        voter: code from 0, shape (answers,).
        value: code from 0, shape (answers,).
        mirror: the value that each would be if the unit's two sides were named the other way
            round, shape (values,): which is named first is no information.
    """

    unit: Codes
    voter: Codes
    value: Codes
    mirror: Codes

    def compared(self) -> "Answers":
        """Those to units with two answers or more."""
        told = np.bincount(self.unit, minlength=1)[self.unit] > 1
        return self._replace(unit=self.unit[told], voter=self.voter[told], value=self.value[told])

    def counts(self) -> Floats:
        """How often each value was given to each unit, shape (units, values)."""
        units, values = int(self.unit.max(initial=-1)) + 1, len(self.mirror)
        total = np.bincount(self.unit * values + self.value, minlength=units * values)
        return total.reshape(units, values).astype(np.float64)


def krippendorff_alpha(counts: Floats, *, metric: str = "nominal") -> float:
    """Krippendorff's alpha of answers to units; NaN without a unit of two answers or any variety.

    Args:
        counts: how often each value was given to each unit, shape (units, values); values in
            order, at equal distances for "interval".
        metric: "nominal", "ordinal" or "interval" (Krippendorff 2011, section F).
    """
    counts = counts[counts.sum(axis=1) > 1]
    totals = counts.sum(axis=0)
    distance = _distances(totals, metric)
    pairs = np.einsum("uc,ck,uk->u", counts, distance, counts)
    observed = float((pairs / np.maximum(counts.sum(axis=1) - 1, 1)).sum())
    expected = float(totals @ distance @ totals)
    return 1 - observed * (float(totals.sum()) - 1) / expected if expected > 0 else np.nan


def estimate_agreement(answers: Answers, confidence: float) -> Estimate:
    """Share of equal answers among pairs of voters, every answer weighing alike."""
    answers = answers.compared()
    if not len(answers.unit):
        return NO_ESTIMATE
    apart = _disagreements(answers, 1 - np.eye(len(answers.mirror)))
    share = 1 - float(apart.mean())
    influence = (apart.mean() - apart) / len(apart)
    variance, df = _variance(answers, influence, np.zeros(len(apart)))
    lower, upper = _interval(answers, share, variance, df, confidence)
    return Estimate(share, lower, upper, len(apart))


def estimate_alpha(answers: Answers, metric: str, confidence: float) -> Estimate:
    """Krippendorff's alpha with each answer both ways round in the expected disagreement."""
    answers = answers.compared()
    votes = len(answers.unit)
    if not votes:
        return NO_ESTIMATE
    totals = np.bincount(answers.value, minlength=len(answers.mirror)).astype(np.float64)
    totals += totals[answers.mirror]
    distance = _distances(totals, metric)
    distance /= max(float(distance.max()), 1.0)
    expected = float(totals @ distance @ totals) / (2 * votes * (2 * votes - 1))
    if not expected:
        return Estimate(np.nan, np.nan, np.nan, votes)
    apart = _disagreements(answers, distance)
    observed = float(apart.mean())
    of_totals = 2 * ((distance @ totals)[answers.value] / (2 * votes) - expected)
    variance, df = _variance(
        answers, (apart - observed) / votes, -observed / expected * of_totals / votes
    )
    lower, upper = _interval(answers, observed, variance, df, confidence)
    return Estimate(1 - observed / expected, 1 - upper / expected, 1 - lower / expected, votes)


def _distances(totals: Floats, metric: str) -> Floats:
    values = len(totals)
    if metric == "nominal":
        return 1 - np.eye(values)
    if metric == "interval":
        place = np.arange(values, dtype=np.float64)
        return (place[:, None] - place[None, :]) ** 2
    if metric != "ordinal":
        raise OptionError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    middle = np.cumsum(totals) - totals / 2
    squared: Floats = (middle[:, None] - middle[None, :]) ** 2
    return squared


def _disagreements(answers: Answers, distance: Floats) -> Floats:
    """Mean distance of each answer from the unit's others, shape (answers,)."""
    counts = answers.counts()
    others = counts.sum(axis=1)[answers.unit] - 1
    apart: Floats = (counts @ distance)[answers.unit, answers.value] / others
    return apart


def _variance(answers: Answers, of_pairs: Floats, of_answers: Floats) -> tuple[float, float]:
    """Of a mean, by units and voters; and its degrees of freedom.

    Args:
        answers: what the mean is of.
        of_pairs: influence of each answer's pairs, half of each pair's, shape (answers,).
        of_answers: influence of the answer itself.
    """
    by_unit = np.bincount(answers.unit, of_pairs + of_answers)
    both = 2 * of_pairs + of_answers
    by_voter = np.bincount(answers.voter, both)
    units = int((np.bincount(answers.unit) > 0).sum())
    voters = int((np.bincount(answers.voter) > 0).sum())
    units_part = float((by_unit**2).sum()) * units / max(units - 1, 1)
    voters_part = float((by_voter**2).sum()) * voters / max(voters - 1, 1)
    df = contribution_df(by_unit)
    total = units_part + voters_part - float((both**2).sum())
    if total <= units_part:
        return units_part, df
    return total, min(df, contribution_df(by_voter))


def _interval(
    answers: Answers, share: float, variance: float, df: float, confidence: float
) -> tuple[float, float]:
    votes = len(answers.unit)
    if variance > 0:
        trials = min(share * (1 - share) / variance, float(votes))
    else:  # all alike: no more than one answer a unit, or a voter, is independent
        trials = float(min(len(np.unique(answers.unit)), len(np.unique(answers.voter))))
    lower, upper = wilson_interval(share, trials, confidence, df=df)
    return float(lower), float(upper)
