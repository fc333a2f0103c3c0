"""Which models the votes put on one scale, and whether the likelihood has a maximum there."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import NegativeCycleError, bellman_ford, connected_components

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def largest_part(points: Floats) -> Mask:
    """The largest set of models in which everyone leads, through wins and ties, to everyone.

    Only within such a set are Bradley-Terry ratings finite and unique (Ford 1957). Among equally
    large sets the one with more votes is taken, then the one with the alphabetically first name.

    Args:
        points: what each model took off each other, a win 1 and a tie 1/2 to both, shape (m, m).

    Returns:
        Membership, shape (m,); nobody where no two models are connected both ways.
    """
    size = len(points)
    if size == 0:
        return np.zeros(0, dtype=bool)
    _, labels = connected_components(csr_array(points > 0), directed=True, connection="strong")
    best = max(
        (labels == label for label in dict.fromkeys(labels)),
        key=lambda part: (part.sum(), points[np.ix_(part, part)].sum()),
    )
    return best if best.sum() > 1 else np.zeros(size, dtype=bool)


def has_davidson_maximum(wins: Floats, ties: Floats) -> bool:
    """Whether Davidson's likelihood has a finite maximum on a strongly connected part.

    It has none when strengths and the tie parameter can grow together without any vote getting
    less probable: every win by a gap of at least 2 (in units of the growing parameter), every tie
    within a gap of 2. These are difference constraints, so they can be met unless the graph of
    their bounds has a negative cycle.

    Args:
        wins: votes in which the row beat the column, shape (m, m).
        ties: votes that were ties, symmetric, shape (m, m).
    """
    if not ties.any():
        return True  # the tie parameter is 0, and what is left is Bradley-Terry
    bounds = np.where(wins > 0, -2.0, np.where(ties > 0, 2.0, 0.0))
    try:
        bellman_ford(csr_array(bounds), directed=True)
    except NegativeCycleError:
        return True
    return False
