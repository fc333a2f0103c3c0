"""The number of votes that is promised delivers the power that was asked for."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import ratings
from ratings.bradley_terry import ELO_PER_STRENGTH
from ratings.power import assurance, conditional_power, votes_for_power


def planned(frame, ties="half", *, cluster=None, **options):
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles, ties)
    spread = ratings.intervals(battles, fit, cluster=cluster)
    return battles, fit, spread, ratings.plan(battles, fit, spread, **options)


@pytest.fixture
def some_votes(simulate_votes):
    return simulate_votes([0, 60, 75, -60], 2000, nu=0.4, random=np.random.default_rng(8))


def test_conditional_power_and_assurance_are_those_of_a_simulation():
    random = np.random.default_rng(0)
    gap, held, added, z = 20.0, 1 / 15**2, 1 / 12**2, norm.ppf(0.975)
    final_error = 1 / np.sqrt(held + added)
    for spread, expected in [(0.0, conditional_power), (15.0, assurance)]:
        truth = gap + spread * random.standard_normal(200_000)
        more = truth + 12 * random.standard_normal(200_000)
        final = (held * gap + added * more) / (held + added)
        share = (np.abs(final) > z * final_error).mean()
        assert share == pytest.approx(expected(gap, held, added, z), abs=0.005)


def test_the_planned_votes_are_the_first_with_the_power():
    z = norm.ppf(0.975)
    for gap in (12.0, 25.0):
        votes = votes_for_power(gap, 1 / 15**2, 1e-5, z, 0.8)
        powers = [conditional_power(gap, 1 / 15**2, n * 1e-5, z) for n in (votes - 1, votes)]
        assert powers[0] < 0.8 <= powers[1]


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("cluster", [None, "voter"])
def test_refits_find_the_power_that_was_planned(some_votes, ties, cluster):
    frame = some_votes.assign(voter=np.arange(2000) % 400)
    battles, fit, spread, found = planned(frame, ties, cluster=cluster)
    asked = found.neighbours[~found.neighbours["told_apart"]]
    assert len(asked)
    for row in asked.itertuples():
        drawn = ratings.simulate_power(battles, fit, spread, row.more_votes, rounds=1500, seed=2)
        power = drawn.set_index("model").loc[row.model, "power"]
        assert power == pytest.approx(0.8, abs=0.035)  # 3 standard errors


def test_direct_votes_are_enough_and_far_fewer(some_votes):
    """Votes between the two alone, drawn from the fitted model, tell them apart in 80%."""
    battles, fit, _, found = planned(some_votes, "davidson")
    row = found.neighbours[~found.neighbours["told_apart"]].iloc[0]
    assert row["direct_votes"] < row["more_votes"] / 2
    gap = row["gap"] / ELO_PER_STRENGTH
    weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), fit.tie_parameter])
    random = np.random.default_rng(3)
    i, j = (battles.models.index(row[name]) for name in ("model", "below"))
    told, rounds = 0, 400
    for _ in range(rounds):
        counts = battles.counts.copy()
        counts[:3, i, j] += random.multinomial(row["direct_votes"], weights / weights.sum())
        more = ratings.Battles.from_counts(battles.models, counts)
        again = ratings.bradley_terry(more, "davidson", start=fit)
        c = ratings.intervals(more, again).covariance.to_numpy()
        error = np.sqrt(c[i, i] + c[j, j] - 2 * c[i, j])
        told += again.ratings.iloc[i] - again.ratings.iloc[j] > norm.ppf(0.975) * error
    assert told / rounds == pytest.approx(0.8, abs=0.06)


def test_the_first_place_needs_more_than_its_neighbour(some_votes):
    _, _, _, found = planned(some_votes)
    assert found.first == found.neighbours["model"].iloc[0]
    assert not found.first_known
    assert found.first_votes > found.neighbours["more_votes"].iloc[0]


def test_more_power_and_closer_models_need_more_votes(some_votes):
    few, many = (planned(some_votes, power=power)[3] for power in (0.6, 0.9))
    open_ = ~few.neighbours["told_apart"]
    assert (few.neighbours["more_votes"] < many.neighbours["more_votes"])[open_].all()
    assert (few.neighbours["more_votes_wide"] <= few.neighbours["more_votes"]).all()
    assert (few.neighbours.loc[~open_, "more_votes"] == 0).all()
    assert few.neighbours["assurance"].between(0, 1).all()


def test_equal_models_are_told_apart_by_no_number_of_votes(votes_of):
    table = planned(votes_of({("A", "B"): (50, 50, 3)}))[3]
    row = table.neighbours.iloc[0]
    assert pd.isna(row["more_votes"])
    assert pd.isna(row["direct_votes"])
    assert np.isnan(row["assurance"])
    assert table.first_votes is None


def test_where_there_is_little_or_nothing_to_plan(votes_of):
    for counts in ({}, {("A", "B"): (3, 0, 0)}):
        battles, fit, spread, found = planned(votes_of(counts))
        assert len(found.neighbours) == 0
        assert not found.first_known
        assert found.unrated == tuple(battles.models)
        assert len(ratings.simulate_power(battles, fit, spread, 10)) == 0
    battles, fit, spread, _ = planned(votes_of({("A", "B"): (5, 4, 0)}))
    with pytest.raises(ratings.OptionError, match=r"from 0\.5 up to below 1, not 80"):
        ratings.plan(battles, fit, spread, power=80)
    with pytest.raises(ratings.OptionError, match="1 or more"):
        ratings.simulate_power(battles, fit, spread, 0)
