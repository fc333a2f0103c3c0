"""The planned number of votes delivers the requested power."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

import ratings
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.planning.planning import assurance, conditional_power, fewest_votes
from ratings.planning.precision import Gaps

Z = norm.ppf(0.975)


def fitted(frame, ties="half", *, cluster=None, models=(), **options):
    battles = ratings.Battles.from_frame(frame, models=models)
    fit = ratings.bradley_terry(battles, ties, **options)
    return battles, fit, ratings.intervals(battles, fit, cluster=cluster)


def planned(frame, ties="half", *, cluster=None, **options):
    known = fitted(frame, ties, cluster=cluster)
    return *known, ratings.plan(*known, **options)


def error_of(intervals, one, other):
    covariance = intervals.covariance
    variance = covariance.loc[one, one] + covariance.loc[other, other]
    return np.sqrt(variance - 2 * covariance.loc[one, other])


def significant(battles, ties, one, other, start=None):
    """Test the difference by a new fit, with new intervals by vote."""
    fit = ratings.bradley_terry(battles, ties, start=start)
    intervals = ratings.intervals(battles, fit)
    return fit.ratings[one] - fit.ratings[other] > Z * error_of(intervals, one, other)


def add(battles, drawn):
    return ratings.Battles.from_counts(battles.models, battles.counts + drawn)


@pytest.fixture
def some_votes(simulate_votes):
    return simulate_votes([0, 60, 90, -60], 2000, nu=0.4, random=np.random.default_rng(9))


def first_undecided(plan):
    return plan.neighbours[~plan.neighbours["told_apart"]].iloc[0]


def test_conditional_power_and_assurance_agree_with_a_simulation():
    random = np.random.default_rng(0)
    gap, precision, added = 20.0, 1 / 15**2, 1 / 12**2
    final_error = 1 / np.sqrt(precision + added)
    for std, expected in [(0.0, conditional_power), (15.0, assurance)]:
        truth = gap + std * random.standard_normal(200_000)
        more = truth + 12 * random.standard_normal(200_000)
        final = (precision * gap + added * more) / (precision + added)
        share = (np.abs(final) > Z * final_error).mean()
        assert share == pytest.approx(expected(gap, precision, added, Z), abs=0.005)


def test_the_planned_votes_are_the_smallest_number_with_the_power():
    for gap in (12.0, 25.0):

        def power_of(more, gap=gap):
            return conditional_power(gap, 1 / 15**2, more * 1e-5, Z)

        votes = fewest_votes(power_of, 0.8)
        assert power_of(votes - 1) < 0.8 <= power_of(votes)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao-kupper", "drop"])
@pytest.mark.parametrize("cluster", [None, "voter"])
def test_refits_have_the_planned_power(some_votes, ties, cluster):
    frame = some_votes.assign(voter=np.arange(2000) % 400)
    battles, fit, intervals, plan = planned(frame, ties, cluster=cluster)
    row = first_undecided(plan)
    drawn = ratings.simulate_power(battles, fit, intervals, row["more_votes"], rounds=400, seed=2)
    power = drawn.set_index("model").loc[row["model"], "power"]
    assert power == pytest.approx(0.8, abs=0.06)  # 3 standard errors
    assert drawn.attrs["cluster"] == cluster


@pytest.mark.parametrize("ties", ["half", "drop"])
def test_new_votes_have_the_planned_power(some_votes, ties):
    """Also where the rules leave answers out: the number counts the votes that people cast."""
    battles, fit, _, plan = planned(some_votes, ties)
    assert plan.votes == 2000
    row = first_undecided(plan)
    random, successes, rounds = np.random.default_rng(5), 0, 300
    chance = battles.counts.ravel() / battles.counts.sum()
    for _ in range(rounds):
        drawn = random.multinomial(row["more_votes"], chance).reshape(battles.counts.shape)
        successes += significant(add(battles, drawn), ties, row["model"], row["below"], fit)
    assert successes / rounds == pytest.approx(0.8, abs=0.07)  # 3 standard errors


def test_fewer_direct_votes_are_enough(some_votes):
    """Votes between the two alone, drawn from the fitted model, have a power of 80%."""
    battles, fit, _, plan = planned(some_votes, "davidson")
    row = first_undecided(plan)
    assert row["direct_votes"] < row["more_votes"] / 2
    gap = row["gap"] / ELO_PER_STRENGTH
    weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), fit.tie_parameter])
    random, successes, rounds = np.random.default_rng(3), 0, 300
    i, j = (battles.models.index(row[name]) for name in ("model", "below"))
    for _ in range(rounds):
        drawn = np.zeros_like(battles.counts)
        drawn[:3, i, j] = random.multinomial(row["direct_votes"], weights / weights.sum())
        successes += significant(add(battles, drawn), "davidson", row["model"], row["below"], fit)
    assert successes / rounds == pytest.approx(0.8, abs=0.07)


def test_a_mix_of_future_pairs_has_the_planned_power(some_votes):
    """Three quarters of the votes are on the pair in question, the rest on two other models."""
    known = fitted(some_votes, "davidson")
    battles, fit, _ = known
    row = first_undecided(ratings.plan(*known))
    pair = [row["model"], row["below"]]
    rest = [name for name in battles.models if name not in pair]
    mix = pd.DataFrame(0.0, index=battles.models, columns=battles.models)
    mix.loc[pair[0], pair[1]], mix.loc[rest[0], rest[1]] = 0.75, 0.25
    table = ratings.plan(*known, pairs=mix).neighbours.set_index("model")
    wanted = table.loc[pair[0], "more_votes"]
    assert wanted == pytest.approx(row["direct_votes"] / 0.75, rel=0.02)
    random, successes, rounds = np.random.default_rng(4), 0, 300
    for _ in range(rounds):
        drawn = np.zeros_like(battles.counts)
        for one, other in (pair, rest):
            gap = (fit.ratings[one] - fit.ratings[other]) / ELO_PER_STRENGTH
            weights = np.array([np.exp(gap / 2), np.exp(-gap / 2), fit.tie_parameter])
            i, j = battles.models.index(one), battles.models.index(other)
            share = 0.75 if one in pair else 0.25
            drawn[:3, i, j] = random.multinomial(round(wanted * share), weights / weights.sum())
        successes += significant(add(battles, drawn), "davidson", *pair, fit)
    assert successes / rounds == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao-kupper", "drop"])
def test_pairs_as_they_were_give_the_same_plan_as_no_pairs(some_votes, ties):
    known = fitted(some_votes, ties)
    met = known[0].counts.sum(axis=0)
    names = list(known[0].models)
    pairs = pd.DataFrame(met + met.T, index=names, columns=names)
    with_pairs = ratings.plan(*known, pairs=pairs / pairs.to_numpy().sum()).neighbours
    plain = ratings.plan(*known).neighbours
    # A pair's share of ties differs from what the model expects.
    assert with_pairs["more_votes"].to_numpy() == pytest.approx(
        plain["more_votes"].to_numpy(), rel=0.05
    )


def test_a_difference_at_the_upper_end_of_its_interval_needs_fewer_votes(some_votes):
    """The estimate stays in the final one, so that even a large difference takes votes."""
    _, _, intervals, plan = planned(some_votes)
    row = first_undecided(plan)
    error = error_of(intervals, row["model"], row["below"])
    votes = row["more_votes_wide"]
    assert 0 < votes < row["more_votes"]
    assert pd.isna(row["more_votes_narrow"])
    share = votes / plan.votes
    random = np.random.default_rng(6)
    more = row["gap_upper"] + error / np.sqrt(share) * random.standard_normal(100_000)
    final = (row["gap"] + share * more) / (1 + share)
    power = (final > Z * error / np.sqrt(1 + share)).mean()
    assert power == pytest.approx(0.8, abs=0.01)


def test_assured_votes_are_enough_for_an_unknown_difference(some_votes):
    _, _, intervals, plan = planned(some_votes)
    row = first_undecided(plan)
    error = error_of(intervals, row["model"], row["below"])
    random = np.random.default_rng(7)
    truth = row["gap"] + error * random.standard_normal(100_000)
    for votes, expected in [(row["assured_votes"], 0.8), (row["more_votes"], row["assurance"])]:
        share = votes / plan.votes
        more = truth + error / np.sqrt(share) * random.standard_normal(100_000)
        final = (row["gap"] + share * more) / (1 + share)
        power = (np.abs(final) > Z * error / np.sqrt(1 + share)).mean()
        assert power == pytest.approx(expected, abs=0.006)


def test_doubled_power_agrees_with_refits(some_votes):
    battles, fit, intervals, plan = planned(some_votes)
    drawn = ratings.simulate_power(battles, fit, intervals, plan.votes, rounds=1500)
    expected = plan.neighbours["doubled_power"].to_numpy()
    assert drawn["power"].to_numpy() == pytest.approx(expected, abs=0.04)
    assert 0.5 < expected.min() < 0.9  # otherwise the votes so far would hardly matter


def test_the_first_place_needs_more_votes_than_its_neighbour(some_votes):
    battles, fit, intervals, plan = planned(some_votes)
    assert plan.first == plan.neighbours["model"].iloc[0]
    assert not plan.first_known
    assert plan.first_votes > plan.neighbours["more_votes"].iloc[0]
    drawn = ratings.simulate_power(battles, fit, intervals, plan.first_votes, rounds=1500, seed=1)
    assert drawn.attrs["first"] == plan.first
    assert drawn.attrs["first_power"] == pytest.approx(0.8, abs=0.04)
    assert drawn.attrs["first_power_lower"] < 0.8 < drawn.attrs["first_power_upper"]


def test_more_voters_reduce_the_threshold(some_votes):
    """Few voters raise the threshold now; future votes are of new voters, who lower it."""
    frame = some_votes.assign(voter=np.arange(2000) % 6)
    _, _, intervals, plan = planned(frame, cluster="voter")
    row = first_undecided(plan)
    df = intervals.df[[row["model"], row["below"]]].min()
    error = error_of(intervals, row["model"], row["below"])
    half_width = student.ppf(0.975, df) * error
    assert row["gap_upper"] - row["gap"] == pytest.approx(half_width)
    precision, share = error**-2, row["more_votes"] / plan.votes
    threshold = student.ppf(0.975, df * (1 + share))
    power = conditional_power(row["gap"], precision, precision * share, threshold)
    assert power == pytest.approx(0.8, abs=0.001)


def test_more_power_needs_more_votes(some_votes):
    few, many = (planned(some_votes, power=power)[3] for power in (0.6, 0.9))
    undecided = ~few.neighbours["told_apart"]
    assert undecided.any()
    assert (few.neighbours["more_votes"] < many.neighbours["more_votes"])[undecided].all()
    settled = few.neighbours[~undecided]
    assert len(settled)
    for name in ("more_votes", "more_votes_wide", "more_votes_narrow", "direct_votes"):
        assert (settled[name] == 0).all()
    assert few.neighbours["assurance"].between(0, 1).all()


def test_the_scale_of_weights_changes_no_number_of_votes(some_votes):
    plain, heavy = (planned(some_votes.assign(weight=weight))[3] for weight in (1.0, 10.0))
    numbers = ["more_votes", "more_votes_wide", "direct_votes", "assured_votes"]
    one, ten = (each.neighbours[numbers].to_numpy(dtype=float) for each in (plain, heavy))
    assert ten == pytest.approx(one, abs=1)
    assert heavy.first_votes == pytest.approx(plain.first_votes, abs=1)


def test_no_number_of_votes_separates_equal_models(votes_of):
    table = planned(votes_of({("A", "B"): (50, 50, 3)}))[3]
    row = table.neighbours.iloc[0]
    for name in ("more_votes", "more_votes_narrow", "direct_votes"):
        assert pd.isna(row[name])
    assert np.isnan(row["assurance"])
    assert row["assured_votes"] > 0  # they are not known to be equal
    assert table.first_votes is None


def test_tables_with_few_or_no_votes(votes_of):
    for counts in ({}, {("A", "B"): (3, 0, 0)}):
        battles, fit, intervals, plan = planned(votes_of(counts))
        assert len(plan.neighbours) == 0
        assert not plan.first_known
        assert plan.unrated == tuple(battles.models)
        drawn = ratings.simulate_power(battles, fit, intervals, 10)
        assert len(drawn) == 0
        assert np.isnan(drawn.attrs["first_power"])


def test_models_that_only_a_prior_rates_need_more_than_the_votes_so_far(votes_of):
    """Without votes between two components, no number of votes mixed as so far is enough."""
    votes = votes_of({("A", "B"): (30, 20, 6), ("C", "D"): (5, 3, 0)})
    known = fitted(votes, prior_sd=200, models=["E"])
    table = ratings.plan(*known).neighbours
    joined = [{"A", "B"}, {"C", "D"}]
    for row in table.itertuples():
        apart = {row.model, row.below} not in joined
        assert pd.isna(row.more_votes) == (apart or row.gap == 0)
        assert pd.isna(row.direct_votes) == (row.gap == 0)
    assert ratings.plan(*known).first_votes is None
    assert len(ratings.simulate_power(*known, 50, rounds=20)) == 4
    ties = votes_of({("A", "B"): (0, 0, 9)})
    for uninformative, rule in [(votes_of({}), "half"), (ties, "drop")]:
        known = fitted(uninformative, rule, prior_sd=200, models=["A", "B"])
        assert len(ratings.plan(*known).neighbours) == 0
        assert len(ratings.simulate_power(*known, 50, rounds=20)) == 0


def test_invalid_options_are_refused(votes_of):
    known = fitted(votes_of({("A", "B"): (5, 4, 0)}))
    with pytest.raises(ratings.OptionError, match=r"from 0\.5 up to below 1, not 80"):
        ratings.plan(*known, power=80)
    for votes in (0, 10**9):
        with pytest.raises(ratings.OptionError, match="from 1 to 100,000,000"):
            ratings.simulate_power(*known, votes)
    for values, message in [
        ([[0.0, -1.0], [0.0, 0.0]], "0 or more"),
        ([[0.0, np.nan], [0.0, 0.0]], "finite"),
        ([[1.0, 0.0], [0.0, 0.0]], "some pair"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            ratings.plan(*known, pairs=pd.DataFrame(values, index=["A", "B"], columns=["A", "B"]))
    with pytest.raises(ratings.OptionError, match="a row and a column for 'B'"):
        ratings.plan(*known, pairs=pd.DataFrame([[1.0]], index=["A"], columns=["A"]))


def test_pairs_may_be_the_result_of_the_sampler(some_votes):
    battles, fit, intervals = fitted(some_votes)
    chance = ratings.pair_probabilities(battles)
    one = ratings.plan(battles, fit, intervals, pairs=chance)
    other = ratings.plan(battles, fit, intervals, pairs=chance.probability)
    pd.testing.assert_frame_equal(one.neighbours, other.neighbours)
    assert one.pairs is chance.probability


@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_the_precision_after_more_votes_is_that_of_the_summed_information(some_votes, ties):
    """V(n) = f c' (H + n J)^- c, with dense pseudo-inverses, for pairs of any probability."""
    battles, fit, intervals = fitted(some_votes, ties)
    design, names = fit.design, list(fit.ratings.index)
    pairs = pd.DataFrame(np.triu(np.arange(16.0).reshape(4, 4), 1), index=names, columns=names)
    gaps = Gaps(battles, fit, intervals, pairs)
    information = design.information(fit.params)
    chance = (pairs + pairs.T).to_numpy() / pairs.to_numpy().sum() / 2
    vote = np.zeros_like(information)
    for i in range(4):
        for j in range(4):
            if i == j:
                continue
            log_odds = fit.params[i] - fit.params[j]
            nu = fit.tie_parameter if ties == "davidson" else 0.0
            answers = np.array([np.exp(log_odds / 2), np.exp(-log_odds / 2), nu])
            answers /= answers.sum()
            scores = np.zeros((3, len(information)))
            scores[:, i] = np.array([0.5, -0.5, 0]) - (answers[0] - answers[1]) / 2
            scores[:, j] = -scores[:, i]
            if ties == "davidson":
                scores[:, design.index_of("tie")] = np.array([0, 0, 1]) - answers[2]
            vote += chance[i, j] * np.einsum("o,oi,oj->ij", answers, scores, scores)
    upper, lower = gaps.names[:2]
    gap = gaps.between(upper, lower)
    c = np.zeros(len(information))
    c[names.index(upper)], c[names.index(lower)] = 1, -1
    weight = design.counts.sum() / battles.counts.sum()
    factor = 1 / gap.precision / (c @ np.linalg.pinv(information) @ c)
    for votes in (10, 3000):
        later = factor * c @ np.linalg.pinv(information + votes * weight * vote) @ c
        assert gap.precision + gap.added(votes) == pytest.approx(1 / later, rel=1e-6)
    assert gap.precision == pytest.approx(error_of(intervals, upper, lower) ** -2)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 50), st.floats(1e-4, 1e-1), st.floats(1e-5, 1), st.floats(1.5, 3))
def test_assurance_is_the_average_of_the_power_and_votes_only_help_a_true_difference(
    gap, precision, added, threshold
):
    final_std = np.sqrt(added) / (precision + added)
    grid = np.linspace(-9, 9, 4001)
    truth = gap + grid / np.sqrt(precision)
    mean = (precision * gap + added * truth) / (precision + added)
    limit = threshold / np.sqrt(precision + added)
    power = norm.sf((limit - mean) / final_std) + norm.cdf((-limit - mean) / final_std)
    average = np.average(power, weights=norm.pdf(grid))
    assert assurance(gap, precision, added, threshold) == pytest.approx(average, abs=2e-3)
    at_truth = norm.sf((limit - gap) / final_std)
    assert conditional_power(gap, precision, added, threshold) == pytest.approx(at_truth, abs=1e-9)
