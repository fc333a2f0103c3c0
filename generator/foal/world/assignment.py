"""Optimal assignment of detections to tracks, shared by the measures and the scene encoder."""

import math

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(cost: np.ndarray, *, max_cost: float = math.inf) -> dict[int, int]:
    """Assign rows to columns with the least total cost (Hungarian algorithm).

    Args:
        cost: of each pair, shape (rows, columns).
        max_cost: pairs that cost as much or more are left out of the result.

    Returns:
        The column of each assigned row, in the order of the rows.
    """
    if not cost.size:
        return {}
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return {int(row): int(column) for row, column in pairs if cost[row, column] < max_cost}
