"""Goodness of fit of Bradley-Terry: globally, for each pair, and by circular triads.

The tests are of who wins, given that one side does: the models of Bradley and Terry and of Davidson
agree that this probability is 1 / (1 + exp(-d)) for the log odds d, and the wins of a pair are
binomial. Residuals are standardised for the strengths that were fitted to the same votes (Pearson
residuals over sqrt(1 - leverage)). The global test is the deviance with a parametric bootstrap from
the fitted strengths, because pairs with few votes invalidate its chi-square distribution.

Votes of one voter are dependent, and a pair that few voters met seems not to fit if their tastes
differ. The dispersion (`dispersion`) measures this: statistics are compared with draws of that much
more variance, and each pair also with the variance between its own voters.

Circular triads, A over B over C over A, cannot be expressed by any ranking. Kendall and Babington
Smith (1940) count them in one judge's comparisons of all pairs. Here a pair's direction is that of
the majority of its votes, and half of each where the votes are equal, so that the sum over triads
is the expected number of circles if a coin decides those pairs. A majority may be due to chance:
`circularity_confidence` counts each circle as the product of the confidences of its three
majorities, 1 minus the two-sided p-value of an even pair; a circle of clear preferences counts
nearly 1, and one due to chance 1/8 on average.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import erf, expit, xlogy

from ratings.arrays import Codes, Floats
from ratings.diagnostics.dispersion import (
    Dispersion,
    FittedPairs,
    dispersion_by_voter,
    fitted_pairs,
)
from ratings.distributions import chi_square_tail, f_tail, student_tail
from ratings.errors import OptionError
from ratings.inference.bootstrap import BatchSolver
from ratings.inference.proportions import false_discovery_rates
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import choose_clusters

_BLOCK_ROUNDS = 50  # refitted at once
_MIN_RESIDUAL_SHARE = 1e-6  # a pair that the fit reproduces exactly has no residual
_MIN_EXPECTED = 5.0  # wins and losses; below it a residual is not normal (Cochran 1954)
_COLUMNS = ("model", "other", "votes", "wins", "expected", "residual", "p", "q")


class Circles(NamedTuple):
    """Circular triads of one table of pairs, or of several.

    Attributes:
        triads: number of triads in which all three pairs have votes.
        circular: number of circular triads, shape (...).
        confidence: sum of the confidences of the circles, shape (...).
    """

    triads: int
    circular: Floats
    confidence: Floats


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """Tests of the model against the votes that it was fitted to.

    Attributes:
        pairs: a row for each pair, the largest residual first: `model, other, votes` (for a side)`,
            wins` (of `model`)`, expected, residual` (standard deviations)`, p` (normal or Student's
            t; where few wins or losses are expected, Hoeffding's bound of 1963, which is never too
            small)`, q` (Benjamini-Hochberg).
        deviance: twice the log-likelihood ratio to a separate probability for every pair.
        df: number of pairs minus number of free parameters.
        p: of the deviance, by the bootstrap; NaN if df is 0.
        p_chi_square: by the chi-square distribution, or F where the dispersion is estimated; valid
            for many votes in each pair.
        dispersion: factor by which dependent votes of one voter increase the variance, 1 or more.
        dispersion_df: its degrees of freedom; infinite without voters.
        triads: number of triads in which all three pairs have votes.
        circular: number of those whose majorities are circular; an even pair counts half each way.
        circular_expected: mean of the bootstrap.
        zeta: Kendall's coefficient of consistency, 1 without circles; NaN unless all pairs have
            votes.
        circularity_confidence: sum over circles of the confidence of their majorities.
        circularity_confidence_expected: mean of the bootstrap.
        p_circular: of `circularity_confidence`, by the bootstrap.
        rounds: number of bootstrap rounds that had ratings.
        side: whether the left side has an advantage in the model.
        cluster: the column of voters; None if every vote is independent.
        cluster_note: why votes are not clustered by voter; None if they are.
        seed: of the bootstrap.
    """

    pairs: pd.DataFrame
    deviance: float
    df: int
    p: float
    p_chi_square: float
    dispersion: float
    dispersion_df: float
    triads: int
    circular: float
    circular_expected: float
    zeta: float
    circularity_confidence: float
    circularity_confidence_expected: float
    p_circular: float
    rounds: int
    side: bool
    cluster: str | None
    cluster_note: str | None
    seed: int


def goodness_of_fit(
    battles: Battles,
    *,
    side: bool = False,
    voter: str | None = AUTOMATIC,
    rounds: int = 1000,
    seed: int = 0,
) -> GoodnessOfFit:
    """Test the fit of Bradley-Terry to the votes for a side.

    Args:
        battles: the votes.
        side: whether to model an advantage of the left side; a pair then counts twice, once for
            each order.
        voter: column of voters; "auto" uses one if there is one; None takes every vote as
            independent.
        rounds: number of bootstrap rounds.
        seed: of the bootstrap.

    Raises:
        OptionError: fewer than 1 round, or no such column.
    """
    if rounds < 1:
        raise OptionError(f"the bootstrap needs 1 round or more, not {rounds}")
    columns, note = choose_clusters(battles.frame, battles.selected, voter)
    cluster = columns[0] if columns else None
    fit = bradley_terry(battles, "drop", both_bad="drop", side=side)
    if not fit.design.size:
        return _no_ratings(side, cluster, note, seed)
    pairs = fitted_pairs(battles, fit)
    df = len(pairs.wins) - (fit.design.n_params - 1)
    dispersion = dispersion_by_voter(battles, fit, pairs, columns, df)
    table = _pair_table(fit, pairs, dispersion)
    deviance = float(_deviance(pairs.wins / pairs.votes, pairs))
    bootstrap = _Bootstrap(fit, pairs, dispersion.factor, rounds, seed)
    observed = bootstrap.circles(pairs.wins)
    finished = len(bootstrap.deviance)
    tested = df > 0 and finished > 0
    size = fit.design.size
    complete = observed.triads == size * (size - 1) * (size - 2) // 6
    scaled = deviance / dispersion.factor
    by_distribution = (
        chi_square_tail(scaled, df)
        if np.isinf(dispersion.df)
        else f_tail(scaled / max(df, 1), max(df, 1), dispersion.df)
    )
    confidence = float(observed.confidence)
    return GoodnessOfFit(
        pairs=table.iloc[np.argsort(-np.abs(table["residual"].fillna(0)), kind="stable")],
        deviance=deviance,
        df=df,
        p=_p_value(bootstrap.deviances(dispersion), deviance) if tested else np.nan,
        p_chi_square=float(by_distribution) if df > 0 else np.nan,
        dispersion=dispersion.factor,
        dispersion_df=dispersion.df,
        triads=observed.triads,
        circular=float(observed.circular),
        circular_expected=float(bootstrap.circular.mean()) if finished else np.nan,
        zeta=consistency(float(observed.circular), size) if complete else np.nan,
        circularity_confidence=confidence,
        circularity_confidence_expected=(
            float(bootstrap.confidence.mean()) if finished else np.nan
        ),
        p_circular=(
            _p_value(bootstrap.confidence, confidence) if finished and observed.triads else np.nan
        ),
        rounds=finished,
        side=side,
        cluster=cluster,
        cluster_note=note,
        seed=seed,
    )


def _no_ratings(side: bool, cluster: str | None, note: str | None, seed: int) -> GoodnessOfFit:
    """The result if no model can be rated."""
    nan, none = np.nan, pd.DataFrame(columns=list(_COLUMNS))
    return GoodnessOfFit(
        none, nan, 0, nan, nan, nan, nan, 0, 0, nan, nan, 0, nan, nan, 0, side, cluster, note, seed
    )


def _pair_table(fit: BradleyTerry, pairs: FittedPairs, dispersion: Dispersion) -> pd.DataFrame:
    """Observed and expected wins of each pair, with a p-value."""
    design = fit.design
    names = fit.ratings.index[fit.ratings.notna()].to_numpy()
    expected = pairs.votes * pairs.chance
    free = 1 - pairs.leverage > _MIN_RESIDUAL_SHARE
    residual = np.full(len(expected), np.nan)
    residual[free] = (pairs.wins - expected)[free] / np.sqrt(dispersion.variance[free])
    p = 2 * student_tail(np.abs(residual), dispersion.df)
    trials = pairs.trials / dispersion.factor
    few = trials * np.minimum(pairs.chance, 1 - pairs.chance) < _MIN_EXPECTED
    share, chance = pairs.wins / pairs.votes, pairs.chance
    entropy = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
    bound = np.where(free, np.minimum(1, 2 * np.exp(-trials * entropy)), np.nan)
    p = np.where(few, np.maximum(p, bound), p)
    values = (names[design.left], names[design.right], pairs.votes, pairs.wins, expected, residual)
    return pd.DataFrame(dict(zip(_COLUMNS, (*values, p, false_discovery_rates(p)), strict=True)))


def _deviance(share: Floats, pairs: FittedPairs, chance: Floats | None = None) -> Floats:
    """Twice the log-likelihood ratio to a separate probability for every pair, over the last axis.

    Args:
        share: observed share of wins, shape (..., pairs).
        pairs: the pairs.
        chance: fitted probability of a win, shape (..., pairs); None: that of `pairs`.
    """
    chance = pairs.chance if chance is None else chance
    divergence = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
    total: Floats = 2 * (pairs.trials * divergence).sum(axis=-1)
    return total


class _Bootstrap:
    """Votes drawn from the fitted strengths and refitted: deviances and circular triads.

    Attributes:
        deviance: of each round with ratings, shape (rounds,).
        circular: number of circular triads, shape (rounds,).
        confidence: sum of the confidences of the circles, shape (rounds,).
    """

    def __init__(
        self, fit: BradleyTerry, pairs: FittedPairs, factor: float, rounds: int, seed: int
    ) -> None:
        self.fit, self.pairs, self.factor = fit, pairs, factor
        self.random, solver = np.random.default_rng(seed), BatchSolver(fit)
        deviance, circular, confidence = [], [], []
        for start in range(0, rounds, _BLOCK_ROUNDS):
            share = self._draw(min(_BLOCK_ROUNDS, rounds - start))
            counts = np.zeros((len(share), *fit.design.counts.shape))
            counts[:, 0], counts[:, 1] = pairs.votes * share, pairs.votes * (1 - share)
            params = solver.solve(counts)
            rated = np.isfinite(params).all(axis=1)
            chance = expit(params[rated] @ solver.to_log_odds.T)
            circles = self.circles(pairs.votes * share[rated])
            deviance.append(_deviance(share[rated], pairs, chance))
            circular.append(circles.circular)
            confidence.append(circles.confidence)
        self.deviance = np.concatenate(deviance)
        self.circular = np.concatenate(circular)
        self.confidence = np.concatenate(confidence)

    def _draw(self, rounds: int) -> Floats:
        """Shares of wins whose variance is `factor` times the binomial, shape (rounds, pairs)."""
        effective = self.pairs.trials / self.factor
        uniform = self.random.random((rounds, len(effective)))
        rounded = np.floor(effective + uniform).astype(np.int64)
        trials = np.maximum(rounded, 1)
        drawn: Floats = self.random.binomial(trials, self.pairs.chance) / trials
        return drawn

    def circles(self, wins: Floats) -> Circles:
        """Count the circular triads of tables of wins, shape (..., pairs)."""
        pairs, design = self.pairs, self.fit.design
        scale = pairs.trials / pairs.votes
        return count_circles(
            scale * (2 * wins - pairs.votes),
            pairs.trials * self.factor,
            design.left,
            design.right,
            design.size,
        )

    def deviances(self, dispersion: Dispersion) -> Floats:
        """The deviances, with the variance of an estimated dispersion added, shape (rounds,)."""
        if np.isinf(dispersion.df):
            return self.deviance
        estimate = self.random.chisquare(dispersion.df, len(self.deviance)) / dispersion.df
        scaled: Floats = self.deviance / estimate
        return scaled


def _p_value(drawn: Floats, observed: float) -> float:
    """Bootstrap p-value, never 0 (Davison and Hinkley 1997, equation 4.11)."""
    return float((1 + (drawn >= observed * (1 - 1e-12)).sum()) / (1 + len(drawn)))


def count_circles(lead: Floats, variance: Floats, left: Codes, right: Codes, size: int) -> Circles:
    """Count the circular triads of pairs.

    Args:
        lead: wins minus losses of the left side of each pair, shape (..., pairs).
        variance: variance of the lead of an even pair, shape (pairs,).
        left: code of the left model of each pair; a pair may occur in both orders.
        right: code of the right model.
        size: number of models.
    """
    shape = (*lead.shape[:-1], size, size)
    leads, variances = np.zeros((*lead.shape[:-1], size * size)), np.zeros(size * size)
    for index, sign in ((left * size + right, 1), (right * size + left, -1)):
        leads[..., index] += sign * lead  # no index occurs twice
        variances[index] += variance
    met = (variances > 0).reshape(size, size).astype(float)
    z = np.divide(leads, np.sqrt(variances), out=np.zeros_like(leads), where=variances > 0)
    direction = (met * (1 + np.sign(leads.reshape(shape)))) / 2
    confidence = np.maximum(erf(z.reshape(shape) / np.sqrt(2)), 0)
    triads = round(float(_closed_walks(met)) / 6)
    return Circles(triads, _closed_walks(direction) / 3, _closed_walks(confidence) / 3)


def consistency(circular: float, size: int) -> float:
    """Kendall's zeta: 1 without circles, 0 for the maximum number among `size` models."""
    maximum = size * (size**2 - (1 if size % 2 else 4)) / 24
    return 1 - circular / maximum if maximum else np.nan


def _closed_walks(matrix: Floats) -> Floats:
    """Trace of the third power: counts every triad three times in each direction."""
    trace: Floats = np.einsum("...ij,...ji->...", matrix @ matrix, matrix)
    return trace
