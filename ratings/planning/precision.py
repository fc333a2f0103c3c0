"""Precision of differences between ratings after more votes.

With the information H of the votes so far (and of the prior), and J that a future vote adds on
average, the variance of a difference c after n more votes is

    V(n) = f c' (H + n J)^- c

where f is the ratio of the sandwich variance of the difference now to the model's: misfit, ties and
dependent voters are assumed to affect future votes as they affected those so far. With pairs mixed
as they were so far, and without a prior, that is V(0) / (1 + n / votes). If all votes are between
the two models, each adds the same to 1 / V (the rank-one update of an inverse).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry, check_same_votes
from ratings.model.design import Design
from ratings.model.outcomes import OUTCOMES
from ratings.model.refit import prior_of
from ratings.votes.battles import Battles

_MIN_VARIANCE = 1e-9  # Elo points squared: it is 0 where the scores of a few clusters cancel


@dataclass(frozen=True, eq=False)
class Gap:
    """The gap, or difference, between two models' ratings, now and after more votes.

    Attributes:
        estimate: Elo points, 0 or more.
        precision: of the estimate (1 / variance), per Elo point squared.
        direct_vote: precision that one vote between the two models adds.
        df: degrees of freedom of the variance.
        confidence: of the test.
        votes: number of votes so far.
        parts: the gap's variance under the model, split along the directions in which more votes
            add information independently, shape (n_params,).
        rates: information that one vote adds along each direction, relative to that so far, shape
            (n_params,).
    """

    estimate: float
    precision: float
    direct_vote: float
    df: float
    confidence: float
    votes: int
    parts: Floats
    rates: Floats

    def added(self, votes: float) -> float:
        """Precision that `votes` more votes in the whole arena add."""
        later = float((self.parts / (1 + votes * self.rates)).sum())
        return max(self.precision * (float(self.parts.sum()) / later - 1), 0.0)

    def added_directly(self, votes: float) -> float:
        """Precision that `votes` more votes between these two models add."""
        return votes * self.direct_vote

    def threshold(self, votes: float = 0.0, *, tests: int = 1) -> float:
        """Number of standard errors that the gap must exceed after `votes` more votes.

        More votes come from more voters, so that the variance is also known better.

        Args:
            votes: number of further votes.
            tests: number of tests that are made at once (Bonferroni).
        """
        df = self.df * (1 + votes / self.votes)
        return float(stdtrit(df, 1 - (1 - self.confidence) / 2 / tests))

    def significant(self, *, tests: int = 1) -> bool:
        """Whether the gap is significant with the votes so far, in one of `tests` tests."""
        return bool(self.estimate * np.sqrt(self.precision) > self.threshold(tests=tests))


class Gaps:
    """Gaps between rated models, and their precision after more votes.

    Attributes:
        names: the rated models, best first; empty if the rules use no vote.
        votes: votes cast among them, also those with answers that the rules leave out.
    """

    def __init__(
        self, battles: Battles, fit: BradleyTerry, intervals: Intervals, pairs: pd.DataFrame | None
    ) -> None:
        """Prepare the gaps of `fit`.

        Args:
            battles: the votes.
            fit: their ratings.
            intervals: intervals of the ratings.
            pairs: probability of each pair in future votes; None: mixed as they were so far.

        Raises:
            OptionError: a fit of other votes, or intervals of another fit.
        """
        check_same_votes(battles, fit)
        if not (intervals.ratings is fit.ratings or intervals.ratings.equals(fit.ratings)):
            raise OptionError("the intervals are of another fit: use `intervals(battles, fit)`")
        self._fit, self._intervals = fit, intervals
        rated = fit.ratings.notna().to_numpy()
        ordered = fit.ratings.dropna().sort_values(ascending=False, kind="stable")
        # A prior rates all models even without votes, but then nothing can be planned.
        informative = bool(fit.design.counts.any())
        self.names = [str(name) for name in ordered.index] if informative else []
        self._index = {str(name): i for i, name in enumerate(fit.ratings.index[rated])}
        self.votes = int(battles.counts[:, rated][:, :, rated].sum())
        chance = None if pairs is None else _pair_chances(pairs, self.names)
        if not informative:
            return
        # Answers that the rules leave out add nothing, and votes may have other weights than 1.
        self._weight = float(fit.design.counts.sum()) / self.votes
        if chance is None:
            vote_information = fit.design.information(fit.params) / self.votes
        else:
            order = [self.names.index(name) for name in self._index]
            vote_information = self._weight * _expected_information(
                fit, chance[np.ix_(order, order)]
            )
        self._axes, self._rates = _diagonalize(fit, vote_information)

    def between(self, upper: str, lower: str) -> Gap:
        """The gap between two models, the better one first."""
        fit, covariance = self._fit, self._intervals.covariance.to_numpy()
        i, j = self._index[upper], self._index[lower]
        variance = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        precision = 1 / max(variance, _MIN_VARIANCE)
        parts = (self._axes[i] - self._axes[j]) ** 2
        chance = np.zeros((fit.design.size,) * 2)
        chance[i, j] = 1
        vote = _expected_information(fit, chance)
        # Along half of the difference of the two: the information about "neither" cancels.
        direct = self._weight * float(vote[i, i] + vote[j, j] - 2 * vote[i, j]) / 4
        return Gap(
            estimate=float(fit.ratings[upper]) - float(fit.ratings[lower]),
            precision=precision,
            direct_vote=direct * float(parts.sum()) * precision,
            df=float(self._intervals.df[[upper, lower]].min()),
            confidence=self._intervals.confidence,
            votes=self.votes,
            parts=parts * ELO_PER_STRENGTH**2,
            rates=self._rates,
        )

    def correlation(self, upper: str, lowers: list[str]) -> Floats:
        """Correlation of the gaps between one model and others, shape (others, others)."""
        names = [upper, *lowers]
        covariance = self._intervals.covariance.loc[names, names].to_numpy()
        contrast = np.hstack([np.ones((len(lowers), 1)), -np.eye(len(lowers))])
        covariance = contrast @ covariance @ contrast.T
        error = np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
        correlation: Floats = covariance / np.outer(error, error)
        return correlation


def _pair_chances(pairs: pd.DataFrame, names: list[str]) -> Floats:
    """Probability of each pair among the rated models, split over both orders, shape (m, m)."""
    missing = [name for name in names if name not in pairs.index or name not in pairs.columns]
    if missing:
        raise OptionError(f"pairs must have a row and a column for {missing[0]!r}, which is rated")
    chance = pairs.loc[names, names].to_numpy(dtype=np.float64)
    chance = chance + chance.T
    np.fill_diagonal(chance, 0)
    if not (np.isfinite(chance).all() and (chance >= 0).all()):
        raise OptionError("pairs must be probabilities: finite numbers of 0 or more")
    if len(names) > 1 and not chance.any():
        raise OptionError("pairs must give some pair of rated models a probability above 0")
    normalized: Floats = chance / max(chance.sum(), np.finfo(float).tiny)
    return normalized


def _expected_information(fit: BradleyTerry, chance: Floats) -> Floats:
    """Expected information of one vote on a pair drawn at random, shape (n_params, n_params).

    Sides are drawn with equal probability, and covariates are equal.

    Args:
        fit: the ratings.
        chance: probability of each pair, shape (m, m).
    """
    design = fit.design
    both = (chance + chance.T) / 2
    left, right = np.nonzero(both)
    zero = np.zeros(len(left))
    extras = tuple(
        extra if extra.column is None else extra._replace(column=zero) for extra in design.extras
    )
    counts = np.zeros((OUTCOMES, len(left)))
    expected = Design(design.size, left, right, counts, design.rules, extras)
    local = expected.evaluate(fit.params)
    if len(local.curvature) == 1:  # the same for every answer
        counts[0] = both[left, right]
    else:
        counts[:3] = both[left, right] * np.exp(local.log_probability[:3])
    return expected.information(fit.params)


def _diagonalize(fit: BradleyTerry, vote_information: Floats) -> tuple[Floats, Floats]:
    """Diagonalize the information H so far and J of one vote together.

    The null direction, in which all strengths move together, is filled with information; a gap does
    not depend on it.

    Returns:
        Axes (n_params, n_params) and rates (n_params,), such that (H + n J)^-1 is
        axes @ diag(1 / (1 + n rates)) @ axes'.
    """
    design = fit.design
    information = design.information(fit.params) + prior_of(fit).precision
    fill = np.trace(information) / design.n_params
    information += fill * np.outer(design.null_direction, design.null_direction)
    values, vectors = np.linalg.eigh(information)
    root = vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))
    rates, rotation = np.linalg.eigh(root.T @ vote_information @ root)
    return root @ rotation, np.maximum(rates, 0.0)
