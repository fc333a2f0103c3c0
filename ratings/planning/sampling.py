"""Adaptive sampling: the probability of each pair to be shown next.

The distribution is a mixture of three parts. A floor of exploration is uniform over the pairs. The
rest is divided between

1.  the first place, until it is known: the leader is drawn by the posterior probability that it is
    first (of strengths normal about the estimate), and its opponent in proportion to the posterior
    probability of being stronger than the leader (a top-two rule: Russo 2020; the leader always
    takes part, as in Jourdan et al. 2022). This part keeps its weight, `_FIRST_PLACE_WEIGHT`,
    until the others are stronger than the best model with a probability of `_KNOWN` together,
    since the last votes before a lead is significant are the most; then it has less in proportion.
    Above `_OPEN` it falls with the square root, as nearly equal models would take the votes of all
    others. It is multiplied by the square of the ratio of the upper quartile of the variances to
    the largest one, so that newcomers are placed first;
2.  the ratings: one more vote on a pair reduces the weighted sum of variances by

        I * sum over k of w_k (C_ki - C_kj)^2 / (1 + I v)

    with C the covariance of the strengths, I the information of a vote on the pair and v the
    variance of the pair's difference (the rank-one update of an inverse; A-optimality with weights
    w: Chernoff 1953). Weights are the squared variances, so that uncertain models are placed first,
    times a power of the rank, since readers look at the top. A pair's probability is proportional
    to a power of its reduction.

New models need no other rule: they have the largest variance, and may be first. Models that cannot
be shown, such as retired ones, have no part in any of this. Everything is a function of the counts,
so that anyone can recompute the probabilities. Where pairs are drawn unevenly,
`inverse_probability_weights` corrects averages over votes; Bradley-Terry ratings need no weights
where the model is true.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit

from ratings.arrays import Floats, Mask
from ratings.distributions import normal_tail
from ratings.errors import OptionError
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.model.refit import prior_of
from ratings.votes.battles import Battles

RULES = ("adaptive", "uniform")
# Chosen by tests/benchmarks/bench_sampling.py and bench_adaptive.py among a few values each; nearby
# values do as well.
EXPLORE = 0.1
# With more the first place is known sooner, and the errors of the others are larger.
_FIRST_PLACE_WEIGHT = 0.35
_KNOWN, _OPEN = 0.002, 0.1
_REDUCTION_POWER = 4
_RANK_POWER = -0.25
_PRIOR_SD = 400.0  # Elo points: vague, for newcomers
_MIN_PROBABILITY = 1e-12
_MIN_VARIANCE = 1e-12  # of a difference: on the diagonal it is 0
_DRAWS = 512  # a probability of being first is known to 2%; a fixed seed makes it reproducible


@dataclass(frozen=True, eq=False)
class PairProbabilities:
    """Probability of each pair to be shown next.

    Attributes:
        probability: models x models, symmetric; the pairs above the diagonal sum to 1, or to 0 if
            no pair can be shown.
        share: by model, the probability to be in the next battle; these sum to 2.
        rule: "adaptive" or "uniform".
        explore: share of the draws that are uniform over the pairs.
        fit: the ratings that the rule used, a start for the next call; None for "uniform".
    """

    probability: pd.DataFrame
    share: "pd.Series[float]"
    rule: str
    explore: float
    fit: BradleyTerry | None = field(repr=False)

    def draw(self, random: np.random.Generator) -> tuple[str, str, float]:
        """Draw a pair: two models, in no particular order, and the probability of this pair.

        Raises:
            OptionError: no pair can be shown.
        """
        left, right = np.triu_indices(len(self.probability), 1)
        chance = self.probability.to_numpy()[left, right]
        if not chance.any():
            raise OptionError("no pair of models can be shown")
        index = int(random.choice(len(chance), p=chance / chance.sum()))
        names = self.probability.index
        return str(names[left[index]]), str(names[right[index]]), float(chance[index])


def pair_probabilities(
    battles: Battles,
    *,
    rule: str = "adaptive",
    explore: float = EXPLORE,
    available: Mask | None = None,
    start: BradleyTerry | None = None,
) -> PairProbabilities:
    """Compute the probability of each pair to be shown next.

    Args:
        battles: the votes so far; `Battles.from_counts` is enough, and models without votes are
            newcomers.
        rule: "adaptive", or "uniform" over the pairs.
        explore: share of the draws that is uniform, above 0 so that every pair can be drawn.
        available: pairs that can be shown, symmetric, shape (m, m); None: all.
        start: the `fit` of the previous call, only for speed.

    Raises:
        OptionError: an unknown rule, `explore` not above 0 and up to 1, `available` of another
            shape.
    """
    if rule not in RULES:
        raise OptionError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    if not 0 < explore <= 1:
        raise OptionError(f"explore must be above 0 and at most 1, not {explore}")
    size = len(battles.models)
    allowed = ~np.eye(size, dtype=bool)
    if available is not None:
        mask = np.asarray(available, dtype=bool)
        if mask.shape != allowed.shape or (mask != mask.T).any():
            raise OptionError(f"available must be symmetric, of the shape {allowed.shape}")
        allowed &= mask
    pairs = allowed.sum() / 2
    uniform = allowed / max(pairs, 1)
    chance, fit = uniform, None
    if rule == "adaptive" and pairs > 1:
        fit = bradley_terry(battles, prior_sd=_PRIOR_SD, start=start)
        covariance = _covariance(fit)
        shown: Mask = np.any(allowed, axis=0)
        first_place, doubt = _first_place(fit, covariance, shown)
        evenness = _evenness(np.diag(covariance)[shown])
        urgency = min(1.0, doubt / _KNOWN, np.sqrt(_OPEN / max(doubt, _OPEN)))
        first_weight = _FIRST_PLACE_WEIGHT * urgency * evenness
        reduction = _variance_reduction(fit, covariance, shown) ** _REDUCTION_POWER
        chance = explore * uniform
        for weight, target in [(first_weight, first_place), (1 - first_weight, reduction)]:
            possible = np.where(allowed, target, 0.0)
            total = possible.sum() / 2
            # A part without any allowed pair becomes uniform.
            chance = chance + (1 - explore) * weight * (possible / total if total else uniform)
        chance = (chance + chance.T) / 2  # exactly symmetric
    models = pd.Index(battles.models, name="model", dtype=object)
    return PairProbabilities(
        probability=pd.DataFrame(chance, index=models, columns=models),
        share=pd.Series(chance.sum(axis=1), index=models, name="share"),
        rule=rule,
        explore=explore if rule == "adaptive" else 1.0,
        fit=fit,
    )


def _covariance(fit: BradleyTerry) -> Floats:
    """Posterior covariance of the strengths about their mean, shape (m, m)."""
    information = fit.design.information(fit.params) + prior_of(fit).precision
    return fit.design.invert(information)[: fit.design.size, : fit.design.size]


def _evenness(variance: Floats) -> float:
    """Near 0 where few models are much less known than the others, 1 where all are alike."""
    return float((np.quantile(variance, 0.75) / variance.max()) ** 2)


def _first_place(fit: BradleyTerry, covariance: Floats, shown: Mask) -> tuple[Floats, float]:
    """Each pair's probability to be drawn for the first place, and how much that is in doubt.

    Returns:
        Probabilities, shape (m, m), symmetric, the pairs above the diagonal sum to 1; and the sum
        of the probabilities of each other model to be stronger than the best one.
    """
    size = fit.design.size
    strengths = fit.params[:size]
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((_DRAWS, size))
    drawn = strengths + normal * np.sqrt(np.maximum(values, 0)) @ vectors.T
    first = np.bincount(np.where(shown, drawn, -np.inf).argmax(axis=1), minlength=size) / _DRAWS
    stronger = np.where(shown, _stronger(strengths, covariance), 0.0)  # row: leader
    np.fill_diagonal(stronger, 0.0)
    doubt = stronger.sum(axis=1)
    opponent = stronger / np.where(doubt > 0, doubt, 1.0)[:, None]
    led = first[:, None] * opponent
    best = int(np.where(shown, strengths, -np.inf).argmax())
    return led + led.T, float(doubt[best])


def _stronger(strengths: Floats, covariance: Floats) -> Floats:
    """Posterior probability that the model of a column is stronger than that of a row."""
    variance = np.diag(covariance)
    difference = np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, _MIN_VARIANCE)
    tail: Floats = normal_tail((strengths[:, None] - strengths[None, :]) / np.sqrt(difference))
    return tail


def _variance_reduction(fit: BradleyTerry, covariance: Floats, shown: Mask) -> Floats:
    """Reduction of the weighted variances by one vote, relative to the largest, shape (m, m)."""
    strengths = fit.params[: fit.design.size]
    variance = np.diag(covariance)
    # The mean of those that equal models share: without votes, all have the same.
    rank = (strengths[None, :] > strengths[:, None]).sum(axis=1) + (
        (strengths[None, :] == strengths[:, None]).sum(axis=1) + 1
    ) / 2
    weight = shown * variance**2 * rank**_RANK_POWER
    weighted = covariance @ (covariance * weight[:, None])
    diagonal = np.diag(weighted)
    squared = diagonal[:, None] + diagonal[None, :] - 2 * weighted
    pair_variance = variance[:, None] + variance[None, :] - 2 * covariance
    # The expected information, averaged over the posterior of the log odds (MacKay's approximation
    # of a logistic function averaged over a normal, 1992).
    difference = strengths[:, None] - strengths[None, :]
    log_odds = difference / np.sqrt(1 + np.pi / 8 * pair_variance)
    information = expit(log_odds) * expit(-log_odds)
    reduction = np.maximum(information * squared / (1 + information * pair_variance), 0)
    np.fill_diagonal(reduction, 0)
    scaled: Floats = reduction / reduction.max()
    return scaled


def inverse_probability_weights(probability: "pd.Series[float]") -> "pd.Series[float]":
    """Weights that make votes count as if all pairs had been drawn equally often; mean 1.

    Use them for averages over votes, such as the tie rate, or for ratings that should weight all
    pairs equally where Bradley-Terry is not exactly true. The floor of exploration bounds the
    weights.

    Args:
        probability: with which each vote's pair was drawn, a column of the votes table.

    Raises:
        OptionError: a probability that is missing, or not above 0 and at most 1.
    """
    probability = pd.Series(probability)
    values = pd.to_numeric(probability, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not len(values):
        return pd.Series(values, index=probability.index, name="weight")
    bad = ~((values >= _MIN_PROBABILITY) & (values <= 1))
    if bad.any():
        row = int(np.argmax(bad)) + 1
        raise OptionError(
            f"row {row}: probability is {probability.iloc[row - 1]}; it must be above 0 and at "
            "most 1"
        )
    weights = 1 / values
    return pd.Series(weights / weights.mean(), index=probability.index, name="weight")
