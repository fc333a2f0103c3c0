"""Profile-likelihood intervals: the values of a rating that the votes do not refute.

A value of one contrast is held while all else is refitted; the interval ends where twice the
log-likelihood is a chi-square quantile below its maximum (Venzon and Moolgavkar 1988). Unlike an
estimate plus or minus its error, the ends may lie unequally far: with few votes they should.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from ratings.arrays import Floats
from ratings.errors import RatingsError
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.model.design import TIE_PARAMETER, UNEVEN, Design, prior_precision

_TOLERANCE = 1e-9
_MOST_STEPS = 200
_FARTHEST = 60.0  # strengths, 10,000 Elo points: farther the likelihood has no end


def profile_bounds(
    fit: BradleyTerry, contrast: Floats, error: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """Lower and upper ends of each contrast of the parameters, in strengths.

    Args:
        fit: at its maximum.
        contrast: rows of what to bound, shape (contrasts, n_params).
        error: standard errors, where to look first, shape (contrasts,).
        confidence: of each interval by itself.
    """
    prior_sd = None if fit.prior_sd is None else fit.prior_sd / ELO_PER_STRENGTH
    profile = _Profile(fit.design, fit.params, prior_precision(fit.design, prior_sd))
    drop = float(chi2.ppf(confidence, 1)) / 2
    ends = [
        [_end(profile, row, sign * max(step, 1e-3), drop) for sign in (-1, 1)]
        if row.any()
        else [0.0, 0.0]  # a single anchor, which is held
        for row, step in zip(contrast, error, strict=True)
    ]
    bounds = np.reshape(ends, (len(ends), 2))
    return bounds[:, 0], bounds[:, 1]


def _end(profile: "_Profile", row: Floats, step: float, drop: float) -> float:
    """Where the profile has fallen by `drop`, on the side of `step`; NaN if it never does."""
    centre = float(row @ profile.best)

    def above(value: float) -> float:
        return profile.penalized_log_likelihood(row, value) - profile.top + drop

    near, far = centre, centre + 2 * step
    while above(far) > 0:
        near, far = far, far + (far - near) * 1.5
        if abs(far - centre) > _FARTHEST:
            return float("nan")
    return float(brentq(above, near, far, xtol=1e-7))


class _Profile:
    """The highest log-likelihood at which one contrast has a given value."""

    def __init__(self, design: Design, best: Floats, prior: Floats) -> None:
        self.design, self.best, self.prior = design, best, prior
        self.last = best
        self.top = design.log_likelihood(best) - float(best @ prior @ best) / 2
        tie = design.index_of(TIE_PARAMETER)
        self.margin = tie if design.rules.ties == "rao-kupper" else None

    def penalized_log_likelihood(self, row: Floats, value: float) -> float:
        """Newton's method in the plane where `row` times the parameters is `value`."""
        n_params = self.design.n_params
        start = self.last if abs(row @ self.last - value) < 1 else self.best
        params = start + row * (value - row @ start) / (row @ row)
        bordered = np.zeros((n_params + 2,) * 2)
        bordered[n_params, :n_params] = bordered[:n_params, n_params] = row
        bordered[n_params + 1, :n_params] = bordered[:n_params, n_params + 1] = (
            self.design.null_direction
        )
        target = np.zeros(n_params + 2)

        def penalised(at: Floats) -> float:
            return self.design.log_likelihood(at) - float(at @ self.prior @ at) / 2

        for _ in range(_MOST_STEPS):
            level, gradient, information = self.design.score_and_information(params)
            level -= float(params @ self.prior @ params) / 2
            bordered[:n_params, :n_params] = information + self.prior
            target[:n_params] = gradient - self.prior @ params
            newton_step = np.linalg.solve(bordered, target)[:n_params]
            longest = float(np.abs(newton_step).max())
            if self.margin is not None and newton_step[self.margin] < -params[self.margin] / 2:
                newton_step = newton_step * (params[self.margin] / 2 / -newton_step[self.margin])
            if longest > 0.1:
                newton_step = newton_step * min(1.0, 2 / longest)
                while (
                    penalised(params + newton_step) < level
                    and np.abs(newton_step).max() > _TOLERANCE
                ):
                    newton_step = newton_step / 2
            params = params + newton_step
            if longest < _TOLERANCE:
                self.last = params
                return penalised(params)
        raise RatingsError(UNEVEN)
