"""Counted votes as a likelihood of strengths and a few more parameters, on whole arrays.

A parameter vector is the models' strengths, then the extras: the advantage of the left side, the
weights of covariates, the tie parameter and the strength of "neither". A cell is a pair of models
with a left and a right side (and covariates, if any), and how often each answer was given to it:
cells are sufficient, so that everything costs the same for a thousand votes as for a billion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import RatingsError
from ratings.model.outcomes import GAP, NEITHER, OUTCOMES, TIE, Derivatives, Rules, derivatives

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

SIDE, TIE_PARAMETER, NEITHER_STRENGTH = "side", "tie", "neither"
_BLOCK = 1 << 16
UNEVEN = (
    "the ratings do not settle: weights of votes are too far apart, or all votes go one way and "
    "leave a side, tie or covariate effect without an end; leave that out, or mend the weights"
)


class Extra(NamedTuple):
    """A parameter beside the strengths.

    Attributes:
        name: what it is called in results.
        acts_on: the number of the vote model that it is added to: `GAP`, `TIE` or `NEITHER`.
        column: what multiplies it in each cell, shape (cells,); None for 1.
    """

    name: str
    acts_on: int
    column: Floats | None = None


@dataclass(frozen=True, eq=False)
class Design:
    """Cells and parameters of one model of the votes.

    Attributes:
        size: number of models, m.
        left: code of the left model of each cell, shape (cells,).
        right: code of the right model.
        counts: weight of each answer under the rules, shape (4, cells).
        rules: what ties and "both bad" count as.
        extras: parameters after the strengths.
    """

    size: int
    left: Codes
    right: Codes
    counts: Floats
    rules: Rules
    extras: tuple[Extra, ...] = ()

    @property
    def width(self) -> int:
        """Number of parameters."""
        return self.size + len(self.extras)

    def place(self, name: str) -> int | None:
        """Where the extra of this name is in a parameter vector, or None."""
        names = [extra.name for extra in self.extras]
        return self.size + names.index(name) if name in names else None

    @cached_property
    def null(self) -> Floats:
        """Unit vector along which the likelihood is constant: all strengths move together."""
        direction = np.zeros(self.width)
        direction[: self.size] = 1
        neither = self.place(NEITHER_STRENGTH)
        if neither is not None:
            direction[neither] = 1
        unit: Floats = direction / np.linalg.norm(direction)
        return unit

    def gap(self, point: Floats) -> Floats:
        """Left minus right, with all that is added to it, in every cell, shape (cells,)."""
        gap: Floats = point[self.left] - point[self.right]
        for index, extra in enumerate(self.extras, start=self.size):
            if extra.acts_on == GAP:
                gap = gap + point[index] * (1.0 if extra.column is None else extra.column)
        return gap

    def along(self, direction: Floats) -> Floats:
        """How fast gap, tie parameter and "neither" move with a direction, shape (3, cells)."""
        tie, neither = self._tie_and_neither(direction)
        moved = np.zeros((3, len(self.left)))
        moved[GAP] = self.gap(direction)
        if tie > -np.inf:
            moved[TIE] = tie
        if neither is not None:
            moved[NEITHER] = neither
        return moved

    def at(self, point: Floats) -> Derivatives:
        """The vote model in every cell at these parameters."""
        return derivatives(self.rules.ties, self.gap(point), *self._tie_and_neither(point))

    def _tie_and_neither(self, point: Floats) -> tuple[float, Floats | None]:
        tie, neither = self.place(TIE_PARAMETER), self.place(NEITHER_STRENGTH)
        pull: Floats | None = None
        if neither is not None:
            pull = point[neither] - (point[self.left] + point[self.right]) / 2
        return -np.inf if tie is None else float(point[tie]), pull

    def scaled(self, factor: float) -> "Design":
        """The same with every count times a factor."""
        return replace(self, counts=self.counts * factor)

    def blocks(self) -> Iterator["Design"]:
        """The cells in parts small enough for the cache; many only where covariates split them."""
        cells = len(self.left)
        if cells <= _BLOCK:
            yield self
            return
        for start in range(0, cells, _BLOCK):
            part = slice(start, start + _BLOCK)
            yield self.select(part, self.counts[:, part])

    def select(self, cells: Codes | slice, counts: Floats) -> "Design":
        """Some of the cells, with counts of their own, shape (4, cells)."""
        extras = tuple(
            extra if extra.column is None else extra._replace(column=extra.column[cells])
            for extra in self.extras
        )
        left, right = self.left[cells], self.right[cells]
        return replace(self, left=left, right=right, counts=counts, extras=extras)

    def log_likelihood(self, point: Floats) -> float:
        """Of all votes; answers that nobody gave add nothing, whatever their probability."""
        return sum(block._log_likelihood(block.at(point)) for block in self.blocks())

    def derive(self, point: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, its gradient (width,) and minus its second derivatives, squared."""
        value, gradient, information = 0.0, np.zeros(self.width), np.zeros((self.width,) * 2)
        for block in self.blocks():
            local = block.at(point)
            value += block._log_likelihood(local)
            gradient += block.spread(np.einsum("oc,okc->kc", block.counts, local.score))
            information += block._information(local)
        return value, gradient, information

    def information(self, point: Floats) -> Floats:
        """Minus the second derivatives of the log-likelihood, shape (width, width)."""
        total = np.zeros((self.width,) * 2)
        for block in self.blocks():
            total += block._information(block.at(point))
        return total

    def squared_scores(self, point: Floats) -> Floats:
        """Sum of the votes' squared scores, for `counts` that are sums of squared weights."""
        total = np.zeros((self.width,) * 2)
        for block in self.blocks():
            score = block.at(point).score
            total += block.scatter(np.einsum("oc,okc,olc->klc", block.counts, score, score))
        return total

    def _log_likelihood(self, local: Derivatives) -> float:
        told = self.counts > 0
        return float((self.counts[told] * local.log_share[told]).sum())

    def _information(self, local: Derivatives) -> Floats:
        if len(local.curvature) == 1:
            return self.scatter(local.curvature[0] * self.counts.sum(axis=0))
        return self.scatter(np.einsum("oc,oklc->klc", self.counts, local.curvature))

    def spread(self, scores: Floats) -> Floats:
        """Sum over cells of local scores (3, cells) as derivatives by parameter, (width,)."""
        gap, neither = scores[GAP], scores[NEITHER]
        left = np.bincount(self.left, gap - neither / 2, minlength=self.size)
        right = np.bincount(self.right, -gap - neither / 2, minlength=self.size)
        own = [self._along(extra, scores[extra.acts_on]).sum() for extra in self.extras]
        return np.concatenate([left + right, own])

    def scatter(self, products: Floats) -> Floats:
        """Sum over cells of local products (3, 3, cells) as a (width, width) matrix."""
        size = self.size
        gap_gap, gap_bad, bad_bad = (
            products[GAP, GAP],
            products[GAP, NEITHER],
            products[NEITHER, NEITHER] / 4,
        )
        matrix = np.zeros((self.width, self.width))
        across = np.bincount(
            self.left * size + self.right, bad_bad - gap_gap, minlength=size * size
        ).reshape(size, size)
        own = np.bincount(self.left, gap_gap - gap_bad + bad_bad, minlength=size)
        own += np.bincount(self.right, gap_gap + gap_bad + bad_bad, minlength=size)
        matrix[:size, :size] = across + across.T + np.diag(own)
        for i, extra in enumerate(self.extras, start=size):
            with_gap = self._along(extra, products[GAP, extra.acts_on])
            with_bad = self._along(extra, products[NEITHER, extra.acts_on]) / 2
            row = np.bincount(self.left, with_gap - with_bad, minlength=size)
            row -= np.bincount(self.right, with_gap + with_bad, minlength=size)
            matrix[i, :size] = matrix[:size, i] = row
            for j, other in enumerate(self.extras[: i - size + 1], start=size):
                both = self._along(
                    other, self._along(extra, products[extra.acts_on, other.acts_on])
                )
                matrix[i, j] = matrix[j, i] = both.sum()
        return matrix

    def invert(self, matrix: Floats) -> Floats:
        """Pseudo-inverse of an information matrix that is singular along `null` only.

        The null direction is filled before inverting and emptied after: an eigenvalue cut-off
        lets it through on some data.
        """
        fill = np.trace(matrix) / self.width
        projection = np.outer(self.null, self.null)
        try:
            inverse: Floats = np.linalg.inv(matrix + fill * projection) - projection / fill
        except np.linalg.LinAlgError:
            raise RatingsError(UNEVEN) from None
        return inverse

    @staticmethod
    def _along(extra: Extra, values: Floats) -> Floats:
        return values if extra.column is None else values * extra.column


