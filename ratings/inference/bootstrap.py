"""Refits to resampled votes, or resampled clusters of votes, all rounds at once.

Resampling votes draws the counts of the pairs, which are sufficient, from one multinomial (Efron
1979); resampling clusters draws how often each cluster is taken. Every round is refitted by Newton
steps with the information of the fit itself: at the optimum it is the right matrix for all rounds
but for sampling noise, so that a step needs no new inverse.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_array

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.clusters import cluster_codes
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import NEITHER_STRENGTH, TIE_PARAMETER
from ratings.model.outcomes import LOG_ODDS, NEITHER, OUTCOMES, derivatives
from ratings.model.refit import prior_of, refit
from ratings.votes.battles import Battles

ONE_WAY = "votes are resampled by one column of clusters: name one"
Draw = Callable[[np.random.Generator, int, float], Floats]  # (rounds, 4, pairs)

_THREADS = 2
_AT_ONCE = 50  # rounds: their arrays stay in the cache
_TOLERANCE = 1e-7  # in strengths: 2e-5 Elo points, far below the noise between rounds
_MOST_STEPS = 40


def resample(
    battles: Battles,
    fit: BradleyTerry,
    squares: Floats,
    columns: tuple[str, ...],
    *,
    rounds: int,
    seed: int,
) -> Floats:
    """Parameters refitted to resampled votes, shape (rounds that have finite ones, n_params).

    Args:
        battles: the votes.
        fit: their ratings.
        squares: sums of squared weights, as the fit's counts, shape (4, pairs).
        columns: one column of clusters to resample instead of votes; or none.
        rounds: how many.
        seed: of the draws.
    """
    solver = BatchSolver(fit)
    draw = draws(battles, fit, squares, columns)
    starts = range(0, rounds, _AT_ONCE)
    # Drawing is most of the work and frees the interpreter; a generator for each part, so that
    # the number of threads changes nothing.
    seeds = np.random.SeedSequence(seed).spawn(len(starts))
    parts: list[Floats] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        drawn: deque[Future[Floats]] = deque()
        for start, own in zip(starts, seeds, strict=True):
            if len(drawn) == _THREADS:
                parts.append(solver.solve(drawn.popleft().result()))
            size = min(_AT_ONCE, rounds - start)
            drawn.append(threads.submit(draw, np.random.default_rng(own), size, 1.0))
        parts += [solver.solve(counts.result()) for counts in drawn]
    points: Floats = np.concatenate(parts)
    return points[np.isfinite(points).all(axis=1)]


def draws(battles: Battles, fit: BradleyTerry, squares: Floats, columns: tuple[str, ...]) -> Draw:
    """What draws counts of resampled votes, or of all votes of resampled clusters.

    Its arguments are a generator, the number of rounds, and how many votes (or clusters) to draw as
    a multiple of those that there are; its result has the shape (rounds, 4, pairs).
    """
    if len(columns) > 1:
        raise OptionError(ONE_WAY)
    return _cluster_draws(battles, fit, columns) if columns else _vote_draws(fit, squares)


def _vote_draws(fit: BradleyTerry, squares: Floats) -> Draw:
    """Counts of resampled votes.

    Votes of unequal weight are drawn as W^2 / Q votes of weight Q / W (W their sum, Q that of their
    squares), which has the mean W and the variance Q that drawing them singly has.
    """
    weights = fit.design.counts
    told = np.nonzero(weights)
    each = squares[told] / weights[told]
    votes = weights[told] / each
    total, chance = float(votes.sum()), votes / votes.sum()

    def draw(random: np.random.Generator, rounds: int, share: float) -> Floats:
        counts = np.zeros((rounds, *weights.shape))
        counts[:, told[0], told[1]] = (
            random.multinomial(round(share * total), chance, rounds) * each
        )
        return counts

    return draw


def _cluster_draws(battles: Battles, fit: BradleyTerry, columns: tuple[str, ...]) -> Draw:
    """Counts of the votes of resampled clusters, each with all of its votes."""
    votes = score_votes(battles, fit)
    cluster = cluster_codes(votes, battles, columns)
    clusters = int(cluster.max()) + 1
    if clusters < 2:
        raise OptionError(f"a bootstrap by {columns[0]} needs two of them or more, and has one")
    design = fit.design
    pairs = len(design.left)
    if fit.covariates:
        pair, outcome = votes.pair, votes.outcome
    else:
        # From ordered pairs to the pairs of the fit, which may have either side first.
        of_pair = np.zeros((2, design.size, design.size), dtype=np.intp)
        of_pair[1, design.right, design.left] = of_pair[0, design.left, design.right] = np.arange(
            pairs
        )
        kept = np.zeros((design.size,) * 2, dtype=bool)
        kept[design.left, design.right] = True
        mirrored = ~kept[votes.left, votes.right]
        pair = of_pair[mirrored.astype(np.intp), votes.left, votes.right]
        outcome = np.where(mirrored & (votes.outcome < 2), 1 - votes.outcome, votes.outcome)
    outcome = outcome.astype(np.intp)
    entries = csr_array(
        (votes.weight, (cluster, outcome * pairs + pair)), shape=(clusters, OUTCOMES * pairs)
    )

    def draw(random: np.random.Generator, rounds: int, share: float) -> Floats:
        taken = random.multinomial(round(share * clusters), np.full(clusters, 1 / clusters), rounds)
        drawn: Floats = (entries.T @ taken.T.astype(float)).T
        return np.ascontiguousarray(drawn).reshape(rounds, OUTCOMES, pairs)

    return draw


class BatchSolver:
    """Refits many rounds of counts from the same pairs."""

    def __init__(self, fit: BradleyTerry) -> None:
        design = fit.design
        self.design, self.start = design, fit.params
        self.prior = prior_of(fit)
        self.inverse = design.invert(design.information(fit.params) + self.prior.precision)
        pairs = np.arange(len(design.left))
        self.to_log_odds = np.zeros((len(pairs), design.n_params))
        self.to_log_odds[pairs, design.left] = 1
        self.to_log_odds[pairs, design.right] = -1
        for index, extra in enumerate(design.extras, start=design.size):
            if extra.acts_on == LOG_ODDS:
                self.to_log_odds[:, index] = 1.0 if extra.column is None else extra.column
        self.to_neither = np.zeros_like(self.to_log_odds)
        self.tie, neither = design.index_of(TIE_PARAMETER), design.index_of(NEITHER_STRENGTH)
        self.neither = neither
        if neither is not None:
            self.to_neither[pairs, design.left] = self.to_neither[pairs, design.right] = -0.5
            self.to_neither[:, neither] = 1

    def solve(self, counts: Floats) -> Floats:
        """Parameters of each round, (rounds, n_params); NaN where they have no maximum."""
        points = np.tile(self.start, (len(counts), 1))
        open_ = np.arange(len(counts))
        for _ in range(_MOST_STEPS):
            gradient = self._gradient(points[open_], counts[open_])
            newton_step = (gradient - points[open_] @ self.prior.precision) @ self.inverse
            longest = np.abs(newton_step).max(axis=1)
            newton_step *= (1 / np.maximum(longest, 1))[:, None]
            if self.tie is not None and self.design.rules.ties == "rao-kupper":
                margin = points[open_, self.tie]
                newton_step[:, self.tie] = np.maximum(newton_step[:, self.tie], -margin / 2)
            points[open_] += newton_step
            open_ = open_[~(longest < _TOLERANCE)]
            if not len(open_):
                return points
        for which in open_:  # few votes: counts too far from the fit's for its information
            alone = refit(self.design.select(slice(None), counts[which]), prior_sd=self.prior.sd)
            points[which] = np.nan if alone is None else alone
        return points

    def _gradient(self, points: Floats, counts: Floats) -> Floats:
        log_odds = points @ self.to_log_odds.T
        if self.tie is None and self.neither is None:
            residual = (counts[:, 0] - counts[:, 1]) / 2
            residual -= counts.sum(axis=1) * np.tanh(log_odds / 2) / 2
            return residual @ self.to_log_odds
        tie = -np.inf if self.tie is None else points[:, [self.tie]]
        pull = None if self.neither is None else points @ self.to_neither.T
        score = derivatives(self.design.rules.ties, log_odds, tie, pull).score
        local = np.einsum("roc,okrc->krc", counts, score)
        gradient: Floats = local[LOG_ODDS] @ self.to_log_odds
        if self.tie is not None:
            gradient[:, self.tie] += local[1].sum(axis=1)
        if self.neither is not None:
            gradient += local[NEITHER] @ self.to_neither
        return gradient
