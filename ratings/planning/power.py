"""Power of a test of a gap when votes are added to those in hand.

Votes in hand stay in the final estimate. With precision w0 of the gap now and w1 of the votes to
come, and a true gap g equal to the estimate, the final estimate is normal about g with variance
w1 / (w0 + w1)^2, and its test succeeds beyond z / sqrt(w0 + w1) (conditional power: Lan and Wittes
1988):

    power = Phi((g - z / sqrt(w0 + w1)) (w0 + w1) / sqrt(w1))

Nobody knows that the gap is the estimate. `assurance` is the same probability averaged over what
the votes say about it (normal about the estimate; O'Hagan, Stevens and Campbell 2005).
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

MOST_VOTES = 100_000_000  # more than anyone will collect: "no number of votes"


def conditional_power(gap: float, held: float, added: float, threshold: float) -> float:
    """Probability that the final test succeeds if the true gap is the estimate of the votes held.

    Args:
        gap: above 0.
        held: precision (1 / variance) of the estimate now.
        added: precision of the votes to come.
        threshold: standard errors that a gap must exceed.
    """
    final = held + added
    if added <= 0:
        return float(gap * np.sqrt(held) > threshold)
    return float(norm.cdf((gap - threshold / np.sqrt(final)) * final / np.sqrt(added)))


def assurance(gap: float, held: float, added: float, threshold: float) -> float:
    """The same averaged over a true gap that is normal about the estimate; either sign counts."""
    final = held + added
    if added <= 0:
        return float(gap * np.sqrt(held) > threshold)
    deviation = np.sqrt(added / held / final)  # of the final estimate, given the votes held
    least = threshold / np.sqrt(final)
    return float(norm.sf((least - gap) / deviation) + norm.cdf((-least - gap) / deviation))


def fewest_votes(
    power_of: Callable[[float], float], wanted: float, possible: bool = True
) -> int | None:
    """The fewest votes that have the power; None if `MOST_VOTES` do not, or it is not possible."""

    def short(log_votes: float) -> float:
        return power_of(float(np.exp(log_votes))) - wanted

    end = float(np.log(MOST_VOTES))
    if not possible or short(end) < 0:
        return None
    if short(0.0) >= 0:
        return 1
    return int(np.ceil(np.exp(brentq(short, 0.0, end, xtol=1e-9))))
