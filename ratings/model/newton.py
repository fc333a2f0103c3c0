"""Newton's method on the log-likelihood of vote counts."""

from typing import NamedTuple

import numpy as np

from ratings.arrays import Floats
from ratings.errors import RatingsError
from ratings.model.design import NO_CONVERGENCE, TIE_PARAMETER, Design, prior_precision

# Curvature changes by at most exp(step): a full Newton step below this needs no line search.
_SAFE_STEP = 0.5
_LONGEST_STEP = 4.0  # with probabilities near 0 or 1 the quadratic model suggests longer steps
_TOLERANCE = 1e-11  # in strengths: 2e-9 Elo points
# Near the maximum each step is about the square of the previous one, so the next is not needed.
_LAST_STEP = 1e-6
_MAX_STEPS = 1000


class Maximum(NamedTuple):
    """The maximum of a log-likelihood.

    Attributes:
        params: where it is, strengths of mean 0 first, shape (n_params,).
        log_likelihood: its value, without the prior's term.
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
            from their mean; None: no prior.
        start: initial parameters, shape (n_params,), such as those of an earlier fit.

    Raises:
        RatingsError: rounding errors prevent convergence.
    """
    if design.size < 2:
        return Maximum(np.zeros(design.n_params), 0.0, 0)
    prior = prior_precision(design, prior_sd)
    scale = max(float(design.counts.sum(axis=0).max(initial=0.0)), float(prior.max()))
    scaled = design.scaled(1 / scale)
    prior = prior / scale
    margin = design.margin_index

    def penalized_log_likelihood(params: Floats) -> float:
        return scaled.log_likelihood(params) - float(params @ prior @ params) / 2

    params = _start(design) if start is None else start
    previous = np.inf
    for steps in range(1, _MAX_STEPS + 1):
        value, gradient, information = scaled.score_and_information(params)
        value -= float(params @ prior @ params) / 2
        newton_step = design.invert(information + prior) @ (gradient - prior @ params)
        longest = float(np.abs(newton_step).max())
        newton_step = design.limit_margin_step(params, newton_step)
        # Curvature grows without bound as Rao and Kupper's margin shrinks to 0.
        safe = _SAFE_STEP if margin is None else min(_SAFE_STEP, params[margin] / 4)
        if longest > safe:
            newton_step = newton_step / max(1.0, float(np.abs(newton_step).max()) / _LONGEST_STEP)
            while (
                penalized_log_likelihood(params + newton_step) < value
                and np.abs(newton_step).max() > _TOLERANCE
            ):
                newton_step = newton_step / 2
        params = params + newton_step
        # With very uneven counts, rounding errors keep steps from shrinking further: stop there.
        stalled = longest < np.sqrt(_TOLERANCE) and longest > previous / 2
        if longest < (_LAST_STEP if margin is None else _TOLERANCE) or stalled:
            null = design.null_direction
            params = params - null * (params[: design.size].mean() / null[0])
            return Maximum(params, design.log_likelihood(params), steps)
        previous = longest
    raise RatingsError(NO_CONVERGENCE)


def _start(design: Design) -> Floats:
    """Equal strengths, and the tie parameter that maximises the likelihood there."""
    params = np.zeros(design.n_params)
    tie = design.index_of(TIE_PARAMETER)
    if tie is not None:
        won, lost, tied = design.counts.sum(axis=1)[:3]
        ratio = 2 * tied / max(won + lost, tied * 1e-6)
        params[tie] = np.log(ratio) if design.margin_index is None else np.log1p(ratio)
    return params
