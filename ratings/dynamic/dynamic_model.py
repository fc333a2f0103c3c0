"""The likelihood of strengths that take a random walk from period to period.

A path x_1 .. x_T of vectors starts anywhere and moves by independent normal steps, x_t+1 - x_t with
variance d_t in every component. With the likelihood's curvature H_t in each period, minus the
second derivatives of the log posterior are block-tridiagonal,

    A_t,t = H_t + (1/d_t-1 + 1/d_t) I      A_t,t+1 = -(1/d_t) I

so that a step of Newton's method, the diagonal blocks of the inverse and the determinant all take
one pass forward and one back (block Cholesky; Rue and Held 2005, section 2.4).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ratings.arrays import Codes, Floats
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.model.design import Design, fold_pairs
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome
from ratings.votes.periods import Periods

LEAST_DRIFT = 0.01  # Elo points per square root of a day: below it nobody drifts
_TOLERANCE = 1e-9
_MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """A factored block-tridiagonal matrix of T blocks of the size m.

    Attributes:
        inverse: inverses of the blocks S_t = A_tt - A_t,t-1 S_t-1^- A_t-1,t, shape (T, m, m).
        coupling: 1/d_t, what couples a period to the next, shape (T - 1,).
        log_determinant: of the whole matrix.
    """

    inverse: Floats
    coupling: Floats
    log_determinant: float

    @classmethod
    def factor(cls, diagonal: Floats, coupling: Floats) -> "Tridiagonal":
        """Factor the matrix with these diagonal blocks, shape (T, m, m)."""
        inverse = np.empty_like(diagonal)
        log_determinant = 0.0
        for t, block in enumerate(diagonal):
            if t:
                block = block - coupling[t - 1] ** 2 * inverse[t - 1]
            root = np.linalg.cholesky(block)
            log_determinant += 2 * float(np.log(np.diag(root)).sum())
            back = np.linalg.inv(root)
            inverse[t] = back.T @ back
        return cls(inverse, coupling, log_determinant)

    def solve(self, right: Floats) -> Floats:
        """The path whose product with the matrix is `right`, shape (T, m)."""
        found = np.empty_like(right)
        carried = np.zeros_like(right[0])
        for t in range(len(right)):
            found[t] = self.inverse[t] @ (right[t] + carried)
            if t < len(self.coupling):
                carried = self.coupling[t] * found[t]
        for t in range(len(right) - 2, -1, -1):
            found[t] += self.coupling[t] * self.inverse[t] @ found[t + 1]
        return found

    def spreads(self) -> Floats:
        """Diagonal blocks of the inverse: the covariance within each period, shape (T, m, m)."""
        found = np.empty_like(self.inverse)
        found[-1] = self.inverse[-1]
        for t in range(len(found) - 2, -1, -1):
            ahead = self.coupling[t] * self.inverse[t]
            found[t] = self.inverse[t] + ahead @ found[t + 1] @ ahead
        return found

    def covariances_with(self, last: int, spread: Floats) -> Floats:
        """Covariance of each period up to `last` with it, shape (last + 1, m, m).

        Args:
            last: a period.
            spread: the covariance within it, from `spreads`.
        """
        found = np.empty((last + 1, *spread.shape))
        found[last] = spread
        for t in range(last - 1, -1, -1):
            found[t] = self.coupling[t] * self.inverse[t] @ found[t + 1]
        return found


class Course:
    """Votes by period, among the models that can be rated from all of them."""

    def __init__(self, battles: Battles, fit: BradleyTerry, periods: Periods) -> None:
        self.battles, self.fit, self.periods = battles, fit, periods
        self.rated = fit.ratings.notna().to_numpy()
        self.designs: list[Design] = []
        # As many votes of weight 1 as tell the same (Kish 1965): the scale of weights is none.
        self.scale = float(battles.weight.sum() / (battles.weight**2).sum()) if len(battles) else 1
        met = []
        for period in range(len(periods.starts)):
            votes = np.flatnonzero(periods.of_vote == period)
            tally = self._count(votes, battles.weight[votes] * self.scale)
            left, right, cells = fold_pairs(tally, sides=False)
            self.designs.append(replace(fit.design, left=left, right=right, counts=cells))
            number = self._count(votes, None)
            met.append(number.sum(axis=(0, 1)) + number.sum(axis=(0, 2)))
        self.votes = np.reshape(met, (len(met), int(self.rated.sum()))).astype(int)

    def _count(self, votes: Codes, weight: Floats | None) -> Floats:
        """Some of the votes among the rated models, as the rules read them, shape (4, m, m)."""
        battles = self.battles
        size = len(battles.models)
        place = (battles.outcome[votes] * size + battles.a[votes]) * size + battles.b[votes]
        total = np.bincount(place, weight, minlength=len(Outcome) * size**2)
        counts = total.astype(np.float64).reshape(len(Outcome), size, size)
        return self.fit.design.rules.apply(counts)[:, self.rated][:, :, self.rated]

    @property
    def size(self) -> int:
        return self.fit.design.size

    def first_and_last(self) -> tuple[Codes, Codes]:
        """Each model's first and last period with votes, shape (m,)."""
        here = self.votes > 0
        if not here.size:
            return np.zeros(self.size, dtype=np.intp), np.zeros(self.size, dtype=np.intp)
        return here.argmax(axis=0), len(here) - 1 - here[::-1].argmax(axis=0)

    @cached_property
    def pin(self) -> Floats:
        """Curvature along the shift of all strengths in all periods, which no vote can see."""
        return np.full((self.size, self.size), 1 / self.size)

    def derive(self, path: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, gradient (T, m) and curvature (T, m, m) of all periods."""
        size, extras = self.size, self.fit.params[self.size :]
        found = [
            design.score_and_information(np.concatenate([strengths, extras]))
            for design, strengths in zip(self.designs, path, strict=True)
        ]
        return (
            sum(value for value, _, _ in found),
            np.array([gradient[:size] for _, gradient, _ in found]),
            np.array([information[:size, :size] for _, _, information in found]),
        )

    def mode(self, drift: float) -> tuple[Floats, Tridiagonal | None]:
        """The most probable path, shape (T, m), and the curvature there; None without drift.

        Args:
            drift: standard deviation of a step of one day, in strengths.
        """
        strengths = self.fit.params[: self.size]
        path = np.tile(strengths, (len(self.designs), 1))
        if drift <= LEAST_DRIFT / ELO_PER_STRENGTH or len(path) < 2 or not self.size:
            return path, None
        coupling = 1 / (drift**2 * self.periods.days)
        for _ in range(_MOST_STEPS):
            _, gradient, curvature = self.derive(path)
            factored = self._factor(curvature, coupling)
            steps = np.diff(path, axis=0) * coupling[:, None]
            gradient[:-1] += steps
            gradient[1:] -= steps
            move = factored.solve(gradient)
            longest = float(np.abs(move).max())
            path = path + move / max(1.0, longest)
            if longest < _TOLERANCE:
                break
        return path, factored

    def _factor(self, curvature: Floats, coupling: Floats) -> Tridiagonal:
        diagonal = curvature.copy()
        diagonal[0] += self.pin
        identity = np.eye(self.size)
        diagonal[:-1] += coupling[:, None, None] * identity
        diagonal[1:] += coupling[:, None, None] * identity
        return Tridiagonal.factor(diagonal, coupling)

    def evidence(self, drift: float) -> float:
        """Log of the marginal likelihood of a drift, up to a constant (Laplace)."""
        path, factored = self.mode(drift)
        value = self.derive(path)[0]
        if factored is None:
            curvature = self.derive(path)[2].sum(axis=0) + self.pin
            return value - float(np.linalg.slogdet(curvature)[1]) / 2
        steps = np.diff(path, axis=0)
        coupling = factored.coupling
        value -= float((coupling[:, None] * steps**2).sum()) / 2
        return value + self.size * float(np.log(coupling).sum()) / 2 - factored.log_determinant / 2
