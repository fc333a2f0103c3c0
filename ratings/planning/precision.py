"""How precisely gaps between ratings will be known after more votes.

With the information H of the votes in hand (and of the prior), and J that a vote to come brings on
average, the variance of a gap c after n more votes is

    V(n) = f c' (H + n J)^- c

where f is how much wider than the model's the sandwich has the gap's variance now: what misfit,
ties and voters who are not independent have done to the votes in hand, they are taken to do to the
votes to come. As pairs were mixed so far, and without a prior, that is V(0) / (1 + n / votes). If
all votes are between the two, each adds the same to 1 / V (the rank-one update of an inverse).
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

_LEAST_VARIANCE = 1e-9  # Elo points squared: a few clusters whose scores cancel leave none


@dataclass(frozen=True, eq=False)
class Gap:
    """The gap between two models, now and after more votes.

    Attributes:
        estimate: Elo points, from 0 up.
        held: precision of the estimate (1 / variance), per Elo point squared.
        of_direct_vote: precision that a vote between the two models adds.
        df: degrees of freedom of the variance.
        confidence: of the test.
        votes: in hand.
        parts: of the gap's variance by the model, along the directions in which more votes add
            information to what is known, shape (n_params,).
        rates: what a vote adds along each, as a share of what is known.
    """

    estimate: float
    held: float
    of_direct_vote: float
    df: float
    confidence: float
    votes: int
    parts: Floats
    rates: Floats

    def added(self, more: float) -> float:
        """Precision that so many more votes in the whole arena add."""
        later = float((self.parts / (1 + more * self.rates)).sum())
        return max(self.held * (float(self.parts.sum()) / later - 1), 0.0)

    def added_directly(self, more: float) -> float:
        """Precision that so many more votes between these two add."""
        return more * self.of_direct_vote

    def threshold(self, more: float = 0.0, *, tests: int = 1) -> float:
        """Standard errors that the gap must exceed after more votes, in one of so many tests.

        More votes come from more voters, so that the variance is known better too.
        """
        df = self.df * (1 + more / self.votes)
        return float(stdtrit(df, 1 - (1 - self.confidence) / 2 / tests))

    def told_apart(self, *, tests: int = 1) -> bool:
        """Whether the votes in hand tell the two apart."""
        return bool(self.estimate * np.sqrt(self.held) > self.threshold(tests=tests))


class Gaps:
    """Gaps between rated models, and what more votes will do to them.

    Attributes:
        names: the rated models, best first; empty where no vote says anything.
        votes: cast among them, also those whose answer the rules leave out.
    """

    def __init__(
        self, battles: Battles, fit: BradleyTerry, spread: Intervals, pairs: pd.DataFrame | None
    ) -> None:
        """Prepare the gaps of `fit`.

        Args:
            battles: the votes.
            fit: their ratings.
            spread: their intervals.
            pairs: probability of each pair in the votes to come; None: as mixed so far.

        Raises:
            OptionError: a fit of other votes, or intervals of another fit.
        """
        check_same_votes(battles, fit)
        if not (spread.ratings is fit.ratings or spread.ratings.equals(fit.ratings)):
            raise OptionError("the intervals are of another fit: take `intervals(battles, fit)`")
        self._fit, self._spread = fit, spread
        rated = fit.ratings.notna().to_numpy()
        ordered = fit.ratings.dropna().sort_values(ascending=False, kind="stable")
        # A prior rates everyone from nothing, and nothing can be planned from it.
        told = bool(fit.design.counts.any())
        self.names = [str(name) for name in ordered.index] if told else []
        self._place = {str(name): i for i, name in enumerate(fit.ratings.index[rated])}
        self.votes = int(battles.counts[:, rated][:, :, rated].sum())
        chance = None if pairs is None else _chances(pairs, self.names)
        if not told:
            return
        # Answers that the rules leave out bring nothing, and a vote may weigh more or less than 1.
        self._weight = float(fit.design.counts.sum()) / self.votes
        if chance is None:
            of_vote = fit.design.information(fit.params) / self.votes
        else:
            places = [self.names.index(name) for name in self._place]
            of_vote = self._weight * _information_of_vote(fit, chance[np.ix_(places, places)])
        self._axes, self._rates = _directions(fit, of_vote)

    def between(self, upper: str, lower: str) -> Gap:
        """The gap of two models, the better one first."""
        fit, c = self._fit, self._spread.covariance.to_numpy()
        i, j = self._place[upper], self._place[lower]
        variance = float(c[i, i] + c[j, j] - 2 * c[i, j])
        held = 1 / max(variance, _LEAST_VARIANCE)
        parts = (self._axes[i] - self._axes[j]) ** 2
        chance = np.zeros((fit.design.size,) * 2)
        chance[i, j] = 1
        own = _information_of_vote(fit, chance)
        # Half of the step from one to the other and back: what it says of "neither" cancels.
        direct = self._weight * float(own[i, i] + own[j, j] - 2 * own[i, j]) / 4
        return Gap(
            estimate=float(fit.ratings[upper]) - float(fit.ratings[lower]),
            held=held,
            of_direct_vote=direct * float(parts.sum()) * held,
            df=float(self._spread.df[[upper, lower]].min()),
            confidence=self._spread.confidence,
            votes=self.votes,
            parts=parts * ELO_PER_STRENGTH**2,
            rates=self._rates,
        )

    def correlation(self, upper: str, lowers: list[str]) -> Floats:
        """Of the gaps between one model and others, shape (others, others)."""
        names = [upper, *lowers]
        c = self._spread.covariance.loc[names, names].to_numpy()
        to_gap = np.hstack([np.ones((len(lowers), 1)), -np.eye(len(lowers))])
        shared = to_gap @ c @ to_gap.T
        error = np.sqrt(np.maximum(np.diag(shared), np.finfo(float).tiny))
        correlation: Floats = shared / np.outer(error, error)
        return correlation


def _chances(pairs: pd.DataFrame, names: list[str]) -> Floats:
    """Probability of each pair among the rated models, half of it each way, shape (m, m)."""
    missing = [name for name in names if name not in pairs.index or name not in pairs.columns]
    if missing:
        raise OptionError(f"pairs must have a row and a column for {missing[0]!r}, which is rated")
    chance = pairs.loc[names, names].to_numpy(dtype=np.float64)
    chance = chance + chance.T
    np.fill_diagonal(chance, 0)
    if not (np.isfinite(chance).all() and (chance >= 0).all()):
        raise OptionError("pairs must hold probabilities: finite numbers from 0 up")
    if len(names) > 1 and not chance.any():
        raise OptionError("pairs must give some pair of rated models a probability above 0")
    shares: Floats = chance / max(chance.sum(), np.finfo(float).tiny)
    return shares


def _information_of_vote(fit: BradleyTerry, chance: Floats) -> Floats:
    """Information that the model expects of one vote on a pair drawn so, (n_params, n_params).

    Sides are tossed, and covariates equal.
    """
    design = fit.design
    both = (chance + chance.T) / 2
    left, right = np.nonzero(both)
    none = np.zeros(len(left))
    extras = tuple(e if e.column is None else e._replace(column=none) for e in design.extras)
    counts = np.zeros((OUTCOMES, len(left)))
    cells = Design(design.size, left, right, counts, design.rules, extras)
    local = cells.evaluate(fit.params)
    if len(local.curvature) == 1:  # the same for every answer
        counts[0] = both[left, right]
    else:
        counts[:3] = both[left, right] * np.exp(local.log_probability[:3])
    return cells.information(fit.params)


def _directions(fit: BradleyTerry, of_vote: Floats) -> tuple[Floats, Floats]:
    """Axes (n_params, n_params), rates (n_params,): (H + n J)^-1 is axes / (1 + n rates) axes'.

    The direction in which all strengths move together is filled; a gap does not see it.
    """
    design = fit.design
    known = design.information(fit.params) + prior_of(fit).precision
    known += (
        np.trace(known) / design.n_params * np.outer(design.null_direction, design.null_direction)
    )
    values, vectors = np.linalg.eigh(known)
    root = vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))
    rates, turned = np.linalg.eigh(root.T @ of_vote @ root)
    return root @ turned, np.maximum(rates, 0.0)
