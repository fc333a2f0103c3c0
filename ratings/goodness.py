"""Does Bradley-Terry fit: pair by pair, as a whole, and on votes it has not seen?

What is tested is who wins where one side does: given that, Bradley and Terry's model and Davidson's
say the same, a probability of 1 / (1 + exp(-gap)), and the wins of a pair are binomial. Residuals
are standardised for the strengths that were fitted to the same votes (Pearson residuals over
sqrt(1 - leverage)). The global test is the deviance, with a parametric bootstrap from the fitted
strengths: pairs with few votes make its chi-square distribution wrong. Circular triads, A over B
over C over A (Kendall and Babington Smith 1940), are counted beside how many the fitted strengths
would produce by chance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, xlogy
from scipy.stats import chi2, norm

from ratings.battles import Battles
from ratings.bootstrap import Solver
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.clusters import cluster_codes
from ratings.columns import Outcome, find_cluster_columns
from ratings.errors import OptionError
from ratings.multiplicity import false_discovery_rates
from ratings.refit import refit
from ratings.shares import NOTHING, Estimate, estimate_share
from ratings.vote_scores import score_votes

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_AT_ONCE = 50
_LEAST_FREE = 1e-6  # a pair that the fit meets exactly has no residual


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """How far votes are from the model that was fitted to them.

    Attributes:
        pairs: a row for each pair, the farthest first: `model, other, votes` (for a side)`, wins`
            (of `model`)`, expected, residual` (standard deviations)`, p, q` (Benjamini-Hochberg).
        deviance: twice the log-likelihood ratio to pairs of their own probability.
        freedom: pairs less strengths.
        p: of so large a deviance, by the bootstrap; NaN without freedom.
        p_chi_square: by the chi-square distribution, good for many votes a pair.
        dispersion: Pearson's statistic over freedom; above 1 where votes of a voter hang together.
        triads: of three models, all pairs with a majority.
        circular: those whose majorities go round.
        circular_expected: mean of the bootstrap.
        p_circular: of so many, by the bootstrap.
        rounds: of the bootstrap that had ratings.
        side: whether the left side has an advantage in the model.
        seed: of the bootstrap.
    """

    pairs: pd.DataFrame
    deviance: float
    freedom: int
    p: float
    p_chi_square: float
    dispersion: float
    triads: int
    circular: int
    circular_expected: float
    p_circular: float
    rounds: int
    side: bool
    seed: int


def goodness_of_fit(
    battles: Battles, *, side: bool = False, rounds: int = 1000, seed: int = 0
) -> GoodnessOfFit:
    """Test Bradley-Terry on the votes that chose a side.

    Args:
        battles: the votes.
        side: whether to give the left side an advantage; a pair is then two, by who is left.
        rounds: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        OptionError: fewer than 1 round.
    """
    if rounds < 1:
        raise OptionError(f"the bootstrap needs 1 round or more, not {rounds}")
    fit = bradley_terry(battles, "drop", both_bad="drop", side=side)
    design = fit.design
    names = fit.ratings.index[fit.ratings.notna()].to_numpy()
    if not design.size:
        return _nothing(side, seed)
    wins, votes = design.counts[0], design.counts[:2].sum(axis=0)
    chance = expit(design.gap(fit.point))
    expected, variance = votes * chance, votes * chance * (1 - chance)
    leverage = variance * _variance_of_gaps(fit)
    free = 1 - leverage > _LEAST_FREE
    residual = np.full(len(wins), np.nan)
    residual[free] = (wins - expected)[free] / np.sqrt((variance * (1 - leverage))[free])
    p = 2 * norm.sf(np.abs(residual))
    pairs = pd.DataFrame(
        {
            "model": names[design.left],
            "other": names[design.right],
            "votes": votes,
            "wins": wins,
            "expected": expected,
            "residual": residual,
            "p": p,
            "q": false_discovery_rates(p),
        }
    )
    deviance = float(_deviance(wins, votes, chance))
    freedom = len(wins) - (design.width - 1)
    drawn, cycles = _simulate(fit, votes, chance, rounds, seed)
    majority, triads = _majorities(wins, votes, design.left, design.right, design.size)
    circular = int(_cycles(majority))
    many = len(drawn)
    tested = freedom > 0 and many > 0
    pearson = float(((wins - expected) ** 2 / variance).sum())
    return GoodnessOfFit(
        pairs=pairs.iloc[np.argsort(-np.abs(np.nan_to_num(residual)), kind="stable")],
        deviance=deviance,
        freedom=freedom,
        p=_share_above(drawn, deviance) if tested else np.nan,
        p_chi_square=float(chi2.sf(deviance, freedom)) if freedom > 0 else np.nan,
        dispersion=pearson / freedom if freedom > 0 else np.nan,
        triads=triads,
        circular=circular,
        circular_expected=float(cycles.mean()) if many else np.nan,
        p_circular=_share_above(cycles, circular) if many and triads else np.nan,
        rounds=many,
        side=side,
        seed=seed,
    )


def held_out(
    battles: Battles,
    *,
    ties: str = "half",
    both_bad: str = "tie",
    folds: int = 10,
    voter: str = "voter",
    confidence: float = 0.95,
    seed: int = 0,
) -> "HeldOut":
    """How well ratings predict who wins in votes that they were not fitted to.

    Voters are dealt into folds, so that nobody's taste helps to predict its own votes; each fold is
    predicted from the others.

    Args:
        battles: the votes.
        ties: see `bradley_terry`.
        both_bad: see `bradley_terry`.
        folds: how many, 2 or more.
        voter: column of voters; without it every vote is dealt by itself.
        confidence: of the intervals, by voter.
        seed: of the deal.

    Raises:
        OptionError: fewer than 2 folds.
    """
    if folds < 2:
        raise OptionError(f"at least 2 folds are needed, not {folds}")
    fit = bradley_terry(battles, ties, both_bad=both_bad)
    votes = score_votes(battles, fit)
    columns = find_cluster_columns(battles.frame, voter) if len(battles.frame.columns) else ()
    cluster = cluster_codes(votes, battles, columns) if columns else np.arange(votes.votes)
    fold = np.random.default_rng(seed).integers(folds, size=int(cluster.max(initial=-1)) + 1)
    right, loss, kept = (np.zeros(len(cluster)) for _ in range(3))
    won = votes.outcome == Outcome.A
    for which in range(folds):
        here = fold[cluster] == which
        counts = votes.total(votes.weight * ~here)
        trained = votes.design.select(slice(None), counts)
        point = refit(trained, prior_sd=None, start=fit.point)
        if point is None:
            continue  # without these votes not everyone can be rated
        chosen = here & (votes.outcome < Outcome.TIE)
        gap = trained.gap(point)[votes.cell[chosen]]
        kept[chosen] = 1
        right[chosen] = (gap > 0) == won[chosen]
        loss[chosen] = -np.log(expit(np.where(won[chosen], gap, -gap)))
    told = kept > 0
    if not told.any():
        return HeldOut(NOTHING, NOTHING, folds, ties, columns[0] if columns else None)
    accuracy = estimate_share(right[told] > 0, cluster[told], confidence)
    mean = float(loss[told].mean())
    sums = np.bincount(cluster[told], loss[told] - mean)
    error = np.sqrt((sums**2).sum()) / told.sum()
    reach = float(norm.ppf(0.5 + confidence / 2) * error)
    losses = Estimate(mean, mean - reach, mean + reach, int(told.sum()))
    return HeldOut(accuracy, losses, folds, ties, columns[0] if columns else None)


@dataclass(frozen=True)
class HeldOut:
    """Predictions of votes for a side by ratings that did not see them.

    Attributes:
        accuracy: share of votes for the model that is rated higher.
        log_loss: mean of -log of the probability of what was chosen; 0.693 is a coin's.
        folds: how many parts the voters were dealt into.
        ties: how ties counted in the fits.
        cluster: column of voters; None: every vote by itself.
    """

    accuracy: Estimate
    log_loss: Estimate
    folds: int
    ties: str
    cluster: str | None


def _nothing(side: bool, seed: int) -> GoodnessOfFit:
    columns = ["model", "other", "votes", "wins", "expected", "residual", "p", "q"]
    nan = np.nan
    return GoodnessOfFit(
        pd.DataFrame(columns=columns), nan, 0, nan, nan, nan, 0, 0, nan, nan, 0, side, seed
    )


def _variance_of_gaps(fit: BradleyTerry) -> Floats:
    """Of the fitted gap in every cell, strengths squared, shape (cells,)."""
    design = fit.design
    to_gap = np.zeros((len(design.left), design.width))
    cells = np.arange(len(design.left))
    to_gap[cells, design.left], to_gap[cells, design.right] = 1, -1
    to_gap[:, design.size :] = 1  # the side's advantage is the only extra
    inverse = design.invert(design.information(fit.point))
    variance: Floats = np.einsum("cp,pq,cq->c", to_gap, inverse, to_gap)
    return variance


def _deviance(wins: Floats, votes: Floats, chance: Floats) -> Floats:
    """Twice the log-likelihood ratio to every pair's own share; over the last axis."""
    losses = votes - wins
    expected = votes * chance
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = xlogy(wins, wins / expected) + xlogy(losses, losses / (votes - expected))
    total: Floats = 2 * np.nan_to_num(lost).sum(axis=-1)
    return total


