"""Bootstrap: refits to resampled votes, or resampled clusters of votes, in batches of rounds.

Resampling votes draws the counts of the pairs, which are sufficient statistics, from one
multinomial (Efron 1979); resampling clusters draws the number of times each cluster occurs. Every
round is refitted by Newton's method with the information of the original fit, which is that of a
round up to sampling noise, so that no step needs a new inverse.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.clusters import cluster_codes
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import NEITHER_STRENGTH, TIE_PARAMETER
from ratings.model.outcomes import LOG_ODDS, NEITHER, OUTCOMES, derivatives
from ratings.model.refit import prior_of, refit
from ratings.votes.battles import Battles

ONE_WAY = "votes can be resampled by one column of clusters only: name one"
Draw = Callable[[np.random.Generator, int, float], Floats]  # (rounds, 4, pairs)

_THREADS = 2
_BATCH = 50  # rounds; their arrays fit the CPU cache
_TOLERANCE = 1e-7  # in strengths: 2e-5 Elo params, far below the noise between rounds
_MAX_STEPS = 40


def resample(
    battles: Battles,
    fit: BradleyTerry,
    squares: Floats,
    columns: tuple[str, ...],
    *,
    rounds: int,
    seed: int,
) -> Floats:
    """Parameters refitted to resampled votes, shape (rounds with finite ratings, n_params).

    Args:
        battles: the votes.
        fit: their ratings.
        squares: sums of squared weights in the pairs of the fit, shape (4, pairs).
        columns: one column of clusters to resample instead of votes, or none.
        rounds: number of resamples.
        seed: of the random number generator.
    """
    solver = BatchSolver(fit)
    draw = draws(battles, fit, squares, columns)
    starts = range(0, rounds, _BATCH)
    # Drawing is most of the work and releases the interpreter lock; one generator per batch makes
    # the result independent of the number of threads.
    seeds = np.random.SeedSequence(seed).spawn(len(starts))
    parts: list[Floats] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        drawn: deque[Future[Floats]] = deque()
        for start, child in zip(starts, seeds, strict=True):
            if len(drawn) == _THREADS:
                parts.append(solver.solve(drawn.popleft().result()))
            size = min(_BATCH, rounds - start)
            drawn.append(threads.submit(draw, np.random.default_rng(child), size, 1.0))
        parts += [solver.solve(counts.result()) for counts in drawn]
    params: Floats = np.concatenate(parts)
    return params[np.isfinite(params).all(axis=1)]


def draws(battles: Battles, fit: BradleyTerry, squares: Floats, columns: tuple[str, ...]) -> Draw:
    """A function that draws counts of resampled votes, or of the votes of resampled clusters.

    Its arguments are a generator, the number of rounds, and the number of votes (or clusters) to
    draw as a multiple of the number observed; it returns shape (rounds, 4, pairs).
    """
    if len(columns) > 1:
        raise OptionError(ONE_WAY)
    return _cluster_draws(battles, fit, columns) if columns else _vote_draws(fit, squares)


def _vote_draws(fit: BradleyTerry, squares: Floats) -> Draw:
    """Counts of resampled votes.

    Votes of unequal weight are drawn as W^2 / Q votes of weight Q / W (W the sum of the weights, Q
    that of their squares), which has the same mean W and variance Q as drawing them one by one.
    """
    weights = fit.design.counts
    nonzero = np.nonzero(weights)
    each = squares[nonzero] / weights[nonzero]
    votes = weights[nonzero] / each
    total, chance = float(votes.sum()), votes / votes.sum()

    def draw(random: np.random.Generator, rounds: int, share: float) -> Floats:
        counts = np.zeros((rounds, *weights.shape))
        counts[:, nonzero[0], nonzero[1]] = (
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
        raise OptionError(f"a bootstrap by {columns[0]} needs at least two of them; there is one")
    design = fit.design
    pairs = len(design.left)
    if fit.covariates:
        pair, outcome = votes.pair, votes.outcome
    else:
        # From ordered pairs to the pairs of the fit, which may have either model first.
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
    from scipy.sparse import csr_array  # loads slowly

    entries = csr_array(
        (votes.weight, (cluster, outcome * pairs + pair)), shape=(clusters, OUTCOMES * pairs)
    )

    def draw(random: np.random.Generator, rounds: int, share: float) -> Floats:
        times = random.multinomial(round(share * clusters), np.full(clusters, 1 / clusters), rounds)
        drawn: Floats = (entries.T @ times.T.astype(float)).T
        return np.ascontiguousarray(drawn).reshape(rounds, OUTCOMES, pairs)

    return draw


class BatchSolver:
    """Refits many rounds of counts of the same pairs at once."""

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
        """Parameters of each round, (rounds, n_params); NaN if there is no finite maximum.

        Args:
            counts: shape (rounds, 4, pairs).
        """
        params = np.tile(self.start, (len(counts), 1))
        unfinished = np.arange(len(counts))
        for _ in range(_MAX_STEPS):
            gradient = self._gradient(params[unfinished], counts[unfinished])
            newton_step = (gradient - params[unfinished] @ self.prior.precision) @ self.inverse
            longest = np.abs(newton_step).max(axis=1)
            newton_step *= (1 / np.maximum(longest, 1))[:, None]
            newton_step = self.design.limit_margin_step(params[unfinished], newton_step)
            params[unfinished] += newton_step
            unfinished = unfinished[~(longest < _TOLERANCE)]
            if not len(unfinished):
                return params
        for which in unfinished:  # few votes: the counts are too far from those of the fit
            single = refit(self.design.select(slice(None), counts[which]), prior_sd=self.prior.sd)
            params[which] = np.nan if single is None else single
        return params

    def _gradient(self, params: Floats, counts: Floats) -> Floats:
        log_odds = params @ self.to_log_odds.T
        if self.tie is None and self.neither is None:
            residual = (counts[:, 0] - counts[:, 1]) / 2
            residual -= counts.sum(axis=1) * np.tanh(log_odds / 2) / 2
            return residual @ self.to_log_odds
        tie = -np.inf if self.tie is None else params[:, [self.tie]]
        neither = None if self.neither is None else params @ self.to_neither.T
        score = derivatives(self.design.rules.ties, log_odds, tie, neither).score
        local = np.einsum("roc,okrc->krc", counts, score)
        gradient: Floats = local[LOG_ODDS] @ self.to_log_odds
        if self.tie is not None:
            gradient[:, self.tie] += local[1].sum(axis=1)
        if self.neither is not None:
            gradient += local[NEITHER] @ self.to_neither
        return gradient
