"""Many tests at once: what is left of their p-values."""

import numpy as np

from ratings.arrays import Floats


def false_discovery_rates(p: Floats) -> Floats:
    """q-values over all entries that are not NaN (Benjamini and Hochberg 1995), same shape."""
    flat = p.ravel()
    q = np.full(len(flat), np.nan)
    tested = np.flatnonzero(~np.isnan(flat))
    order = tested[np.argsort(flat[tested], kind="stable")]
    scaled = flat[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q.reshape(p.shape)
