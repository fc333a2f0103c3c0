"""Ratings of a part of the votes against the rest: when they depart, and how rarely by chance."""

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.diagnostics.slices import SLICE_COLUMNS, holm

MODELS = np.array(["Ada", "Bell", "Cora", "Dart", "Ely"])
TRUE = np.array([1100.0, 1050.0, 1000.0, 950.0, 900.0])


def draw(
    rng: np.random.Generator,
    *,
    votes: int = 3000,
    voters: int = 150,
    held_out: float = 0.2,
    taste: float = 0.0,
    lift: float = 0.0,
) -> tuple[ratings.Battles, np.ndarray]:
    """Votes, a share of them in the part; `lift` is what the rest adds to the last model."""
    left = rng.integers(0, len(MODELS), votes)
    right = (left + rng.integers(1, len(MODELS), votes)) % len(MODELS)
    voter = rng.integers(0, voters, votes)
    inside = rng.random(votes) < held_out
    tastes = rng.normal(0, taste, (voters, len(MODELS)))
    strength = TRUE + tastes[voter] + np.where(inside, 0, lift)[:, None] * (MODELS == "Ely")
    rows = np.arange(votes)
    gap = strength[rows, left] - strength[rows, right]
    won = rng.random(votes) < 1 / (1 + 10 ** (-gap / 400))
    winner = np.where(rng.random(votes) < 0.15, "tie", np.where(won, "model_a", "model_b"))
    frame = pd.DataFrame(
        {
            "model_a": MODELS[left],
            "model_b": MODELS[right],
            "winner": winner,
            "voter": voter.astype(str),
        }
    )
    return ratings.Battles.from_frame(frame), inside


def test_a_model_that_only_the_rest_lifts_departs() -> None:
    battles, inside = draw(np.random.default_rng(1), votes=8000, lift=150)
    found = ratings.compare_slices(battles, inside)
    assert list(found.models.columns) == list(SLICE_COLUMNS)
    assert "Ely" in found.departing
    ely = found.models.set_index("model").loc["Ely"]
    assert ely["difference"] < ely["upper"] < 0
    assert (found.votes, found.votes_rest) == (int(inside.sum()), int((~inside).sum()))
    assert found.models["difference"].sum() == pytest.approx(0, abs=1e-6)
    assert found.cluster == "voter"


def test_the_ratings_are_those_of_each_part() -> None:
    battles, inside = draw(np.random.default_rng(2))
    found = ratings.compare_slices(battles, inside).models.set_index("model")
    for column, part in (("rating", inside), ("rating_rest", ~inside)):
        alone = ratings.Battles.from_frame(battles.frame[part])
        fitted = ratings.bradley_terry(alone).ratings
        np.testing.assert_allclose(found[column], (fitted - fitted.mean())[found.index], atol=1e-6)
    counts = battles.frame.loc[inside, ["model_a", "model_b"]].stack().value_counts()
    assert (found["votes"] == counts[found.index]).all()


def test_the_variance_is_that_of_two_fits_if_no_voter_is_in_both() -> None:
    rng = np.random.default_rng(3)
    battles, _ = draw(rng, voters=3000)
    inside = battles.frame["voter"].astype(int).to_numpy() % 2 == 0
    found = ratings.compare_slices(battles, inside).models.set_index("model")
    variance = 0
    for part in (inside, ~inside):
        alone = ratings.Battles.from_frame(battles.frame[part])
        variance += ratings.intervals(alone, ratings.bradley_terry(alone)).variance[found.index]
    half = (found["upper"] - found["lower"]) / 2
    np.testing.assert_allclose(half, 1.96 * np.sqrt(variance), rtol=0.02)


@pytest.mark.parametrize("taste", [0.0, 150.0])
def test_false_alarms_are_as_rare_as_promised(taste: float) -> None:
    """Also where voters have tastes of their own, which the same voters bring to both parts."""
    rng = np.random.default_rng(4)
    rounds = 200
    alarms = sum(
        bool(ratings.compare_slices(*draw(rng, votes=1500, voters=60, taste=taste)).departing)
        for _ in range(rounds)
    )
    assert alarms / rounds <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / rounds)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper", "drop"])
def test_every_rule_of_ties_works(ties: str) -> None:
    battles, inside = draw(np.random.default_rng(5))
    found = ratings.compare_slices(battles, inside, ties=ties)
    assert found.models["p_holm"].between(0, 1).all()


def test_without_two_models_in_both_parts_nothing_is_compared() -> None:
    battles, inside = draw(np.random.default_rng(6))
    for part in (np.zeros_like(inside), np.ones_like(inside)):
        found = ratings.compare_slices(battles, part)
        assert found.models.empty
        assert found.departing == []


def test_wrong_options_are_refused() -> None:
    battles, inside = draw(np.random.default_rng(7), votes=200)
    with pytest.raises(ratings.OptionError, match="3 values for 200 votes"):
        ratings.compare_slices(battles, inside[:3])
    with pytest.raises(ratings.OptionError, match="confidence"):
        ratings.compare_slices(battles, inside, confidence=1)


def test_holm_multiplies_by_the_tests_that_are_left() -> None:
    corrected = holm(np.array([0.01, np.nan, 0.04, 0.03]))
    np.testing.assert_allclose(corrected, [0.03, np.nan, 0.06, 0.06])
