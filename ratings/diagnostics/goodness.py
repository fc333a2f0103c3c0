"""Does Bradley-Terry fit: pair by pair, and as a whole?

What is tested is who wins where one side does: given that, Bradley and Terry's model and Davidson's
say the same, a probability of 1 / (1 + exp(-gap)), and the wins of a pair are binomial. Residuals
are standardised for the strengths that were fitted to the same votes (Pearson residuals over
sqrt(1 - leverage)). The global test is the deviance, with a parametric bootstrap from the fitted
strengths: pairs with few votes make its chi-square distribution wrong.

Votes of one voter are alike, and a pair that few voters met looks wrong if these have a taste of
their own. The dispersion (`ratings.dispersion`) is by how much: statistics are judged against draws
that vary so much more, and pairs besides against the spread of their own voters.

Circular triads, A over B over C over A, are what no ranking can express. Kendall and Babington
Smith (1940) count them in one judge's comparisons of all pairs. Here a pair's direction is that of
the majority of its votes, and half of either where the votes are equal, so that the sum over triads
is the number of circles if a coin decides those pairs. A majority may be an accident: `sure` counts
each circle as the product of its three majorities' certainty, 1 less the two-sided p-value of an
even pair: a circle of clear preferences counts nearly 1 and one of accidents 1/8 on average.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import erf, expit, xlogy
from scipy.stats import chi2, f
from scipy.stats import t as student

from ratings.arrays import Codes, Floats
from ratings.diagnostics.dispersion import Cells, Dispersion, dispersion_by_voter, fitted_cells
from ratings.errors import OptionError
from ratings.inference.bootstrap import BatchSolver
from ratings.inference.proportions import false_discovery_rates
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import AUTOMATIC, choose_clusters

_AT_ONCE = 50
_LEAST_FREE = 1e-6  # a pair that the fit meets exactly has no residual
# Below so many expected wins or losses a residual is not normal (Cochran 1954).
_LEAST_EXPECTED = 5.0
_COLUMNS = ("model", "other", "votes", "wins", "expected", "residual", "p", "q")


class Circles(NamedTuple):
    """Circular triads of one table of pairs, or of many; each of the shape (...)."""

    triads: int  # of which all three pairs have votes
    circular: Floats
    sure: Floats


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """How far votes are from the model that was fitted to them.

    Attributes:
        pairs: a row for each pair, the farthest first: `model, other, votes` (for a side)`, wins`
            (of `model`)`, expected, residual` (standard deviations)`, p` (normal or Student's t;
            where few wins or losses are expected Hoeffding's bound of 1963, which is never too
            small)`, q` (Benjamini-Hochberg).
        deviance: twice the log-likelihood ratio to pairs of their own probability.
        df: pairs less strengths.
        p: of so large a deviance, by the bootstrap; NaN without df.
        p_chi_square: by the chi-square distribution, or F where the dispersion is estimated; good
            for many votes a pair.
        dispersion: by how much votes of one voter being alike enlarges the variance, 1 or more.
        dispersion_df: its degrees of freedom; infinite by vote.
        triads: of three models, all pairs with votes.
        circular: those whose majorities go round; an even pair is half of either.
        circular_expected: mean of the bootstrap.
        zeta: Kendall's coefficient of consistency, 1 without circles; NaN unless all pairs met.
        sure: circles, each counted by how certain its majorities are.
        sure_expected: mean of the bootstrap.
        p_circular: of so many sure ones, by the bootstrap.
        rounds: of the bootstrap that had ratings.
        side: whether the left side has an advantage in the model.
        cluster: the column of voters; None: every vote is independent.
        cluster_note: why not by a column that tells voters; None: no reason.
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
    sure: float
    sure_expected: float
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
    """Test Bradley-Terry on the votes that chose a side.

    Args:
        battles: the votes.
        side: whether to give the left side an advantage; a pair is then two, by who is left.
        voter: column of voters; "auto": where a column tells them; None: every vote is independent.
        rounds: of the bootstrap.
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
        return _nothing(side, cluster, note, seed)
    cells = fitted_cells(battles, fit)
    df = len(cells.wins) - (fit.design.n_params - 1)
    spread = dispersion_by_voter(battles, fit, cells, columns, df)
    pairs = _pairs(fit, cells, spread)
    deviance = float(_deviance(cells.wins / cells.votes, cells))
    drawn = _Rounds(fit, cells, spread.factor, rounds, seed)
    here = drawn.circles(cells.wins)
    many, tested = len(drawn.deviance), df > 0 and len(drawn.deviance) > 0
    size = fit.design.size
    complete = here.triads == size * (size - 1) * (size - 2) // 6
    scaled = deviance / spread.factor
    by_chance = (
        chi2.sf(scaled, df)
        if np.isinf(spread.df)
        else f.sf(scaled / max(df, 1), max(df, 1), spread.df)
    )
    return GoodnessOfFit(
        pairs=pairs.iloc[np.argsort(-np.abs(pairs["residual"].fillna(0)), kind="stable")],
        deviance=deviance,
        df=df,
        p=_share_above(drawn.vary(drawn.deviance, spread), deviance) if tested else np.nan,
        p_chi_square=float(by_chance) if df > 0 else np.nan,
        dispersion=spread.factor,
        dispersion_df=spread.df,
        triads=here.triads,
        circular=float(here.circular),
        circular_expected=float(drawn.circular.mean()) if many else np.nan,
        zeta=consistency(float(here.circular), size) if complete else np.nan,
        sure=float(here.sure),
        sure_expected=float(drawn.sure.mean()) if many else np.nan,
        p_circular=_share_above(drawn.sure, float(here.sure)) if many and here.triads else np.nan,
        rounds=many,
        side=side,
        cluster=cluster,
        cluster_note=note,
        seed=seed,
    )


def _nothing(side: bool, cluster: str | None, note: str | None, seed: int) -> GoodnessOfFit:
    nan, none = np.nan, pd.DataFrame(columns=list(_COLUMNS))
    return GoodnessOfFit(
        none, nan, 0, nan, nan, nan, nan, 0, 0, nan, nan, 0, nan, nan, 0, side, cluster, note, seed
    )


def _pairs(fit: BradleyTerry, cells: Cells, spread: Dispersion) -> pd.DataFrame:
    """Each pair beside what the fit expects, with its own p-value."""
    design = fit.design
    names = fit.ratings.index[fit.ratings.notna()].to_numpy()
    expected = cells.votes * cells.chance
    free = 1 - cells.leverage > _LEAST_FREE
    residual = np.full(len(expected), np.nan)
    residual[free] = (cells.wins - expected)[free] / np.sqrt(spread.variance[free])
    p = 2 * student.sf(np.abs(residual), spread.df)
    trials = cells.trials / spread.factor
    few = trials * np.minimum(cells.chance, 1 - cells.chance) < _LEAST_EXPECTED
    share, chance = cells.wins / cells.votes, cells.chance
    entropy = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
    bound = np.where(free, np.minimum(1, 2 * np.exp(-trials * entropy)), np.nan)
    p = np.where(few, np.maximum(p, bound), p)
    values = (names[design.left], names[design.right], cells.votes, cells.wins, expected, residual)
    return pd.DataFrame(dict(zip(_COLUMNS, (*values, p, false_discovery_rates(p)), strict=True)))


def _deviance(share: Floats, cells: Cells, chance: Floats | None = None) -> Floats:
    """Twice the log-likelihood ratio to every pair's own share; over the last axis."""
    chance = cells.chance if chance is None else chance
    lost = xlogy(share, share / chance) + xlogy(1 - share, (1 - share) / (1 - chance))
    total: Floats = 2 * (cells.trials * lost).sum(axis=-1)
    return total


