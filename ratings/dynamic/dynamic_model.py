"""A dynamic Bradley-Terry model: strengths follow a Gaussian random walk from period to period.

A path x_1 .. x_T of strength vectors starts anywhere and moves by independent normal steps,
x_t+1 - x_t with variance d_t in every component. With H_t the information of each period, the
negative Hessian of the log posterior is block-tridiagonal,

    A_t,t = H_t + (1/d_t-1 + 1/d_t) I      A_t,t+1 = -(1/d_t) I

so that a Newton step, the diagonal blocks of the inverse and the determinant all take one forward
and one backward pass (block Cholesky; Rue and Held 2005, section 2.4).
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

MIN_DRIFT = 0.01  # Elo points per square root of a day; less counts as no drift
_TOLERANCE = 1e-9
_MAX_NEWTON_STEPS = 200


@dataclass(frozen=True, eq=False)
class BlockTridiagonal:
    """A factored block-tridiagonal matrix of T x T blocks of size m, off-diagonals -coupling I.

    Attributes:
        inverse: inverses of the blocks S_t = A_tt - A_t,t-1 S_t-1^- A_t-1,t, shape (T, m, m).
        coupling: 1/d_t between each period and the next, shape (T - 1,).
        log_determinant: of the whole matrix.
    """

    inverse: Floats
    coupling: Floats
    log_determinant: float

    @classmethod
    def factor(cls, diagonal: Floats, coupling: Floats) -> "BlockTridiagonal":
        """Factor the matrix.

        Args:
            diagonal: diagonal blocks, shape (T, m, m).
            coupling: shape (T - 1,).
        """
        inverse = np.empty_like(diagonal)
        log_determinant = 0.0
        for t, block in enumerate(diagonal):
            if t:
                block = block - coupling[t - 1] ** 2 * inverse[t - 1]
            root = np.linalg.cholesky(block)
            log_determinant += 2 * float(np.log(np.diag(root)).sum())
            inverse_root = np.linalg.inv(root)
            inverse[t] = inverse_root.T @ inverse_root
        return cls(inverse, coupling, log_determinant)

    def solve(self, right: Floats) -> Floats:
        """Solve for the path whose product with the matrix is `right`, shape (T, m)."""
        path = np.empty_like(right)
        carried = np.zeros_like(right[0])
        for t in range(len(right)):
            path[t] = self.inverse[t] @ (right[t] + carried)
            if t < len(self.coupling):
                carried = self.coupling[t] * path[t]
        for t in range(len(right) - 2, -1, -1):
            path[t] += self.coupling[t] * self.inverse[t] @ path[t + 1]
        return path

    def marginal_covariances(self) -> Floats:
        """Diagonal blocks of the inverse: covariance within each period, shape (T, m, m)."""
        covariance = np.empty_like(self.inverse)
        covariance[-1] = self.inverse[-1]
        for t in range(len(covariance) - 2, -1, -1):
            gain = self.coupling[t] * self.inverse[t]
            covariance[t] = self.inverse[t] + gain @ covariance[t + 1] @ gain
        return covariance

    def cross_covariances(self, last: int, marginal: Floats) -> Floats:
        """Covariance of each period up to `last` with `last`, shape (last + 1, m, m).

        Args:
            last: a period.
            marginal: covariance within that period, from `marginal_covariances`, shape (m, m).
        """
        covariance = np.empty((last + 1, *marginal.shape))
        covariance[last] = marginal
        for t in range(last - 1, -1, -1):
            covariance[t] = self.coupling[t] * self.inverse[t] @ covariance[t + 1]
        return covariance


class DynamicModel:
    """Likelihood of the votes by period, among the models that can be rated from all votes.

    Attributes:
        battles: the votes.
        fit: constant ratings of all periods together; they give the tie and side parameters.
        periods: the periods.
        rated: whether each model of `battles` is rated.
        designs: pairs and counts of each period.
        weight_scale: factor of the weights that gives the effective number of votes.
        votes: number of votes of each model in each period, shape (T, m).
    """

    def __init__(self, battles: Battles, fit: BradleyTerry, periods: Periods) -> None:
        self.battles, self.fit, self.periods = battles, fit, periods
        self.rated = fit.ratings.notna().to_numpy()
        self.designs: list[Design] = []
        # Kish's effective number of votes (1965): the scale of the weights carries no information.
        self.weight_scale = 1.0
        if len(battles):
            self.weight_scale = float(battles.weight.sum() / (battles.weight**2).sum())
        votes = []
        for period in range(len(periods.starts)):
            rows = np.flatnonzero(periods.of_vote == period)
            weighted = self._count(rows, battles.weight[rows] * self.weight_scale)
            left, right, counts = fold_pairs(weighted, sides=False)
            self.designs.append(replace(fit.design, left=left, right=right, counts=counts))
            unweighted = self._count(rows, None)
            votes.append(unweighted.sum(axis=(0, 1)) + unweighted.sum(axis=(0, 2)))
        self.votes = np.reshape(votes, (len(votes), int(self.rated.sum()))).astype(int)

    def _count(self, votes: Codes, weight: Floats | None) -> Floats:
        """Count votes among the rated models under the rules, shape (4, m, m)."""
        battles = self.battles
        size = len(battles.models)
        index = (battles.outcome[votes] * size + battles.a[votes]) * size + battles.b[votes]
        total = np.bincount(index, weight, minlength=len(Outcome) * size**2)
        counts = total.astype(np.float64).reshape(len(Outcome), size, size)
        return self.fit.design.rules.apply(counts)[:, self.rated][:, :, self.rated]

    @property
    def size(self) -> int:
        """Number of rated models, m."""
        return self.fit.design.size

    def first_and_last(self) -> tuple[Codes, Codes]:
        """First and last period in which each model has votes, shape (m,)."""
        present = self.votes > 0
        if not present.size:
            return np.zeros(self.size, dtype=np.intp), np.zeros(self.size, dtype=np.intp)
        return present.argmax(axis=0), len(present) - 1 - present[::-1].argmax(axis=0)

    @cached_property
    def location_information(self) -> Floats:
        """Information about the mean of all strengths, which no vote carries, shape (m, m)."""
        return np.full((self.size, self.size), 1 / self.size)

    def score_and_information(self, path: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, score (T, m) and information (T, m, m) along a path, shape (T, m)."""
        size, extras = self.size, self.fit.params[self.size :]
        by_period = [
            design.score_and_information(np.concatenate([strengths, extras]))
            for design, strengths in zip(self.designs, path, strict=True)
        ]
        return (
            sum(value for value, _, _ in by_period),
            np.array([score[:size] for _, score, _ in by_period]),
            np.array([information[:size, :size] for _, _, information in by_period]),
        )

    def mode(self, drift: float) -> tuple[Floats, BlockTridiagonal | None]:
        """Find the most probable path, shape (T, m), and the negative Hessian there.

        Args:
            drift: standard deviation of a step of one day, in strengths.

        Returns:
            The path and the factored negative Hessian; None without drift, where the path is
            constant.
        """
        strengths = self.fit.params[: self.size]
        path = np.tile(strengths, (len(self.designs), 1))
        if drift <= MIN_DRIFT / ELO_PER_STRENGTH or len(path) < 2 or not self.size:
            return path, None
        coupling = 1 / (drift**2 * self.periods.days)
        for _ in range(_MAX_NEWTON_STEPS):
            _, score, information = self.score_and_information(path)
            hessian = self._factor(information, coupling)
            pull = np.diff(path, axis=0) * coupling[:, None]
            score[:-1] += pull
            score[1:] -= pull
            newton_step = hessian.solve(score)
            largest = float(np.abs(newton_step).max())
            path = path + newton_step / max(1.0, largest)
            if largest < _TOLERANCE:
                break
        return path, hessian

    def _factor(self, information: Floats, coupling: Floats) -> BlockTridiagonal:
        diagonal = information.copy()
        diagonal[0] += self.location_information
        identity = np.eye(self.size)
        diagonal[:-1] += coupling[:, None, None] * identity
        diagonal[1:] += coupling[:, None, None] * identity
        return BlockTridiagonal.factor(diagonal, coupling)

    def log_evidence(self, drift: float) -> float:
        """Log marginal likelihood of a drift, up to a constant (Laplace approximation).

        Args:
            drift: standard deviation of a step of one day, in strengths.
        """
        path, hessian = self.mode(drift)
        value, _, information = self.score_and_information(path)
        if hessian is None:
            total = information.sum(axis=0) + self.location_information
            return value - float(np.linalg.slogdet(total)[1]) / 2
        coupling = hessian.coupling
        value -= float((coupling[:, None] * np.diff(path, axis=0) ** 2).sum()) / 2
        return value + self.size * float(np.log(coupling).sum()) / 2 - hessian.log_determinant / 2
