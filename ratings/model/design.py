"""The likelihood of vote counts, vectorized over pairs of models.

A parameter vector holds the models' strengths, then the extras: the advantage of the left side, the
coefficients of covariates, the tie parameter and the strength of "neither". A pair is a left and a
right model (with equal covariates, if any) and the count of each answer to it. These counts are
sufficient statistics, so that a billion votes cost no more than a thousand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.errors import RatingsError
from ratings.model.outcomes import (
    LOG_ODDS,
    NEITHER,
    OUTCOMES,
    TIE,
    Derivatives,
    OutcomeRules,
    derivatives,
)

SIDE, TIE_PARAMETER, NEITHER_STRENGTH = "side", "tie", "neither"
_BLOCK = 1 << 16
NO_CONVERGENCE = (
    "the ratings do not converge: the weights of votes differ too much, or the votes leave a side, "
    "tie or covariate effect unbounded; leave that effect out, or fix the weights"
)


class Extra(NamedTuple):
    """A parameter other than a strength.

    Attributes:
        name: its name in results.
        acts_on: the predictor that it is added to: `LOG_ODDS`, `TIE` or `NEITHER`.
        column: its coefficient in each pair, shape (pairs,); None: 1.
    """

    name: str
    acts_on: int
    column: Floats | None = None


@dataclass(frozen=True, eq=False)
class Design:
    """The pairs and parameters of a model of the votes.

    Attributes:
        size: number of models, m.
        left: code of the left model of each pair, shape (pairs,).
        right: code of the right model.
        counts: weight of each answer under the rules, shape (4, pairs).
        rules: how ties and "both bad" count.
        extras: parameters after the strengths.
    """

    size: int
    left: Codes
    right: Codes
    counts: Floats
    rules: OutcomeRules
    extras: tuple[Extra, ...] = ()

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return self.size + len(self.extras)

    def index_of(self, name: str) -> int | None:
        """Index of an extra in a parameter vector; None if the model has no such extra."""
        names = [extra.name for extra in self.extras]
        return self.size + names.index(name) if name in names else None

    @property
    def margin_index(self) -> int | None:
        """Index of Rao and Kupper's margin in a parameter vector; None under the other rules."""
        return self.index_of(TIE_PARAMETER) if self.rules.ties == "rao-kupper" else None

    def limit_margin_step(self, params: Floats, step: Floats) -> Floats:
        """Shorten steps that would more than halve Rao and Kupper's margin, which is positive.

        Args:
            params: current parameters, shape (..., n_params).
            step: proposed changes, of the same shape.
        """
        if self.margin_index is None:
            return step
        excess = -2 * step[..., self.margin_index] / params[..., self.margin_index]
        limited: Floats = step / np.maximum(excess, 1.0)[..., None]
        return limited

    @cached_property
    def null_direction(self) -> Floats:
        """Unit vector along which the likelihood is constant: all strengths change equally."""
        direction = np.zeros(self.n_params)
        direction[: self.size] = 1
        neither = self.index_of(NEITHER_STRENGTH)
        if neither is not None:
            direction[neither] = 1
        unit: Floats = direction / np.linalg.norm(direction)
        return unit

    def log_odds(self, params: Floats) -> Floats:
        """Strength difference, left minus right, plus the effects added to it, shape (pairs,)."""
        log_odds: Floats = params[self.left] - params[self.right]
        for index, extra in enumerate(self.extras, start=self.size):
            if extra.acts_on == LOG_ODDS:
                log_odds = log_odds + params[index] * (
                    1.0 if extra.column is None else extra.column
                )
        return log_odds

    def directional(self, direction: Floats) -> Floats:
        """Derivatives of log odds, tie parameter and "neither" along a direction, (3, pairs)."""
        tie, neither = self._tie_and_neither(direction)
        moved = np.zeros((3, len(self.left)))
        moved[LOG_ODDS] = self.log_odds(direction)
        if tie > -np.inf:
            moved[TIE] = tie
        if neither is not None:
            moved[NEITHER] = neither
        return moved

    def evaluate(self, params: Floats) -> Derivatives:
        """Log-probabilities of the answers in every pair, and their derivatives."""
        return derivatives(self.rules.ties, self.log_odds(params), *self._tie_and_neither(params))

    def _tie_and_neither(self, params: Floats) -> tuple[float, Floats | None]:
        tie, neither = self.index_of(TIE_PARAMETER), self.index_of(NEITHER_STRENGTH)
        neither_log_weight: Floats | None = None
        if neither is not None:
            neither_log_weight = params[neither] - (params[self.left] + params[self.right]) / 2
        return -np.inf if tie is None else float(params[tie]), neither_log_weight

    def scaled(self, factor: float) -> "Design":
        """The same design with every count multiplied by a factor."""
        return replace(self, counts=self.counts * factor)

    def blocks(self) -> Iterator["Design"]:
        """The pairs in parts that fit the CPU cache; more than one only with covariates."""
        pairs = len(self.left)
        if pairs <= _BLOCK:
            yield self
            return
        for start in range(0, pairs, _BLOCK):
            part = slice(start, start + _BLOCK)
            yield self.select(part, self.counts[:, part])

    def select(self, pairs: Codes | slice, counts: Floats) -> "Design":
        """A subset of the pairs, with new counts, shape (4, pairs)."""
        extras = tuple(
            extra if extra.column is None else extra._replace(column=extra.column[pairs])
            for extra in self.extras
        )
        left, right = self.left[pairs], self.right[pairs]
        return replace(self, left=left, right=right, counts=counts, extras=extras)

    def log_likelihood(self, params: Floats) -> float:
        """Log-likelihood of all votes."""
        return sum(block._log_likelihood(block.evaluate(params)) for block in self.blocks())

    def score_and_information(self, params: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, its gradient (n_params,) and minus its Hessian (n_params, n_params)."""
        value, gradient, information = 0.0, np.zeros(self.n_params), np.zeros((self.n_params,) * 2)
        for block in self.blocks():
            local = block.evaluate(params)
            value += block._log_likelihood(local)
            gradient += block.to_gradient(np.einsum("oc,okc->kc", block.counts, local.score))
            information += block._information(local)
        return value, gradient, information

    def information(self, params: Floats) -> Floats:
        """Observed information: minus the Hessian of the log-likelihood, (n_params, n_params)."""
        total = np.zeros((self.n_params,) * 2)
        for block in self.blocks():
            total += block._information(block.evaluate(params))
        return total

    def squared_scores(self, params: Floats) -> Floats:
        """Sum of the outer products of the votes' scores; `counts` are sums of squared weights."""
        total = np.zeros((self.n_params,) * 2)
        for block in self.blocks():
            score = block.evaluate(params).score
            total += block.to_matrix(np.einsum("oc,okc,olc->klc", block.counts, score, score))
        return total

    def _log_likelihood(self, local: Derivatives) -> float:
        given = self.counts > 0  # an answer that nobody gave may have probability 0
        return float((self.counts[given] * local.log_probability[given]).sum())

    def _information(self, local: Derivatives) -> Floats:
        if len(local.curvature) == 1:
            return self.to_matrix(local.curvature[0] * self.counts.sum(axis=0))
        return self.to_matrix(np.einsum("oc,oklc->klc", self.counts, local.curvature))

    def to_gradient(self, scores: Floats) -> Floats:
        """Chain rule: from derivatives by predictor, (3, pairs), to a gradient, (n_params,)."""
        log_odds, neither = scores[LOG_ODDS], scores[NEITHER]
        left = np.bincount(self.left, log_odds - neither / 2, minlength=self.size)
        right = np.bincount(self.right, -log_odds - neither / 2, minlength=self.size)
        extras = [self._along(extra, scores[extra.acts_on]).sum() for extra in self.extras]
        return np.concatenate([left + right, extras])

    def to_matrix(self, products: Floats) -> Floats:
        """Chain rule: from second derivatives by predictor, (3, 3, pairs), to a square matrix."""
        size = self.size
        odds_odds, odds_bad, bad_bad = (
            products[LOG_ODDS, LOG_ODDS],
            products[LOG_ODDS, NEITHER],
            products[NEITHER, NEITHER] / 4,
        )
        matrix = np.zeros((self.n_params, self.n_params))
        across = np.bincount(
            self.left * size + self.right, bad_bad - odds_odds, minlength=size * size
        ).reshape(size, size)
        diagonal = np.bincount(self.left, odds_odds - odds_bad + bad_bad, minlength=size)
        diagonal += np.bincount(self.right, odds_odds + odds_bad + bad_bad, minlength=size)
        matrix[:size, :size] = across + across.T + np.diag(diagonal)
        for i, extra in enumerate(self.extras, start=size):
            with_odds = self._along(extra, products[LOG_ODDS, extra.acts_on])
            with_bad = self._along(extra, products[NEITHER, extra.acts_on]) / 2
            row = np.bincount(self.left, with_odds - with_bad, minlength=size)
            row -= np.bincount(self.right, with_odds + with_bad, minlength=size)
            matrix[i, :size] = matrix[:size, i] = row
            for j, other in enumerate(self.extras[: i - size + 1], start=size):
                both = self._along(
                    other, self._along(extra, products[extra.acts_on, other.acts_on])
                )
                matrix[i, j] = matrix[j, i] = both.sum()
        return matrix

    def invert(self, matrix: Floats) -> Floats:
        """Pseudo-inverse of an information matrix that is singular along `null_direction` only.

        The null direction is filled before inverting and removed afterwards, because an eigenvalue
        cut-off misses it on some data.
        """
        fill = np.trace(matrix) / self.n_params
        projection = np.outer(self.null_direction, self.null_direction)
        try:
            inverse: Floats = np.linalg.inv(matrix + fill * projection) - projection / fill
        except np.linalg.LinAlgError:
            raise RatingsError(NO_CONVERGENCE) from None
        return inverse

    @staticmethod
    def _along(extra: Extra, values: Floats) -> Floats:
        return values if extra.column is None else values * extra.column


def fold_pairs(counts: Floats, *, sides: bool) -> tuple[Codes, Codes, Floats]:
    """The pairs of models with votes: left codes, right codes and counts (4, pairs).

    Args:
        counts: sums by outcome, left and right model, shape (4, m, m).
        sides: whether to distinguish A against B from B against A.
    """
    if not sides:
        mirrored = counts.transpose(0, 2, 1)[[1, 0, *range(2, OUTCOMES)]]
        counts = np.triu(counts + mirrored)
    left, right = np.nonzero(counts.any(axis=0))
    return left, right, counts[:, left, right]


def standard_extras(
    rules: OutcomeRules, counts: Floats, *, side: bool, covariates: Sequence[Extra] = ()
) -> tuple[Extra, ...]:
    """The extras of a model; an outcome that never occurred gets no parameter."""
    extras = [Extra(SIDE, LOG_ODDS)] if side else []
    extras += covariates
    totals = counts.sum(axis=1)
    if rules.estimates_tie and totals[2] > 0:
        extras.append(Extra(TIE_PARAMETER, TIE))
    if rules.both_bad == "own" and totals[3] > 0:
        extras.append(Extra(NEITHER_STRENGTH, NEITHER))
    return tuple(extras)


def prior_precision(design: Design, prior_sd: float | None) -> Floats:
    """Precision matrix of a normal prior on strengths about their mean, (n_params, n_params).

    Args:
        design: the model.
        prior_sd: standard deviation in strengths; None: no prior, a matrix of zeros.
    """
    matrix = np.zeros((design.n_params,) * 2)
    if prior_sd is not None:
        size = design.size
        matrix[:size, :size] = (np.eye(size) - 1 / size) / prior_sd**2
    return matrix