class _Rounds:
    """Votes drawn from the fitted strengths and refitted: deviances and circular triads."""

    def __init__(
        self, fit: BradleyTerry, cells: Cells, factor: float, rounds: int, seed: int
    ) -> None:
        self.fit, self.cells, self.factor = fit, cells, factor
        self.random, solver = np.random.default_rng(seed), BatchSolver(fit)
        deviance, circular, sure = [], [], []
        for start in range(0, rounds, _AT_ONCE):
            share = self._draw(min(_AT_ONCE, rounds - start))
            counts = np.zeros((len(share), *fit.design.counts.shape))
            counts[:, 0], counts[:, 1] = cells.votes * share, cells.votes * (1 - share)
            points = solver.solve(counts)
            rated = np.isfinite(points).all(axis=1)
            chance = expit(points[rated] @ solver.to_log_odds.T)
            circles = self.circles(cells.votes * share[rated])
            deviance.append(_deviance(share[rated], cells, chance))
            circular.append(circles.circular)
            sure.append(circles.sure)
        self.deviance, self.circular, self.sure = map(np.concatenate, (deviance, circular, sure))

    def _draw(self, rounds: int) -> Floats:
        """Shares of wins whose variance is `factor` times the binomial, shape (rounds, cells)."""
        wanted = self.cells.trials / self.factor
        rounded = np.floor(wanted + self.random.random((rounds, len(wanted)))).astype(np.int64)
        trials = np.maximum(rounded, 1)
        drawn: Floats = self.random.binomial(trials, self.cells.chance) / trials
        return drawn

    def circles(self, wins: Floats) -> Circles:
        cells, design = self.cells, self.fit.design
        scale = cells.trials / cells.votes
        return count_circles(
            scale * (2 * wins - cells.votes),
            cells.trials * self.factor,
            design.left,
            design.right,
            design.size,
        )

    def vary(self, drawn: Floats, spread: Dispersion) -> Floats:
        """The same where the dispersion is only as well known as its df says."""
        if np.isinf(spread.df):
            return drawn
        known = self.random.chisquare(spread.df, len(drawn)) / spread.df
        varied: Floats = drawn / known
        return varied


