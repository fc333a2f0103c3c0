"""Where Bradley-Terry fits nothing is found, and where preferences go round it is."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import baseball
import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH
from ratings.goodness import _cycles, _majorities


def checked(frame, **options):
    return ratings.goodness_of_fit(ratings.Battles.from_frame(frame), **options)


def test_the_deviance_of_baseball_1987_is_the_published_one(votes_of):
    """Turner and Firth (2012), section 5: 38.64 on 35 degrees of freedom with home advantage.

    Agresti (2002), section 10.6.1, prints 15.7 on 15 for the 21 pairs without it.
    """
    frame = votes_of(baseball.games())
    found = checked(frame, side=True, rounds=50)
    assert (found.deviance, found.freedom) == (pytest.approx(38.64, abs=5e-3), 35)
    found = checked(frame, rounds=50)
    assert (found.deviance, found.freedom) == (pytest.approx(15.7, abs=5e-2), 15)


def test_p_values_are_uniform_where_the_model_is_true(simulate_votes):
    random = np.random.default_rng(3)
    found = [
        checked(simulate_votes([0, 80, -60, 150, 20], 120, nu=0.3, random=random), rounds=150)
        for _ in range(120)
    ]
    assert kstest([each.p for each in found], "uniform").pvalue > 0.01
    assert np.mean([each.dispersion for each in found]) == pytest.approx(1, abs=0.1)
    residuals = np.concatenate([each.pairs["residual"].to_numpy() for each in found])
    assert np.std(residuals) == pytest.approx(1, abs=0.06)
    assert np.mean([(each.pairs["q"] < 0.05).any() for each in found]) < 0.12


def test_preferences_that_go_round_are_found(votes_of):
    circle = {("A", "B"): (70, 30, 5), ("B", "C"): (70, 30, 5), ("C", "A"): (70, 30, 5)}
    found = checked(votes_of(circle))
    assert found.p < 0.01
    assert (found.triads, found.circular) == (1, 1)
    assert found.p_circular < 0.6  # equal strengths go round in a quarter of all cases
    straight = {("A", "B"): (70, 30, 5), ("B", "C"): (70, 30, 5), ("A", "C"): (84, 16, 5)}
    found = checked(votes_of(straight))
    assert found.p > 0.2
    assert found.circular == 0


def test_the_pair_that_is_wrong_is_named(simulate_votes):
    random = np.random.default_rng(5)
    frame = simulate_votes(np.linspace(0, 300, 8), 6000, nu=0.0, random=random)
    pair = frame["model_a"].isin(["m6", "m1"]) & frame["model_b"].isin(["m6", "m1"])
    lost = np.where(frame["model_a"] == "m6", "model_b", "model_a")
    frame["winner"] = frame["winner"].where(~pair, pd.Series(lost, index=frame.index))
    worst = checked(frame, rounds=100).pairs.iloc[0]
    assert {worst["model"], worst["other"]} == {"m1", "m6"}
    assert worst["q"] < 1e-6


def test_circular_triads_are_those_of_a_count_by_hand():
    random = np.random.default_rng(7)
    wins, votes = random.integers(0, 6, (2, 15))
    left, right = np.triu_indices(6, 1)
    total = (wins + votes).astype(float)
    majority, triads = _majorities(wins.astype(float), total, left, right, 6)
    lead = {(i, j): 2 * w - t for i, j, w, t in zip(left, right, wins, total, strict=True)}
    lead |= {(j, i): -x for (i, j), x in lead.items()}
    full = [t for t in itertools.combinations(range(6), 3)
            if all(lead[p] for p in itertools.combinations(t, 2))]  # fmt: skip
    circles = [t for t in full if len({lead[t[0], t[1]] > 0, lead[t[1], t[2]] > 0,
                                       lead[t[2], t[0]] > 0}) == 1]  # fmt: skip
    assert (triads, _cycles(majority)) == (len(full), len(circles))


def test_held_out_votes_are_predicted_as_well_as_they_can_be(simulate_votes):
    random = np.random.default_rng(8)
    truth = np.array([0.0, 150, 300, -200])
    frame = simulate_votes(truth, 6000, nu=0.0, random=random)
    frame["voter"] = random.integers(200, size=6000)
    found = ratings.held_out(ratings.Battles.from_frame(frame))
    gap = np.abs(truth[:, None] - truth[None, :])[~np.eye(4, dtype=bool)] / ELO_PER_STRENGTH
    best = 1 / (1 + np.exp(-gap))
    entropy = -(best * np.log(best) + (1 - best) * np.log(1 - best))
    assert found.accuracy.value == pytest.approx(best.mean(), abs=0.02)
    assert found.log_loss.lower < entropy.mean() < found.log_loss.upper
    assert found.log_loss.value < np.log(2)
    assert found.accuracy.votes == 6000
    assert found.cluster == "voter"


def test_ratings_do_not_predict_voters_who_toss_a_coin(simulate_votes):
    frame = simulate_votes([0, 0, 0], 3000, nu=0.0, random=np.random.default_rng(9))
    found = ratings.held_out(ratings.Battles.from_frame(frame))
    assert found.accuracy.lower < 0.5 < found.accuracy.upper
    assert found.log_loss.upper > np.log(2)


def test_nothing_to_test(votes_of):
    for counts in ({}, {("A", "B"): (3, 0, 0)}, {("A", "B"): (3, 2, 1)}):
        battles = ratings.Battles.from_frame(votes_of(counts))
        found = ratings.goodness_of_fit(battles, rounds=20)
        assert np.isnan(found.p)
        assert found.freedom == 0
        assert ratings.held_out(battles, folds=3).accuracy.votes <= 5
    with pytest.raises(ratings.OptionError, match="1 round or more"):
        checked(votes_of({}), rounds=0)
    with pytest.raises(ratings.OptionError, match="at least 2 folds"):
        ratings.held_out(battles, folds=1)
