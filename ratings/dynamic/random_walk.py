"""Gaussian random walks seen through a likelihood: mode, spread and evidence of a path.

A path x_1 .. x_T of vectors starts anywhere and moves by independent normal steps, x_t+1 - x_t with
variance d_t in every component. With the likelihood's curvature H_t in each period, minus the
second derivatives of the log posterior are block-tridiagonal,

    A_t,t = H_t + (1/d_t-1 + 1/d_t) I      A_t,t+1 = -(1/d_t) I

so that a step of Newton's method, the diagonal blocks of the inverse and the determinant all take
one pass forward and one back (block Cholesky; Rue and Held 2005, section 2.4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