def _share_above(drawn: Floats, observed: float) -> float:
    """p-value of a bootstrap, never 0 (Davison and Hinkley 1997, equation 4.11)."""
    return float((1 + (drawn >= observed * (1 - 1e-12)).sum()) / (1 + len(drawn)))


def count_circles(lead: Floats, variance: Floats, left: Codes, right: Codes, size: int) -> Circles:
    """Circular triads of pairs.

    Args:
        lead: wins of the left side less its losses, by cell, shape (..., cells).
        variance: of the lead of an even pair, by cell, shape (cells,).
        left: code of one model of each cell; two cells may have the same two models.
        right: code of the other.
        size: how many models there are.
    """
    pair, back = left * size + right, right * size + left
    square = (*lead.shape[:-1], size, size)
    ahead, spread = np.zeros((*lead.shape[:-1], size * size)), np.zeros(size * size)
    for place, sign in ((pair, 1), (back, -1)):
        ahead[..., place] += sign * lead  # no cell has the same two sides as another
        spread[place] += variance
    met = (spread > 0).reshape(size, size).astype(float)
    clear = np.divide(ahead, np.sqrt(spread), out=np.zeros_like(ahead), where=spread > 0)
    direction = (met * (1 + np.sign(ahead.reshape(square)))) / 2
    certain = np.maximum(erf(clear.reshape(square) / np.sqrt(2)), 0)
    triads = round(float(_round_trips(met)) / 6)
    return Circles(triads, _round_trips(direction) / 3, _round_trips(certain) / 3)


def consistency(circular: float, size: int) -> float:
    """Kendall's zeta: 1 without circles, 0 with as many as there can be among `size` models."""
    most = size * (size**2 - (1 if size % 2 else 4)) / 24
    return 1 - circular / most if most else np.nan


def _round_trips(steps: Floats) -> Floats:
    """Trace of the third power: every triad three times in each direction."""
    found: Floats = np.einsum("...ij,...ji->...", steps @ steps, steps)
    return found
