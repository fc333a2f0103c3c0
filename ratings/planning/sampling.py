"""Which pair next: the probability of every pair, so that a leaderboard settles in few votes.

Three parts are mixed. A floor of exploration is uniform over the pairs. What is left goes

1.  to the first place, as far as it is in doubt: a pair is met as often as two draws from what is
    known of the strengths (normal about the estimate) have these two models first (top-two
    Thompson sampling: Russo 2020). The part is `_TOP` times the probability that two draws differ,
    and so fades as the first place becomes known;
2.  to the ratings: one more vote on a pair takes off the variances

        I * sum over k of w_k (C_ki - C_kj)^2 / (1 + I v)

    with C the covariance of the strengths, I the information of a vote on the pair and v the
    variance of the pair's difference (the rank-one update of an inverse; A-optimality with weights
    w: Chernoff 1953). Weights are the squared variances, so that who is little known is placed
    first, times a power of the rank, since readers look at the top. A pair's probability is
    proportional to a power of what it takes off.

Newcomers need no mode of their own: they have the largest variance, and may be first. All of it is
a function of the counts, so that anyone can compute the probabilities again. Where pairs are drawn
unevenly, averages over votes are reweighted by `inverse_probability_weights`; Bradley-Terry ratings
need no weights where the model is true.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit

from ratings.arrays import Floats, Mask
from ratings.errors import OptionError
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.model.refit import prior_of
from ratings.votes.battles import Battles

RULES = ("adaptive", "uniform")
# Chosen by tests/benchmarks/bench_sampling.py among a few values each; the neighbours do as well.
EXPLORE = 0.1
_TOP = 0.5
_POWER = 4
_RANK_POWER = -0.25
_PRIOR_SD = 400.0  # Elo points: a newcomer is not known at all
_LEAST_PROBABILITY = 1e-12
_DRAWS = 512  # a chance of being first is known to 2%; always the same, so that all can repeat it


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
    even = shown / max(pairs, 1)
    chance, fit = even, None
    if rule == "adaptive" and pairs > 1:
        fit = bradley_terry(battles, prior_sd=_PRIOR_SD, start=start)
        covariance = _covariance(fit)
        contest, doubt = _contest(fit, covariance)
        parts = [(_TOP * doubt, contest), (1 - _TOP * doubt, _worth(fit, covariance) ** _POWER)]
        chance = explore * even
        for part, wanted in parts:
            possible = np.where(shown, wanted, 0.0)
            total = possible.sum() / 2
            # What can show nothing falls to the floor.
            chance = chance + (1 - explore) * part * (possible / total if total else even)
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
    """Of the strengths about their mean, with the prior, shape (m, m)."""
    information = fit.design.information(fit.params) + prior_of(fit).precision
    return fit.design.invert(information)[: fit.design.size, : fit.design.size]


def _contest(fit: BradleyTerry, covariance: Floats) -> tuple[Floats, float]:
    """How often two draws have each pair first, shape (m, m), and how often they differ at all."""
    size = fit.design.size
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((_DRAWS, size))
    drawn = fit.params[:size] + normal * np.sqrt(np.maximum(values, 0)) @ vectors.T
    first = np.bincount(drawn.argmax(axis=1), minlength=size) / _DRAWS
    both = np.outer(first, first).astype(np.float64)
    np.fill_diagonal(both, 0)
    return both, float(both.sum())


def _worth(fit: BradleyTerry, covariance: Floats) -> Floats:
    """What one more vote takes off the weighted variances, the most as 1, shape (m, m)."""
    strengths = fit.params[: fit.design.size]
    own = np.diag(covariance)
    rank = np.empty(len(own))
    rank[np.argsort(-strengths, kind="stable")] = np.arange(1, len(own) + 1)
    weight = own**2 * rank**_RANK_POWER
    spread = covariance @ (covariance * weight[:, None])
    moved = np.diag(spread)[:, None] + np.diag(spread)[None, :] - 2 * spread
    variance = own[:, None] + own[None, :] - 2 * covariance
    # The information that is expected: the gap is not known better than its variance says
    # (MacKay's approximation of a logistic function averaged over a normal, 1992).
    gap = (strengths[:, None] - strengths[None, :]) / np.sqrt(1 + np.pi / 8 * variance)
    of_vote = expit(gap) * expit(-gap)
    worth = np.maximum(of_vote * moved / (1 + of_vote * variance), 0)
    np.fill_diagonal(worth, 0)
    scaled: Floats = worth / worth.max()
    return scaled


def inverse_probability_weights(probability: "pd.Series[float]") -> "pd.Series[float]":
    """Weights that make votes count as if all pairs had been drawn equally often; mean 1.

    For averages over votes, such as the share of ties, or ratings where Bradley-Terry is not
    exactly true and should weigh all pairs alike. The floor of exploration bounds the weights.

    Args:
        probability: with which each vote's pair was drawn, as the votes table has it.

    Raises:
        OptionError: a probability that is missing, or not above 0 and at most 1.
    """
    probability = pd.Series(probability)
    values = pd.to_numeric(probability, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not len(values):
        return pd.Series(values, index=probability.index, name="weight")
    bad = ~((values >= _LEAST_PROBABILITY) & (values <= 1))
    if bad.any():
        row = int(np.argmax(bad)) + 1
        raise OptionError(
            f"row {row}: probability is {probability.iloc[row - 1]}; it must be above 0 and at "
            "most 1"
        )
    weights = 1 / values
    return pd.Series(weights / weights.mean(), index=probability.index, name="weight")