def _simulate(
    fit: BradleyTerry, votes: Floats, chance: Floats, rounds: int, seed: int
) -> tuple[Floats, Floats]:
    """Deviances and circular triads of votes drawn from the fitted strengths, refitted."""
    design, solver = fit.design, Solver(fit)
    random = np.random.default_rng(seed)
    deviances, cycles = [], []
    whole = np.round(votes).astype(int)  # weights that are not whole are drawn as the nearest
    for start in range(0, rounds, _AT_ONCE):
        many = min(_AT_ONCE, rounds - start)
        wins = random.binomial(whole, chance, size=(many, len(votes))).astype(float)
        counts = np.zeros((many, *design.counts.shape))
        counts[:, 0], counts[:, 1] = wins, whole - wins
        points = solver.solve(counts)
        for point, won in zip(points, wins, strict=True):
            if np.isfinite(point).all():
                deviances.append(_deviance(won, whole.astype(float), expit(design.gap(point))))
                majority, _ = _majorities(won, votes, design.left, design.right, design.size)
                cycles.append(_cycles(majority))
    return np.array(deviances), np.array(cycles, dtype=float)


def _majorities(
    wins: Floats, votes: Floats, left: Codes, right: Codes, size: int
) -> tuple[Floats, int]:
    """Who beat whom more often, 0 or 1, shape (size, size), and triads with three such pairs."""
    lead = np.zeros((size, size))
    np.add.at(lead, (left, right), 2 * wins - votes)
    lead = lead - lead.T
    decided = (lead != 0).astype(float)
    return (lead > 0).astype(float), round(float(np.trace(decided @ decided @ decided)) / 6)


def _cycles(majority: Floats) -> int:
    return round(float(np.trace(majority @ majority @ majority)) / 3)


def _share_above(drawn: Floats, observed: float) -> float:
    """p-value of a bootstrap, never 0 (Davison and Hinkley 1997, equation 4.11)."""
    return float((1 + (drawn >= observed * (1 - 1e-12)).sum()) / (1 + len(drawn)))
