"""Newton's method on the log-likelihood of counted votes."""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Floats
from ratings.errors import RatingsError
from ratings.model.design import TIE_PARAMETER, UNEVEN, Design, prior_precision

# Curvature changes by at most exp(step): a full Newton step below this needs no safeguard.
_SAFE_STEP = 0.5
_LONGEST_STEP = 4.0  # where probabilities are near 0 or 1 the quadratic model reaches too far
_TOLERANCE = 1e-11  # in strengths: 2e-9 Elo points
# Near the maximum a step is about the square of the one before it, so the next one is not needed.
_LAST_STEP = 1e-6
_MOST_STEPS = 1000


class Maximum(NamedTuple):
    """Where the log-likelihood is highest.

    Attributes:
        params: parameters, strengths of mean 0 first, shape (n_params,).
        log_likelihood: there, without the prior's part.
        steps: Newton steps taken.
    """

    params: Floats
    log_likelihood: float
    steps: int


def maximise(
    design: Design, *, prior_sd: float | None = None, start: Floats | None = None
) -> Maximum:
    """Find the maximum, which must exist (`connectivity.has_maximum`, or a prior).

    Args:
        design: the votes.
        prior_sd: standard deviation, in strengths, of a normal prior on each strength's distance
            from their mean; None is no prior.
        start: where to begin, shape (n_params,), such as an earlier fit.

    Raises:
        RatingsError: rounding keeps the steps from settling.
    """
    if design.size < 2:
        return Maximum(np.zeros(design.n_params), 0.0, 0)
    prior = prior_precision(design, prior_sd)
    scale = max(float(design.counts.sum(axis=0).max(initial=0.0)), float(prior.max()))
    scaled = design.scaled(1 / scale)
    prior = prior / scale
    margin = design.index_of(TIE_PARAMETER) if design.rules.ties == "rao-kupper" else None

    def penalized_log_likelihood(at: Floats) -> float:
        return scaled.log_likelihood(at) - float(at @ prior @ at) / 2

    params = _start(design) if start is None else start
    previous = np.inf
    for taken in range(1, _MOST_STEPS + 1):
        value, gradient, information = scaled.score_and_information(params)
        value -= float(params @ prior @ params) / 2
        newton_step = design.invert(information + prior) @ (gradient - prior @ params)
        longest = float(np.abs(newton_step).max())
        safe = _SAFE_STEP
        if margin is not None:  # curvature grows without bound as the margin shrinks to 0
            safe = min(safe, params[margin] / 4)
            if newton_step[margin] < -params[margin] / 2:
                newton_step = newton_step * (params[margin] / 2 / -newton_step[margin])
        if longest > safe:
            newton_step = newton_step * (
                _LONGEST_STEP / max(_LONGEST_STEP, float(np.abs(newton_step).max()))
            )
            while (
                penalized_log_likelihood(params + newton_step) < value
                and np.abs(newton_step).max() > _TOLERANCE
            ):
                newton_step = newton_step / 2
        params = params + newton_step
        # Rounding sets a floor under the steps of very uneven counts: stop there too.
        at_floor = longest < np.sqrt(_TOLERANCE) and longest > previous / 2
        if longest < (_LAST_STEP if margin is None else _TOLERANCE) or at_floor:
            params = params - design.null_direction * (
                params[: design.size].mean() / design.null_direction[0]
            )
            return Maximum(params, design.log_likelihood(params), taken)
        previous = longest
    raise RatingsError(UNEVEN)


def _start(design: Design) -> Floats:
    """All models equal; the tie parameter is right where they are."""
    params = np.zeros(design.n_params)
    place = design.index_of(TIE_PARAMETER)
    if place is not None:
        won, lost, tied = design.counts.sum(axis=1)[:3]
        if design.rules.ties == "rao-kupper":
            params[place] = np.log1p(2 * tied / max(won + lost, tied * 1e-6))
        else:
            params[place] = np.log(2 * tied / max(won + lost, tied * 1e-6))
    return params
