"""Which pair next: the probability of every pair, so that a leaderboard settles in few votes.

One more vote on a pair (i, j) is worth what it takes off the variances of the ratings. With the
covariance C of the strengths, the information I of a vote on the pair (p(1 - p) for strengths that
are known) and the variance v of the pair's difference, it takes off

    I * sum over k of w_k (C_ki - C_kj)^2 / (1 + I v)

(the rank-one update of an inverse; A-optimality with the weights w: Kiefer 1959, Chernoff 1953). A
pair's probability is proportional to a power of this, mixed with a floor of uniform exploration. A
model that is little known has the largest variance, and its votes take off most: newcomers are
placed first, without a mode of their own. The weights w fall with the rank, since readers look at
the top.

Where pairs are drawn unevenly, estimates that suppose a vote like any other are reweighted by
`inverse_probability_weights`. Bradley-Terry ratings need no weights where the model is true.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.errors import OptionError
from ratings.refit import prior_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RULES = ("adaptive", "uniform")
# Measured by tests/benchmarks/bench_sampling.py: less floor slows newcomers less but leaves rare
# pairs unseen; a higher power gains little more and draws ever fewer pairs.
EXPLORE = 0.1
_POWER = 4
_TOP_WEIGHT = 0.5  # the model of rank r weighs r^-0.5
_PRIOR_SD = 400.0  # Elo points: a newcomer is not known at all


@dataclass(frozen=True, eq=False)
class PairProbabilities:
    """With which probability each pair is shown next.

    Attributes:
        probability: by model and model, symmetric; the pairs above the diagonal sum to 1 (to 0
            where no pair can be shown).
        share: by model, the probability that the next battle has it; they sum to 2.
        rule: "adaptive" or "uniform".
        explore: share of the draws that are uniform over the pairs.
        fit: the ratings that the rule worked with, None for "uniform"; a start for the next.
    """

    probability: pd.DataFrame
    share: "pd.Series[float]"
    rule: str
    explore: float
    fit: BradleyTerry | None = field(repr=False)

    def draw(self, random: np.random.Generator) -> tuple[str, str, float]:
        """Two models, in no order of sides, and the probability with which this pair came.

        Raises:
            OptionError: no pair can be shown.
        """
        left, right = np.triu_indices(len(self.probability), 1)
        chance = self.probability.to_numpy()[left, right]
        if not chance.any():
            raise OptionError("no pair of models can be shown")
        which = int(random.choice(len(chance), p=chance / chance.sum()))
        names = self.probability.index
        return str(names[left[which]]), str(names[right[which]]), float(chance[which])


def pair_probabilities(
    battles: Battles,
    *,
    rule: str = "adaptive",
    explore: float = EXPLORE,
    available: Mask | None = None,
    start: BradleyTerry | None = None,
) -> PairProbabilities:
    """The probability of each pair to be shown next.

    Args:
        battles: the votes so far; `Battles.from_counts` is enough, and models without votes are
            newcomers.
        rule: "adaptive", or "uniform" over the pairs.
        explore: share of the draws that stays uniform, above 0 so that every pair keeps a chance.
        available: pairs that have something to show, symmetric, shape (m, m); None: all.
        start: the `fit` of the last call, for speed alone.

    Raises:
        OptionError: an unknown rule, `explore` not above 0 and up to 1, `available` of another
            shape.
    """
    if rule not in RULES:
        raise OptionError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    if not 0 < explore <= 1:
        raise OptionError(f"explore must be above 0 and at most 1, not {explore}")
    size = len(battles.models)
    shown = ~np.eye(size, dtype=bool)
    if available is not None:
        asked = np.asarray(available, dtype=bool)
        if asked.shape != shown.shape or (asked != asked.T).any():
            raise OptionError(f"available must be symmetric, of the shape {shown.shape}")
        shown &= asked
    pairs = shown.sum() / 2
    chance = shown / max(pairs, 1)
    fit = None
    if rule == "adaptive" and pairs > 1:
        fit = bradley_terry(battles, prior_sd=_PRIOR_SD, start=start)
        worth = np.where(shown, _worth(fit), 0.0)
        worth = (worth / max(worth.max(), np.finfo(float).tiny)) ** _POWER
        if worth.any():
            chance = explore * chance + (1 - explore) * worth / (worth.sum() / 2)
    models = pd.Index(battles.models, name="model", dtype=object)
    return PairProbabilities(
        probability=pd.DataFrame(chance, index=models, columns=models),
        share=pd.Series(chance.sum(axis=1), index=models, name="share"),
        rule=rule,
        explore=explore if rule == "adaptive" else 1.0,
        fit=fit,
    )


def _worth(fit: BradleyTerry) -> Floats:
    """What one more vote takes off the weighted variances, strengths squared, shape (m, m)."""
    design, strengths = fit.design, fit.point[: fit.design.size]
    size = design.size
    information = design.information(fit.point) + prior_of(fit).precision
    covariance = design.invert(information)[:size, :size]
    rank = np.empty(size)
    rank[np.argsort(-strengths, kind="stable")] = np.arange(1, size + 1)
    spread = covariance @ (covariance * (rank**-_TOP_WEIGHT)[:, None])
    moved = np.diag(spread)[:, None] + np.diag(spread)[None, :] - 2 * spread
    own = np.diag(covariance)
    variance = own[:, None] + own[None, :] - 2 * covariance
    gap = strengths[:, None] - strengths[None, :]
    # The information that is expected: the gap is not known better than its variance says
    # (MacKay's approximation of a logistic function averaged over a normal, 1992).
    damped = gap / np.sqrt(1 + np.pi / 8 * variance)
    of_vote = expit(damped) * expit(-damped)
    worth: Floats = of_vote * moved / (1 + of_vote * variance)
    return np.maximum(worth, 0)


def inverse_probability_weights(probability: "pd.Series[float]") -> "pd.Series[float]":
    """Weights that make votes count as if all pairs had been drawn equally often; mean 1.

    For averages over votes, such as the share of ties, or ratings where Bradley-Terry is not
    exactly true and should weigh all pairs alike. The floor of exploration bounds the weights.

    Args:
        probability: with which each vote's pair was drawn, as the votes table has it.

    Raises:
        OptionError: a probability that is missing, or not above 0 and at most 1.
    """
    values = probability.to_numpy(dtype=float, na_value=np.nan)
    bad = ~((values > 0) & (values <= 1))
    if bad.any():
        row = int(np.argmax(bad)) + 1
        raise OptionError(
            f"row {row}: probability is {values[row - 1]}; it must be above 0 and at most 1"
        )
    weights = 1 / values
    return pd.Series(weights / weights.mean(), index=probability.index, name="weight")
