"""Tests of fit reject circular preferences and wrong pairs, and no model that is true."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import baseball
import ratings
from ratings.diagnostics.goodness import consistency, count_circles
from ratings.model.bradley_terry import ELO_PER_STRENGTH


def checked(frame, **options):
    return ratings.goodness_of_fit(ratings.Battles.from_frame(frame), **options)


@pytest.mark.parametrize(("side", "printed", "df"), [(True, 38.643, 35), (False, 15.7, 15)])
def test_the_deviance_of_baseball_1987_is_the_published_one(votes_of, side, printed, df):
    """BradleyTerry2's saved output of its test baseball.R prints 38.643 on 35 with home advantage.

    Agresti (2002), section 10.6.1, prints 15.7 on 15 for the 21 pairs without it.
    """
    result = checked(votes_of(baseball.games()), side=side, rounds=50)
    half_digit = 5e-4 if side else 5e-2
    assert (result.deviance, result.df) == (pytest.approx(printed, abs=half_digit), df)
    assert result.dispersion == 1
    assert result.cluster is None


def test_p_values_are_uniform_where_the_model_is_true(simulate_votes):
    random = np.random.default_rng(3)
    result = [
        checked(simulate_votes([0, 80, -60, 150, 20], 120, nu=0.3, random=random), rounds=150)
        for _ in range(120)
    ]
    assert kstest([each.p for each in result], "uniform").pvalue > 0.01
    residuals = np.concatenate([each.pairs["residual"].to_numpy() for each in result])
    assert np.std(residuals) == pytest.approx(1, abs=0.06)
    assert np.mean([(each.pairs["q"] < 0.05).any() for each in result]) < 0.12


def test_circular_preferences_are_rejected(votes_of):
    circle = {("A", "B"): (70, 30, 5), ("B", "C"): (70, 30, 5), ("C", "A"): (70, 30, 5)}
    result = checked(votes_of(circle))
    assert result.p < 0.01
    assert (result.triads, result.circular, result.zeta) == (1, 1, 0)
    assert result.circularity_confidence > 0.99
    assert result.circularity_confidence_expected < 0.1
    assert result.p_circular < 0.01
    straight = {("A", "B"): (70, 30, 5), ("B", "C"): (70, 30, 5), ("A", "C"): (84, 16, 5)}
    result = checked(votes_of(straight))
    assert result.p > 0.2
    assert (result.circular, result.circularity_confidence, result.zeta) == (0, 0, 1)


def test_a_circle_among_many_models_is_significant(simulate_votes):
    """Three of eight models are in a circle, which is little for the deviance of 28 pairs."""
    frame = simulate_votes(np.repeat([0, 250, 600], [3, 3, 2]), 3000, nu=0.0,
                           random=np.random.default_rng(11))  # fmt: skip
    names = {("m0", "m1"), ("m1", "m2"), ("m2", "m0")}
    pairs = list(zip(frame["model_a"], frame["model_b"], strict=True))
    better = np.array([1 if p in names else -1 if p[::-1] in names else 0 for p in pairs])
    won = np.random.default_rng(12).random(len(frame)) < 0.5 + 0.25 * better
    drawn = np.where(won, "model_a", "model_b")
    frame["winner"] = frame["winner"].where(better == 0, pd.Series(drawn, index=frame.index))
    result = checked(frame, rounds=300)
    assert result.p_circular < 0.02
    assert result.circularity_confidence > 0.95


def test_the_circles_of_a_dogs_choices_are_the_published_ones():
    """Kendall and Babington Smith (1940), p. 326: a dog's choices among six foods, d = 5.

    Their zeta is 1 - 5/8; by chance 20/4 of the triads are expected to be circular.
    """
    chose = [
        [0, 1, 1, 0, 1, 1],
        [0, 0, 0, 1, 1, 0],
        [0, 1, 0, 1, 1, 1],
        [1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 1],
        [0, 1, 0, 1, 0, 0],
    ]
    left, right = np.triu_indices(6, 1)
    lead = np.array(chose)[left, right] * 2.0 - 1
    result = count_circles(lead, np.ones(15), left, right, 6)
    assert (result.triads, float(result.circular)) == (20, 5)
    assert consistency(float(result.circular), 6) == pytest.approx(0.375)
    table = [(f"m{i}", f"m{j}", "model_a") for i in range(6) for j in range(6) if chose[i][j]]
    frame = pd.DataFrame(table, columns=["model_a", "model_b", "winner"])
    assert checked(frame, rounds=20).zeta == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("models", "ways"), [(3, [6, 2]), (4, [24, 16, 24]), (5, [120, 120, 240, 240, 280, 24])]
)
def test_the_distribution_of_circles_is_that_of_kendall_and_babington_smith(models, ways):
    left, right = np.triu_indices(models, 1)
    tables = np.array(list(itertools.product([-1.0, 1.0], repeat=len(left))))
    result = count_circles(tables, np.ones(len(left)), left, right, models).circular
    assert np.bincount(result.round().astype(int)).tolist() == ways
    assert consistency(result.max(), models) == pytest.approx(0)


def test_the_pair_that_does_not_fit_has_the_largest_residual(simulate_votes):
    random = np.random.default_rng(5)
    frame = simulate_votes(np.linspace(0, 300, 8), 6000, nu=0.0, random=random)
    pair = frame["model_a"].isin(["m6", "m1"]) & frame["model_b"].isin(["m6", "m1"])
    lost = np.where(frame["model_a"] == "m6", "model_b", "model_a")
    frame["winner"] = frame["winner"].where(~pair, pd.Series(lost, index=frame.index))
    worst = checked(frame, rounds=100).pairs.iloc[0]
    assert {worst["model"], worst["other"]} == {"m1", "m6"}
    assert worst["q"] < 1e-6


def specialists(random, *, taste):
    """Each of 168 voters only votes on one pair of eight models, and their tastes differ."""
    strength = np.linspace(-150, 150, 8) / ELO_PER_STRENGTH
    left, right = np.triu_indices(8, 1)
    voter = random.integers(6 * len(left), size=2500)
    pair = voter // 6
    log_odds = (strength[left] - strength[right])[pair] + random.normal(0, taste, 168)[voter]
    won = random.random(2500) < 1 / (1 + np.exp(-log_odds))
    return pd.DataFrame(
        {
            "model_a": np.char.add("m", left.astype(str))[pair],
            "model_b": np.char.add("m", right.astype(str))[pair],
            "winner": np.where(won, "model_a", "model_b"),
            "voter": voter,
        }
    )


def test_voters_with_a_single_pair_each_do_not_cause_rejections():
    """Of these 60 tables 93% are rejected by vote, and 5% by voter."""
    tables = [specialists(np.random.default_rng(seed), taste=0.8) for seed in range(60)]
    by_voter = [checked(frame, rounds=100) for frame in tables]
    by_vote = [checked(frame.drop(columns="voter"), rounds=100) for frame in tables[:20]]
    assert np.mean([result.p < 0.05 for result in by_vote]) > 0.6
    assert np.mean([result.p < 0.05 for result in by_voter]) < 0.17  # 3.5 binomial deviations
    assert np.mean([(result.pairs["q"] < 0.05).any() for result in by_voter]) < 0.17
    assert {result.cluster for result in by_voter} == {"voter"}
    assert np.mean([result.dispersion for result in by_voter]) > 1.5


def test_voters_with_one_vote_each_give_the_same_as_no_voters(simulate_votes):
    frame = simulate_votes([0, 80, -60, 150], 3000, nu=0.3, random=np.random.default_rng(4))
    result = checked(frame.assign(voter=np.arange(3000)), rounds=50)
    plain = checked(frame, rounds=50)
    assert result.dispersion == pytest.approx(1, abs=0.01)
    assert result.pairs.sort_index()["residual"].to_numpy() == pytest.approx(
        plain.pairs.sort_index()["residual"].to_numpy(), rel=0.1
    )


def test_a_wrong_model_is_not_mistaken_for_differences_between_voters(votes_of):
    """Five voters agree on a circle."""
    circle = {("A", "B"): (14, 6, 0), ("B", "C"): (14, 6, 0), ("C", "A"): (14, 6, 0)}
    one = votes_of(circle)
    frame = pd.concat([one.assign(voter=voter) for voter in range(5)], ignore_index=True)
    assert checked(frame).p < 0.01


def test_the_scale_of_weights_changes_nothing(simulate_votes):
    random = np.random.default_rng(6)
    frame = simulate_votes([0, 80, -60, 150], 600, nu=0.0, random=random)
    frame["weight"] = random.uniform(0.2, 3, 600)
    one = checked(frame, rounds=60)
    ten = checked(frame.assign(weight=10 * frame["weight"]), rounds=60)
    assert ten.deviance == pytest.approx(one.deviance)
    assert ten.p == one.p
    assert ten.pairs["residual"].to_numpy() == pytest.approx(one.pairs["residual"].to_numpy())


def test_unequal_weights_do_not_cause_rejections(simulate_votes):
    random = np.random.default_rng(7)
    result = []
    for _ in range(60):
        frame = simulate_votes([0, 80, -60, 150, 20], 600, nu=0.0, random=random)
        result.append(checked(frame.assign(weight=random.uniform(0.05, 3, 600)), rounds=80))
    assert np.mean([each.p < 0.05 for each in result]) < 0.17
    assert np.std(np.concatenate([each.pairs["residual"] for each in result])) < 1.1


def test_a_single_upset_is_not_significant(simulate_votes):
    """Many pairs have one or two votes: the normal would flag a pair in most tables."""
    random = np.random.default_rng(8)
    flagged = [
        (checked(frame, rounds=1).pairs["q"] < 0.05).any()
        for frame in (
            simulate_votes(np.linspace(-400, 400, 20), 400, nu=0.0, random=random)
            for _ in range(30)
        )
    ]
    assert np.mean(flagged) < 0.2


def test_circular_triads_agree_with_enumeration():
    """An even pair is decided by a coin: the expectation over its outcomes."""
    random = np.random.default_rng(7)
    left, right = np.triu_indices(6, 1)
    lead = random.integers(-2, 3, (4, 15)).astype(float)
    result = count_circles(lead, np.ones(15), left, right, 6)
    for row, circular in zip(lead, result.circular, strict=True):
        total = 0.0
        for three in itertools.combinations(range(6), 3):
            i, j, k = three
            ahead = {}
            for a, b, x in zip(left, right, row, strict=True):
                ahead[a, b], ahead[b, a] = (1 + np.sign(x)) / 2, (1 - np.sign(x)) / 2
            total += ahead[i, j] * ahead[j, k] * ahead[k, i]
            total += ahead[j, i] * ahead[k, j] * ahead[i, k]
        assert circular == pytest.approx(total)
    assert result.triads == 20


def test_held_out_votes_are_predicted_nearly_optimally(simulate_votes):
    random = np.random.default_rng(8)
    truth = np.array([0.0, 150, 300, -200])
    frame = simulate_votes(truth, 6000, nu=0.0, random=random)
    frame["voter"] = random.integers(200, size=6000)
    result = ratings.held_out(ratings.Battles.from_frame(frame))
    difference = np.abs(truth[:, None] - truth[None, :])[~np.eye(4, dtype=bool)]
    best = 1 / (1 + np.exp(-difference / ELO_PER_STRENGTH))
    entropy = -(best * np.log(best) + (1 - best) * np.log(1 - best))
    assert result.accuracy.value == pytest.approx(best.mean(), abs=0.02)
    assert result.log_loss.lower < entropy.mean() < result.log_loss.upper
    assert result.log_loss.value < np.log(2)
    assert result.accuracy.votes == 6000
    assert result.expected == pytest.approx(result.accuracy.value, abs=0.02)
    assert result.cluster == "voter"


def test_held_out_probabilities_are_those_of_the_tie_rule(simulate_votes):
    """Given that a side won, Rao and Kupper's odds depend on theta: two folds computed directly."""
    frame = simulate_votes([0, 200, 400], 1200, nu=1.5, random=np.random.default_rng(10))
    battles = ratings.Battles.from_frame(frame)
    fold = np.random.default_rng(0).permutation(1200) % 2
    losses = []
    for number in range(2):
        others = ratings.Battles.from_frame(frame[fold != number])
        fit = ratings.bradley_terry(others, "rao-kupper")
        worth = np.exp(fit.ratings / ELO_PER_STRENGTH)
        for row in frame[(fold == number) & (frame["winner"] != "tie")].itertuples():
            a, b = worth[row.model_a], worth[row.model_b]
            left = a / (a + fit.tie_parameter * b)
            right = b / (b + fit.tie_parameter * a)
            chance = left if row.winner == "model_a" else right
            losses.append(-np.log(chance / (left + right)))
    result = ratings.held_out(battles, ties="rao-kupper", folds=2)
    assert result.log_loss.value == pytest.approx(np.mean(losses), abs=1e-6)
    assert result.log_loss.votes == len(losses)


def test_ratings_do_not_predict_coin_tosses(simulate_votes):
    frame = simulate_votes([0, 0, 0], 3000, nu=0.0, random=np.random.default_rng(9))
    result = ratings.held_out(ratings.Battles.from_frame(frame))
    assert result.accuracy.lower < 0.5 < result.accuracy.upper
    assert result.log_loss.upper > np.log(2)


def test_tables_that_are_too_small_to_test(votes_of):
    for counts in ({}, {("A", "B"): (3, 0, 0)}, {("A", "B"): (3, 2, 1)}):
        battles = ratings.Battles.from_frame(votes_of(counts))
        result = ratings.goodness_of_fit(battles, rounds=20)
        assert np.isnan(result.p)
        assert result.df == 0
        assert ratings.held_out(battles, folds=3).accuracy.votes <= 5
    with pytest.raises(ratings.OptionError, match="1 round or more"):
        checked(votes_of({}), rounds=0)
    with pytest.raises(ratings.OptionError, match="at least 2 folds"):
        ratings.held_out(battles, folds=1)