def fold_cells(tally: Floats, *, sides: bool) -> tuple[Codes, Codes, Floats]:
    """The pairs that met, as cells: left codes, right codes and counts (4, cells).

    Args:
        tally: sums by outcome, left and right model, shape (4, m, m).
        sides: whether left against right is kept apart from right against left.
    """
    if not sides:
        mirrored = tally.transpose(0, 2, 1)[[1, 0, *range(2, OUTCOMES)]]
        tally = np.triu(tally + mirrored)
    left, right = np.nonzero(tally.any(axis=0))
    return left, right, tally[:, left, right]


def standard_extras(
    rules: Rules, counts: Floats, *, side: bool, covariates: Sequence[Extra] = ()
) -> tuple[Extra, ...]:
    """The extras that rules and votes ask for; an answer that nobody gave needs no parameter."""
    extras = [Extra(SIDE, GAP)] if side else []
    extras += covariates
    totals = counts.sum(axis=1)
    if rules.estimates_tie and totals[2] > 0:
        extras.append(Extra(TIE_PARAMETER, TIE))
    if rules.both_bad == "own" and totals[3] > 0:
        extras.append(Extra(NEITHER_STRENGTH, NEITHER))
    return tuple(extras)


def prior_precision(design: Design, prior_sd: float | None) -> Floats:
    """Of a normal prior on strengths about their mean, shape (width, width).

    Args:
        design: the model.
        prior_sd: standard deviation in strengths; None is no prior.
    """
    matrix = np.zeros((design.width,) * 2)
    if prior_sd is not None:
        size = design.size
        matrix[:size, :size] = (np.eye(size) - 1 / size) / prior_sd**2
    return matrix
