"""Agreement of answers to the same unit: observed, and beyond chance (Krippendorff's alpha, 2011).

alpha = 1 - observed / expected disagreement, from the number of times that each value was given to
each unit. Answers are dependent within a unit, and also within a voter: one who votes at random
lowers the agreement of every unit that it answers. So the variance is clustered both ways. With the
influence of each pair of answers summed by unit, U, by voter (over every pair with the voter), V,
and by voter within unit, UV,

    variance = sum over units of U^2 + over voters of V^2 - over voters within units of (UV)^2

(Cameron, Gelbach and Miller 2011, with voters' sums over pairs as in Aronow, Samii and Assenova
2015). Intervals are Wilson's, for the number of independent answers that has this variance.
"""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError
from ratings.inference.proportions import NO_ESTIMATE, Estimate, contribution_df, wilson_interval

METRICS = ("nominal", "ordinal", "interval")


class Answers(NamedTuple):
    """Answers to units, at most one by each voter to each unit.

    Attributes:
        unit: code from 0, shape (answers,).
        voter: code from 0, shape (answers,).
        value: code from 0, shape (answers,).
        mirror: the value that each value becomes if the unit's two sides are swapped, shape
            (values,); which side is named first carries no information.
    """

    unit: Codes
    voter: Codes
    value: Codes
    mirror: Codes

    def compared(self) -> "Answers":
        """Answers to units with two answers or more."""
        mask = np.bincount(self.unit, minlength=1)[self.unit] > 1
        return self._replace(unit=self.unit[mask], voter=self.voter[mask], value=self.value[mask])

    def counts(self) -> Floats:
        """Number of times that each value was given to each unit, shape (units, values)."""
        units, values = int(self.unit.max(initial=-1)) + 1, len(self.mirror)
        total = np.bincount(self.unit * values + self.value, minlength=units * values)
        return total.reshape(units, values).astype(np.float64)


def krippendorff_alpha(counts: Floats, *, metric: str = "nominal") -> float:
    """Krippendorff's alpha of answers to units.

    Args:
        counts: number of times that each value was given to each unit, shape (units, values);
            values in order, at equal distances for "interval".
        metric: "nominal", "ordinal" or "interval" (Krippendorff 2011, section F).

    Returns:
        NaN if no unit has two answers, or all answers are equal.
    """
    counts = counts[counts.sum(axis=1) > 1]
    totals = counts.sum(axis=0)
    distance = _distances(totals, metric)
    pairs = np.einsum("uc,ck,uk->u", counts, distance, counts)
    observed = float((pairs / np.maximum(counts.sum(axis=1) - 1, 1)).sum())
    expected = float(totals @ distance @ totals)
    return 1 - observed * (float(totals.sum()) - 1) / expected if expected > 0 else np.nan


def estimate_agreement(answers: Answers, confidence: float) -> Estimate:
    """Share of equal answers among pairs of voters, with equal weight for every answer."""
    answers = answers.compared()
    if not len(answers.unit):
        return NO_ESTIMATE
    disagreement = _disagreements(answers, 1 - np.eye(len(answers.mirror)))
    share = 1 - float(disagreement.mean())
    influence = (disagreement.mean() - disagreement) / len(disagreement)
    variance, df = _variance(answers, influence, np.zeros(len(disagreement)))
    lower, upper = _interval(answers, share, variance, df, confidence)
    return Estimate(share, lower, upper, len(disagreement))


def estimate_alpha(answers: Answers, metric: str, confidence: float) -> Estimate:
    """Krippendorff's alpha with each answer in both orders of sides in the expected disagreement.

    Args:
        answers: the answers.
        metric: see `krippendorff_alpha`.
        confidence: of the interval.
    """
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
    disagreement = _disagreements(answers, distance)
    observed = float(disagreement.mean())
    expected_change = 2 * ((distance @ totals)[answers.value] / (2 * votes) - expected)
    variance, df = _variance(
        answers, (disagreement - observed) / votes, -observed / expected * expected_change / votes
    )
    lower, upper = _interval(answers, observed, variance, df, confidence)
    return Estimate(1 - observed / expected, 1 - upper / expected, 1 - lower / expected, votes)


def _distances(totals: Floats, metric: str) -> Floats:
    """Squared distances between values given how often each occurs, shape (values, values)."""
    values = len(totals)
    if metric == "nominal":
        return 1 - np.eye(values)
    if metric == "interval":
        position = np.arange(values, dtype=np.float64)
        return (position[:, None] - position[None, :]) ** 2
    if metric != "ordinal":
        raise OptionError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    rank = np.cumsum(totals) - totals / 2  # mean rank of each value
    squared: Floats = (rank[:, None] - rank[None, :]) ** 2
    return squared


def _disagreements(answers: Answers, distance: Floats) -> Floats:
    """Mean distance of each answer from the unit's other answers, shape (answers,)."""
    counts = answers.counts()
    others = counts.sum(axis=1)[answers.unit] - 1
    mean: Floats = (counts @ distance)[answers.unit, answers.value] / others
    return mean


def _variance(
    answers: Answers, pair_influence: Floats, answer_influence: Floats
) -> tuple[float, float]:
    """Variance of a mean over answers, clustered by unit and voter, and its degrees of freedom.

    Args:
        answers: the answers.
        pair_influence: influence of each answer's pairs, half of each pair's, shape (answers,).
        answer_influence: influence of the answer itself, shape (answers,).
    """
    by_unit = np.bincount(answers.unit, pair_influence + answer_influence)
    # A voter's sum has the other half of each of its pairs as well.
    by_answer = 2 * pair_influence + answer_influence
    by_voter = np.bincount(answers.voter, by_answer)
    units = int((np.bincount(answers.unit) > 0).sum())
    voters = int((np.bincount(answers.voter) > 0).sum())
    unit_variance = float((by_unit**2).sum()) * units / max(units - 1, 1)
    voter_variance = float((by_voter**2).sum()) * voters / max(voters - 1, 1)
    df = contribution_df(by_unit)
    total = unit_variance + voter_variance - float((by_answer**2).sum())
    if total <= unit_variance:
        return unit_variance, df
    return total, min(df, contribution_df(by_voter))


def _interval(
    answers: Answers, share: float, variance: float, df: float, confidence: float
) -> tuple[float, float]:
    """Wilson's interval for the number of independent answers that has this variance."""
    votes = len(answers.unit)
    if variance > 0 and 0 < share < 1:
        trials = min(share * (1 - share) / variance, float(votes))
    else:  # all equal: at most one answer by unit, or by voter, is independent
        trials = float(min(len(np.unique(answers.unit)), len(np.unique(answers.voter))))
    lower, upper = wilson_interval(share, trials, confidence, df=df)
    return float(lower), float(upper)
