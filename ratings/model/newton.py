"""Newton's method on the log-likelihood of counted votes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ratings.errors import RatingsError
from ratings.model.design import TIE_PARAMETER, UNEVEN, Design, prior_precision

Floats = NDArray[np.float64]

# Curvature changes by at most exp(step), so below this a full Newton step needs no safeguard.
_SAFE_STEP = 0.5
_LONGEST_STEP = 4.0  # where probabilities are near 0 or 1 the quadratic model reaches too far
_TOLERANCE = 1e-11  # in strengths: 2e-9 Elo points
# Near the maximum a step is about the square of the one before it, so the next one is not needed.
_LAST_STEP = 1e-6
_MOST_STEPS = 1000


class Maximum(NamedTuple):
    """Where the log-likelihood is highest.

    Attributes:
        point: parameters, strengths of mean 0 first, shape (width,).
        log_likelihood: there, without the prior's part.
        steps: Newton steps taken.
    """

    point: Floats
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
        start: where to begin, shape (width,), such as an earlier fit.

    Raises:
        RatingsError: rounding keeps the steps from settling.
    """
    if design.size < 2:
        return Maximum(np.zeros(design.width), 0.0, 0)
    prior = prior_precision(design, prior_sd)
    scale = max(float(design.counts.sum(axis=0).max(initial=0.0)), float(prior.max()))
    scaled = design.scaled(1 / scale)
    prior = prior / scale
    margin = design.place(TIE_PARAMETER) if design.rules.ties == "rao-kupper" else None

    def height(at: Floats) -> float:
        return scaled.log_likelihood(at) - float(at @ prior @ at) / 2

    point = _start(design) if start is None else start
    previous = np.inf
    for taken in range(1, _MOST_STEPS + 1):
        value, gradient, information = scaled.derive(point)
        value -= float(point @ prior @ point) / 2
        step = design.invert(information + prior) @ (gradient - prior @ point)
        longest = float(np.abs(step).max())
        safe = _SAFE_STEP
        if margin is not None:  # curvature grows without bound as the margin shrinks to 0
            safe = min(safe, point[margin] / 4)
            if step[margin] < -point[margin] / 2:
                step = step * (point[margin] / 2 / -step[margin])
        if longest > safe:
            step = step * (_LONGEST_STEP / max(_LONGEST_STEP, float(np.abs(step).max())))
            while height(point + step) < value and np.abs(step).max() > _TOLERANCE:
                step = step / 2
        point = point + step
        # Rounding sets a floor under the steps of very uneven counts: stop there too.
        at_floor = longest < np.sqrt(_TOLERANCE) and longest > previous / 2
        if longest < (_LAST_STEP if margin is None else _TOLERANCE) or at_floor:
            point = point - design.null * (point[: design.size].mean() / design.null[0])
            return Maximum(point, design.log_likelihood(point), taken)
        previous = longest
    raise RatingsError(UNEVEN)


def _start(design: Design) -> Floats:
    """All models equal; the tie parameter is right where they are."""
    point = np.zeros(design.width)
    place = design.place(TIE_PARAMETER)
    if place is not None:
        won, lost, tied = design.counts.sum(axis=1)[:3]
        if design.rules.ties == "rao-kupper":
            point[place] = np.log1p(2 * tied / max(won + lost, tied * 1e-6))
        else:
            point[place] = np.log(2 * tied / max(won + lost, tied * 1e-6))
    return point
