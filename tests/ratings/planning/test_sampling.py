"""Probabilities of the next pair have a floor, and favour newcomers and the top."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ratings
from ratings.planning.sampling import _covariance, _variance_reduction


def counted(counts):
    counts = np.asarray(counts, dtype=float)
    return ratings.Battles.from_counts([f"m{i}" for i in range(counts.shape[1])], counts)


def settled(random, *, models=8, votes=400, sd=100, newcomers=1):
    """Votes on all pairs without newcomers, which are the last models."""
    strengths = random.normal(0, sd * np.log(10) / 400, models)
    counts = np.zeros((4, models, models))
    for i in range(models - newcomers):
        for j in range(i + 1, models - newcomers):
            chance = 1 / (1 + np.exp(strengths[j] - strengths[i]))
            won = random.binomial(votes, chance)
            counts[:2, i, j] = won, votes - won
    return counts


tables = st.integers(2, 6).flatmap(
    lambda size: st.lists(st.integers(0, 9), min_size=4 * size**2, max_size=4 * size**2).map(
        lambda flat: np.reshape(flat, (4, size, size)) * (1 - np.eye(size))
    )
)


@settings(max_examples=60, deadline=None)
@given(tables, st.floats(0.05, 1))
def test_probabilities_are_probabilities_with_a_floor(counts, explore):
    result = ratings.pair_probabilities(counted(counts), explore=explore)
    chance = result.probability.to_numpy()
    pairs = len(chance) * (len(chance) - 1) / 2
    assert (chance == chance.T).all()
    assert (np.diag(chance) == 0).all()
    assert chance.sum() / 2 == pytest.approx(1)
    off = ~np.eye(len(chance), dtype=bool)
    assert (chance[off] >= explore / pairs * (1 - 1e-9)).all()
    assert result.share.sum() == pytest.approx(2)
    assert result.share.min() >= 2 * explore / len(chance) * (1 - 1e-9)


@settings(max_examples=30, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_models_carries_no_information(counts, random):
    order = list(range(counts.shape[1]))
    random.shuffle(order)
    battles = counted(counts)
    moved = ratings.Battles.from_counts(
        [battles.models[i] for i in order], counts[:, order][:, :, order]
    )
    first, second = (ratings.pair_probabilities(each, explore=0.1) for each in (battles, moved))
    again = second.probability.loc[list(battles.models), list(battles.models)]
    # Draws for the first place differ between the orders.
    assert np.abs(again.to_numpy() - first.probability.to_numpy()).max() < 0.12


def test_a_newcomer_gets_most_battles_until_it_is_known():
    counts = settled(np.random.default_rng(1), models=10)
    result = ratings.pair_probabilities(counted(counts))
    assert result.share["m9"] > 0.85
    counts[0, 9, :9] = counts[1, 9, :9] = 300
    assert ratings.pair_probabilities(counted(counts)).share["m9"] < 0.4


def test_candidates_for_an_uncertain_first_place_meet():
    counts = settled(np.random.default_rng(3), models=8, newcomers=0)
    fit = ratings.bradley_terry(counted(counts))
    first, second, *_, last = fit.ratings.sort_values(ascending=False).index
    index = {name: i for i, name in enumerate(counted(counts).models)}
    near = counts.copy()
    near[:, index[first]], near[:, :, index[first]] = 0, 0
    near[0, index[first], index[second]] = near[1, index[first], index[second]] = 40
    chance = ratings.pair_probabilities(counted(near)).probability
    assert chance.loc[first, second] > 3 * chance.loc[first, last]


def test_pairs_without_votes_are_nearly_uniform():
    off = ~np.eye(6, dtype=bool)
    chance = ratings.pair_probabilities(counted(np.zeros((4, 6, 6)))).probability.to_numpy()
    assert chance[off] == pytest.approx(1 / 15, rel=0.05)
    uniform = ratings.pair_probabilities(counted(np.zeros((4, 6, 6))), rule="uniform")
    assert uniform.probability.to_numpy()[off] == pytest.approx(1 / 15)
    assert uniform.explore == 1


def test_only_available_pairs_have_a_probability():
    counts = settled(np.random.default_rng(2), models=6)
    available = np.ones((6, 6), dtype=bool)
    available[5, :3] = available[:3, 5] = False
    result = ratings.pair_probabilities(counted(counts), available=available)
    assert (result.probability.to_numpy()[~available] == 0).all()
    assert result.probability.to_numpy().sum() / 2 == pytest.approx(1)
    none = ratings.pair_probabilities(counted(counts), available=np.zeros((6, 6)))
    assert none.probability.to_numpy().sum() == 0
    with pytest.raises(ratings.OptionError, match="no pair of models can be shown"):
        none.draw(np.random.default_rng(0))


def test_a_newcomer_is_placed_before_a_close_first_place_is_settled():
    counts = settled(np.random.default_rng(1), models=10, sd=0)  # all may be first
    assert ratings.pair_probabilities(counted(counts), explore=0.05).share["m9"] > 0.9


@pytest.mark.parametrize("votes", [0, 20])
def test_a_retired_model_that_is_hardly_known_changes_no_probability(votes):
    counts = settled(np.random.default_rng(8), models=6, newcomers=0)
    retired = np.zeros((4, 7, 7))
    retired[:, :6, :6] = counts
    retired[0, 6, 0] = votes
    available = np.ones((7, 7), dtype=bool)
    available[6] = available[:, 6] = False
    found = ratings.pair_probabilities(counted(retired), available=available).probability
    alone = ratings.pair_probabilities(counted(counts)).probability
    assert found.to_numpy()[:6, :6] == pytest.approx(alone.to_numpy(), abs=0.1)


def test_pairs_are_drawn_with_the_reported_probability():
    counts = settled(np.random.default_rng(4), models=4)
    result = ratings.pair_probabilities(counted(counts))
    random = np.random.default_rng(5)
    drawn = pd.Series([result.draw(random) for _ in range(4000)]).value_counts(normalize=True)
    for (left, right, chance), share in drawn.items():
        assert result.probability.loc[left, right] == chance
        assert share == pytest.approx(chance, abs=4 * np.sqrt(chance / 4000))


def test_weights_undo_uneven_draws():
    """Pairs with more ties are drawn more often; the weighted tie rate is that over all pairs."""
    random = np.random.default_rng(6)
    chance = np.array([0.6, 0.3, 0.1])
    tie_rate = np.array([0.5, 0.2, 0.05])
    pair = random.choice(3, size=40_000, p=chance)
    tied = random.random(40_000) < tie_rate[pair]
    weights = ratings.inverse_probability_weights(pd.Series(chance[pair]))
    assert weights.mean() == pytest.approx(1)
    assert np.average(tied, weights=weights) == pytest.approx(tie_rate.mean(), abs=0.01)


def test_invalid_options_are_refused():
    battles = counted(np.zeros((4, 3, 3)))
    for options, message in [
        ({"rule": "swiss"}, "adaptive, uniform, not 'swiss'"),
        ({"explore": 0}, "explore must be above 0"),
        ({"available": np.ones((2, 2))}, r"symmetric, of the shape \(3, 3\)"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            ratings.pair_probabilities(battles, **options)
    with pytest.raises(ratings.OptionError, match="row 2: probability is nan"):
        ratings.inverse_probability_weights(pd.Series([0.5, None]))


@pytest.mark.parametrize("models", [0, 1, 2])
def test_few_models(models):
    result = ratings.pair_probabilities(counted(np.zeros((4, models, models))))
    assert result.probability.to_numpy().sum() == (2 if models == 2 else 0)


def test_the_variance_reduction_is_that_of_adding_the_information_of_a_vote():
    """By inverting the information with and without one vote on each pair."""
    counts = settled(np.random.default_rng(7), models=5, votes=30)
    fit = ratings.bradley_terry(counted(counts), prior_sd=400.0)
    covariance = _covariance(fit)
    strengths, variance = fit.params[:5], np.diag(covariance)
    rank = 1 + (strengths[:, None] < strengths[None, :]).sum(axis=1)
    weight = variance**2 * rank**-0.25
    expected = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            if i == j:
                continue
            contrast = np.eye(5)[i] - np.eye(5)[j]
            pair_variance = contrast @ covariance @ contrast
            shrunk = (strengths[i] - strengths[j]) / np.sqrt(1 + np.pi / 8 * pair_variance)
            chance = 1 / (1 + np.exp(-shrunk))
            vote = chance * (1 - chance) * np.outer(contrast, contrast)
            later = np.linalg.pinv(np.linalg.pinv(covariance) + vote)
            expected[i, j] = weight @ (variance - np.diag(later))
    assert _variance_reduction(fit, covariance, np.ones(5, dtype=bool)) == pytest.approx(
        expected / expected.max(), abs=1e-6
    )
