"""Ranks, and rank sets that hold jointly."""

import numpy as np
import pytest

from ratings.inference.ranks import interval_ranks, rank_sets


def test_ranks_count_only_models_significantly_above():
    lower = np.array([1100.0, 1080, 990, 900])
    upper = np.array([1200.0, 1120, 1090, 950])
    assert interval_ranks(lower, upper).tolist() == [1, 1, 2, 4]


def test_rank_sets_by_hand():
    """Independent, standard error 1 each: z = gap / sqrt(2).

    Of the 6 one-sided tests at 5% Holm asks for p <= .05/6 = .0083 (z 2.39), then .05/5 (z 2.33)
    and .05/4 (z 2.24). The gaps 6 and 4.6 pass (z 4.24, 3.25); 1.4 does not.
    """
    best, worst = rank_sets(np.array([6.0, 4.6, 0]), np.eye(3), confidence=0.95)
    assert best.tolist() == [1, 1, 3]
    assert worst.tolist() == [2, 2, 3]


def test_holm_rejects_more_than_bonferroni():
    """z of the three gaps: 2.36 is under Bonferroni's 2.39, but over Holm's second 2.33."""
    covariance = np.eye(3) / 2
    best, worst = rank_sets(np.array([2.36 + 2.35, 2.36, 0]), covariance, confidence=0.95)
    assert best.tolist() == [1, 2, 3]
    assert worst.tolist() == [1, 2, 3]


def test_correlated_ratings_can_be_separated():
    """Strongly correlated ratings: wide intervals, yet the order is certain."""
    covariance = np.full((2, 2), 100.0) + np.eye(2) * 0.01
    best, worst = rank_sets(np.array([1.0, 0]), covariance, confidence=0.95)
    assert (best.tolist(), worst.tolist()) == ([1, 2], [1, 2])


def test_zero_variance_separates_nothing():
    best, worst = rank_sets(np.array([5.0, 0]), np.zeros((2, 2)), confidence=0.95)
    assert (best.tolist(), worst.tolist()) == ([1, 1], [2, 2])


@pytest.mark.parametrize("size", [0, 1])
def test_no_model_and_a_single_one(size):
    best, worst = rank_sets(np.zeros(size), np.zeros((size, size)), confidence=0.95)
    assert best.tolist() == worst.tolist() == [1] * size


@pytest.mark.parametrize("truth", [np.zeros(5), np.array([0.0, 0, 1, 2, 8])])
def test_rank_sets_hold_jointly(truth):
    random = np.random.default_rng(4)
    rounds = 1000
    best_rank = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    worst_rank = len(truth) - (truth[None, :] < truth[:, None]).sum(axis=1)
    held = 0
    for _ in range(rounds):
        best, worst = rank_sets(random.normal(truth), np.eye(len(truth)), confidence=0.9)
        held += bool(((best <= worst_rank) & (worst >= best_rank)).all())
    assert held / rounds >= 0.9


def test_holm_stops_at_the_first_failure():
    """The ends pass; z 2.30 misses the second bar, 2.33, so 2.29 never meets the third, 2.24."""
    best, worst = rank_sets(np.array([2.30 + 2.29, 2.29, 0]), np.eye(3) / 2, confidence=0.95)
    assert best.tolist() == [1, 1, 2]
    assert worst.tolist() == [2, 3, 3]
