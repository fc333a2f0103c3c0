"""Optimal assignment: least total cost, with expensive pairs left out."""

import numpy as np
import pytest

from generator.foal.world.assignment import assign


def test_the_total_cost_is_minimal_rather_than_each_pair() -> None:
    # Greedy matching would take the 0 and then have to pay 9.
    assert assign(np.array([[0.0, 1.0], [2.0, 9.0]])) == {0: 1, 1: 0}


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (np.array([[1.0, 5.0, 2.0]]), {0: 0}),
        (np.array([[3.0], [1.0]]), {1: 0}),
        (np.zeros((0, 3)), {}),
        (np.zeros((2, 0)), {}),
    ],
)
def test_rows_and_columns_may_differ_in_number(cost: np.ndarray, expected: dict[int, int]) -> None:
    assert assign(cost) == expected


def test_pairs_at_the_maximum_cost_are_left_out() -> None:
    assert assign(np.array([[1.0, 9.0], [9.0, 4.0]]), max_cost=4.0) == {0: 0}
