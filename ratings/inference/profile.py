"""Profile-likelihood intervals: the values of a rating that the votes do not reject.

One contrast is held at a value while all other parameters are refitted; the interval ends where
twice the log-likelihood is a chi-square quantile below its maximum (Venzon and Moolgavkar 1988).
Unlike an estimate plus or minus its error, such an interval may be asymmetric, as it should be with
few votes.
"""

import numpy as np
from scipy.optimize import brentq

from ratings.arrays import Floats
from ratings.distributions import chi_square_quantile
from ratings.errors import RatingsError
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import NO_CONVERGENCE, Design
from ratings.model.refit import prior_of

_TOLERANCE = 1e-9
_MAX_STEPS = 200
_FARTHEST = 60.0  # strengths, 10,000 Elo points: beyond it an interval counts as unbounded


def profile_bounds(
    fit: BradleyTerry, contrast: Floats, error: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """Lower and upper bounds of each contrast of the parameters, in strengths; NaN: unbounded.

    Args:
        fit: at its maximum.
        contrast: one contrast per row, shape (contrasts, n_params).
        error: standard errors, which set the first search steps, shape (contrasts,).
        confidence: of each interval by itself.
    """
    profile = _Profile(fit.design, fit.params, prior_of(fit).precision)
    drop = float(chi_square_quantile(confidence, 1)) / 2
    ends = [
        [_end(profile, row, sign * max(step, 1e-3), drop) for sign in (-1, 1)]
        if row.any()
        else [0.0, 0.0]  # a single anchor, which is fixed
        for row, step in zip(contrast, error, strict=True)
    ]
    bounds = np.reshape(ends, (len(ends), 2))
    return bounds[:, 0], bounds[:, 1]


def _end(profile: "_Profile", row: Floats, step: float, drop: float) -> float:
    """Where the profile has fallen by `drop` in the direction of `step`; NaN: nowhere."""
    estimate = float(row @ profile.best)

    def excess(value: float) -> float:
        return profile.penalized_log_likelihood(row, value) - profile.maximum + drop

    near, far = estimate, estimate + 2 * step
    while excess(far) > 0:
        near, far = far, far + (far - near) * 1.5
        if abs(far - estimate) > _FARTHEST:
            return float("nan")
    return float(brentq(excess, near, far, xtol=1e-7))


class _Profile:
    """The maximum of the log-likelihood under a constraint on one contrast."""

    def __init__(self, design: Design, best: Floats, prior: Floats) -> None:
        self.design, self.best, self.prior = design, best, prior
        self.last = best
        self.maximum = self._penalized(best)

    def _penalized(self, params: Floats) -> float:
        return self.design.log_likelihood(params) - float(params @ self.prior @ params) / 2

    def penalized_log_likelihood(self, row: Floats, value: float) -> float:
        """The maximum where `row` times the parameters is `value`, by Newton's method."""
        design, size = self.design, self.design.n_params
        start = self.last if abs(row @ self.last - value) < 1 else self.best
        params = start + row * (value - row @ start) / (row @ row)
        bordered = np.zeros((size + 2,) * 2)
        bordered[size, :size] = bordered[:size, size] = row
        bordered[size + 1, :size] = bordered[:size, size + 1] = design.null_direction
        target = np.zeros(size + 2)
        for _ in range(_MAX_STEPS):
            current, gradient, information = design.score_and_information(params)
            current -= float(params @ self.prior @ params) / 2
            bordered[:size, :size] = information + self.prior
            target[:size] = gradient - self.prior @ params
            newton_step: Floats = np.linalg.solve(bordered, target)[:size].astype(np.float64)
            longest = float(np.abs(newton_step).max())
            newton_step = design.limit_margin_step(params, newton_step)
            if longest > 0.1:
                newton_step = newton_step * min(1.0, 2 / longest)
                while (
                    self._penalized(params + newton_step) < current
                    and np.abs(newton_step).max() > _TOLERANCE
                ):
                    newton_step = newton_step / 2
            params = params + newton_step
            if longest < _TOLERANCE:
                self.last = params
                return self._penalized(params)
        raise RatingsError(NO_CONVERGENCE)
