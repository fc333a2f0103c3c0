"""Circular triads: A over B over C over A, which no ranking can express.

Kendall and Babington Smith (1940) count them in one judge's comparisons of all pairs. Here a pair's
direction is that of the majority of its votes, and half of either where the votes are equal, so
that the sum over triads is the number of circles if a coin decides those pairs. A majority may be
an accident: `sure` counts each circle as the product of its three majorities' certainty, 1 less the
two-sided p-value of an even pair, so that a circle of clear preferences counts nearly 1 and one of
accidents 1/8 on average.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class Circles(NamedTuple):
    """Circular triads of one table of pairs, or of many; each of the shape (...)."""

    triads: int  # of which all three pairs have votes
    circular: Floats
    sure: Floats


def count_circles(lead: Floats, variance: Floats, left: Codes, right: Codes, size: int) -> Circles:
    """Circular triads of pairs.

    Args:
        lead: wins of the left side less its losses, by cell, shape (..., cells).
        variance: of the lead of an even pair, by cell, shape (cells,).
        left: code of one model of each cell; two cells may have the same two models.
        right: code of the other.
        size: how many models there are.
    """
    pair, back = left * size + right, right * size + left
    square = (*lead.shape[:-1], size, size)
    ahead, spread = np.zeros((*lead.shape[:-1], size * size)), np.zeros(size * size)
    for place, sign in ((pair, 1), (back, -1)):
        ahead[..., place] += sign * lead  # no cell has the same two sides as another
        spread[place] += variance
    met = (spread > 0).reshape(size, size).astype(float)
    clear = np.divide(ahead, np.sqrt(spread), out=np.zeros_like(ahead), where=spread > 0)
    direction = (met * (1 + np.sign(ahead.reshape(square)))) / 2
    certain = np.maximum(erf(clear.reshape(square) / np.sqrt(2)), 0)
    triads = round(float(_round_trips(met)) / 6)
    return Circles(triads, _round_trips(direction) / 3, _round_trips(certain) / 3)


def consistency(circular: float, size: int) -> float:
    """Kendall's zeta: 1 without circles, 0 with as many as there can be among `size` models."""
    most = size * (size**2 - (1 if size % 2 else 4)) / 24
    return 1 - circular / most if most else np.nan


def _round_trips(steps: Floats) -> Floats:
    """Trace of the third power: every triad three times in each direction."""
    found: Floats = np.einsum("...ij,...ji->...", steps @ steps, steps)
    return found
