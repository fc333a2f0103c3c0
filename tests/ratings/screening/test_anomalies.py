"""Screening flags anomalous voters, and not honest voters whose tastes differ."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import betabinom, binom, kstest, nbinom

import ratings
from ratings.inference.clusters import cluster_codes
from ratings.inference.proportions import false_discovery_rates
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.screening.anomalies import TESTS, _Screen, flag_voters
from ratings.screening.tail_bounds import between_variance, tail_bound
from ratings.screening.voter_habits import _medians, _sum_over_visits, repetition, speed, tie_rate
from ratings.screening.voter_tests import (
    Choices,
    disagreement,
    favouritism,
    leave_one_out_log_odds,
    rating_error_variance,
    side_bias,
)

MODELS = 10
STRENGTHS = np.linspace(-1, 1, MODELS)


def draw(random, *, voters=400, votes=8000, taste=0.0, busy=0.7):
    """Honest votes, with tastes of standard deviation `taste` Elo points, some voters busier."""
    share = np.arange(1, voters + 1) ** -busy
    voter = random.choice(voters, size=votes, p=share / share.sum())
    strengths = STRENGTHS + random.normal(0, taste / ELO_PER_STRENGTH, (voters, MODELS))
    a = random.integers(MODELS, size=votes)
    b = (a + random.integers(1, MODELS, size=votes)) % MODELS
    won = random.random(votes) < 1 / (1 + np.exp(strengths[voter, b] - strengths[voter, a]))
    winner = np.where(won, "model_a", "model_b")
    ties = random.beta(3, 17, voters)  # 15% on average
    winner[random.random(votes) < ties[voter]] = "tie"
    pace = random.normal(9, 0.4, voters)
    return pd.DataFrame(
        {
            "model_a": [f"m{i}" for i in a],
            "model_b": [f"m{i}" for i in b],
            "winner": winner,
            "voter": [f"v{i:03}" for i in voter],
            "decided_ms": np.exp(random.normal(pace[voter], 0.5)).round(),
        }
    )


def screen(frame, **options):
    battles = ratings.Battles.from_frame(frame)
    return ratings.screen_voters(battles, ratings.bradley_terry(battles), **options)


def test_no_voter_is_flagged_in_all_but_the_promised_share_of_honest_tables():
    """Where all voters are honest, the rate bounds the probability of any flag in a table.

    With uniform p-values the bound is nearly attained, so that 1,100 tables separate 5% from 10%:
    a binomial of 5% exceeds the limit in 1 of 1,000 cases, and one of 10% stays below it in fewer.
    """
    random, tables, rate = np.random.default_rng(0), 1100, 0.05
    limit = binom.ppf(0.999, tables, rate)
    assert binom.cdf(limit, tables, 2 * rate) < 0.001
    with_flag = 0
    for _ in range(tables):
        table = pd.DataFrame(random.random((30, len(TESTS))), columns=list(TESTS))
        with_flag += flag_voters(table, TESTS, rate)["flagged"].any()
    assert with_flag <= limit
    assert with_flag >= binom.ppf(0.001, tables, rate)  # nor is the procedure needlessly strict


@pytest.mark.parametrize("taste", [0, 60])
def test_p_values_of_honest_voters_are_as_rare_as_promised(taste):
    """The p of all tests together is at most 5% for at most 5% of honest voters.

    The limit is exceeded in 1 of 1,000 cases at 5%, and almost never kept at 10%. No table has
    more flagged voters than a binomial bound allows either.
    """
    tables = [
        screen(draw(np.random.default_rng([seed, taste]), taste=taste)).voters for seed in range(8)
    ]
    p = pd.concat(tables)["p"].dropna().to_numpy()
    limit = binom.ppf(0.999, len(p), 0.05)
    assert binom.cdf(limit, len(p), 0.1) < 0.001
    assert (p <= 0.05).sum() <= limit
    assert sum(table["flagged"].any() for table in tables) <= binom.ppf(0.999, len(tables), 0.05)


def test_the_taste_of_voters_is_estimated():
    frame = draw(np.random.default_rng(3), taste=80, votes=30_000)
    assert screen(frame).taste_sd == pytest.approx(80, abs=12)
    assert screen(draw(np.random.default_rng(3), votes=30_000)).taste_sd < 15


def anomalous(kind, frame, random):
    """Replace the votes of the busiest voter by those of an anomalous one."""
    frame = frame.copy()
    name = frame["voter"].value_counts().index[0]
    mine = frame["voter"] == name
    if kind == "side_bias":
        frame.loc[mine, "winner"] = "model_a"
    elif kind == "tie_rate":
        frame.loc[mine, "winner"] = np.where(random.random(mine.sum()) < 0.8, "tie", "model_a")
    elif kind == "disagreement":
        flipped = frame["winner"].map({"model_a": "model_b", "model_b": "model_a", "tie": "tie"})
        frame.loc[mine, "winner"] = flipped[mine]
    elif kind == "favouritism":
        frame.loc[mine & (frame["model_a"] == "m2"), "winner"] = "model_a"
        frame.loc[mine & (frame["model_b"] == "m2"), "winner"] = "model_b"
    elif kind == "speed":
        frame.loc[mine, "decided_ms"] = 300
    elif kind == "repetition":
        met = np.flatnonzero(mine)[:40]
        frame.loc[met, "model_a"], frame.loc[met, "model_b"] = "m4", "m5"
    return frame, name


@pytest.mark.parametrize("kind", TESTS)
def test_an_anomalous_voter_is_flagged_for_the_right_reason(kind):
    random = np.random.default_rng(11)
    frame, name = anomalous(kind, draw(random, taste=40), random)
    result = screen(frame)
    assert name in result.flagged
    assert kind in result.voters.loc[name, "reason"]
    assert len(result.flagged) <= 2
    if kind == "favouritism":
        assert result.voters.loc[name, "model"] == "m2"
    without = result.without_flagged(ratings.Battles.from_frame(frame))
    assert len(without) == (~frame["voter"].isin(result.flagged)).sum()


def test_a_voter_with_few_votes_is_never_flagged():
    frame = draw(np.random.default_rng(4))
    few = frame.index[frame["voter"] == "v399"][:4]
    frame.loc[few, "winner"] = "model_a"
    result = screen(frame, min_votes=1).voters
    assert not result.loc[result["votes"] <= 4, "flagged"].any()
    table = screen(frame, min_votes=20).voters
    assert table.loc[table["votes"] < 20, list(TESTS)].isna().all().all()


def test_a_voter_with_many_votes_is_compared_with_the_others_only():
    """A fan with a third of all votes moves the ratings, but is compared with those of the rest."""
    random = np.random.default_rng(6)
    frame = draw(random, votes=3000)
    fan = draw(random, voters=1, votes=1500).assign(voter="fan")
    fan.loc[fan["model_a"] == "m1", "winner"] = "model_a"
    fan.loc[fan["model_b"] == "m1", "winner"] = "model_b"
    result = screen(pd.concat([frame, fan], ignore_index=True))
    assert result.flagged[0] == "fan"
    assert result.voters.loc["fan", "model"] == "m1"


def test_the_bound_is_slightly_above_the_exact_binomial_tail():
    for wins, votes in [(18, 20), (60, 80), (300, 400), (5, 5)]:
        won = (np.arange(votes) < wins).astype(float)
        one = np.ones(votes)
        bound = tail_bound(np.zeros(votes, dtype=int), 1, 0 * one, one, won, np.zeros(1))[0]
        exact = binom.sf(wins - 1, votes, 0.5)
        assert exact <= bound * (1 + 1e-9)
        assert bound <= exact * 1.2


def test_the_bound_holds_for_unequal_steps_where_all_answers_can_be_enumerated():
    """All 2^10 outcomes of ten votes, with log odds drawn for each vote."""
    votes = 10
    records = (np.arange(2**votes)[:, None] >> np.arange(votes)) & 1
    for seed in range(6):
        log_odds = np.random.default_rng(seed).normal(0, 0.9, votes)
        chance = expit(log_odds)
        weight = np.where(records, chance, 1 - chance).prod(axis=1)
        total = (records - chance) @ -log_odds
        exact = np.array([weight[total >= value - 1e-12].sum() for value in total])
        key = np.repeat(np.arange(len(records)), votes)
        tiled = np.tile(log_odds, len(records))
        won = records.ravel().astype(float)
        bound = tail_bound(key, len(records), tiled, -tiled, won, np.zeros(len(records)))
        assert (exact <= bound * (1 + 1e-9)).all()
        computed = bound < 1
        assert computed.sum() > 5
        assert (bound[computed] <= 5 * exact[computed]).all()


def test_the_tie_rate_is_tested_by_a_beta_binomial():
    """Compare with scipy's, at the mean and variance that are estimated from the voters."""
    random = np.random.default_rng(2)
    voter = np.repeat(np.arange(2000), random.integers(5, 60, 2000))
    undecided = random.random(len(voter)) < random.beta(3, 17, 2000)[voter]
    p, variance = tie_rate(voter, undecided, np.ones(2000, dtype=bool))
    mean = undecided.mean()
    assert variance == pytest.approx(3 * 17 / 20**2 / 21, rel=0.15)
    size = mean * (1 - mean) / variance - 1
    number, count = np.bincount(voter, undecided), np.bincount(voter)
    exact = betabinom.sf(number - 1, count, mean * size, (1 - mean) * size)
    above = number > mean * count
    assert (exact[above] <= p[above]).all()
    assert (p[above] <= 1.25 * exact[above]).all()


def test_a_variance_between_voters_is_estimated_and_zero_where_they_do_not_differ():
    random = np.random.default_rng(1)
    scale = random.uniform(0.5, 20, 4000)
    within = np.full(4000, 2.0)
    for true in (0.0, 0.3):
        total = random.normal(0, np.sqrt(within + true * scale))
        # The score's standard error is about sqrt(2 / sum of (scale / variance)^2): below 0.02.
        assert between_variance(total, within, scale) == pytest.approx(true, abs=0.06)
        total[:40] = 100.0
        assert between_variance(total, within, scale) == pytest.approx(true, abs=0.12)


def test_busy_voters_with_tastes_are_not_flagged():
    """50 voters with 1,000 votes each: without the variance of tastes most would be flagged."""
    frame = draw(np.random.default_rng(5), voters=50, votes=50_000, taste=80, busy=0)
    assert screen(frame, tests=["disagreement", "favouritism"]).flagged == ()


def test_log_odds_are_those_of_ratings_without_the_voter():
    frame = draw(np.random.default_rng(5), voters=40, votes=3000, busy=1.0)
    battles = ratings.Battles.from_frame(frame)
    for options in ({}, {"side": True}, {"ties": "davidson"}):
        fit = ratings.bradley_terry(battles, **options)
        scored = score_votes(battles, fit)
        cluster = cluster_codes(scored, battles, ("voter",))
        result = leave_one_out_log_odds(scored, fit, cluster, 40)
        for name in frame["voter"].value_counts().index[[0, 5, 39]]:
            mine = (frame["voter"] == name).to_numpy()
            others = ratings.Battles.from_frame(frame[~mine], models=battles.models)
            without = ratings.bradley_terry(others, **options)
            strength = without.ratings / ELO_PER_STRENGTH
            votes = frame[mine]
            expected = votes["model_a"].map(strength) - votes["model_b"].map(strength)
            expected += without.effects.get("side", 0) / ELO_PER_STRENGTH
            assert result[mine] == pytest.approx(expected.to_numpy(), abs=0.03)


def test_the_error_of_the_ratings_counts_for_a_voter_with_half_of_the_votes():
    """Excess wins have twice the variance that the votes alone would give them."""
    squares, errors = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        frame = pd.concat(
            [
                draw(random, voters=400, votes=1000, busy=0),
                draw(random, voters=1, votes=1000).assign(voter="x"),
            ],
            ignore_index=True,
        )
        battles = ratings.Battles.from_frame(frame[frame["winner"] != "tie"])
        screened = _Screen(battles, ratings.bradley_terry(battles), ("voter",), 5)
        choices = screened.choices
        mine = choices.voter_of == list(screened.names).index("x")
        information = choices.by_voter_model(choices.information, 1)
        squares += list((choices.by_voter_model(choices.excess, -1) ** 2 / information)[mine])
        errors += list((rating_error_variance(choices, information) / information)[mine])
    # 200 squares, nine free in each ten: the mean's standard error is about 0.11 of it.
    assert np.mean(squares) == pytest.approx(1 + np.mean(errors), rel=0.33)
    assert np.mean(errors) == pytest.approx(1, abs=0.3)


def test_voters_are_not_flagged_for_preferring_strong_models():
    """Ties counted as half wins shrink rating differences, which is not a taste of the voters."""
    random = np.random.default_rng(8)
    frame = draw(random, voters=60, votes=60_000, busy=0)
    frame.loc[random.random(len(frame)) < 0.3, "winner"] = "tie"
    result = screen(frame)
    assert result.taste_sd < 20
    assert result.flagged == ()


def test_voters_whose_side_biases_differ_honestly_are_not_flagged():
    random = np.random.default_rng(10)
    frame = draw(random, voters=100, votes=50_000, busy=0)
    habit = random.normal(0, 0.15, 100)[frame["voter"].str[1:].astype(int)]
    moved = (frame["winner"] != "tie") & (random.random(len(frame)) < np.abs(habit))
    frame.loc[moved, "winner"] = np.where(habit[moved] > 0, "model_a", "model_b")
    result = screen(frame)
    assert result.flagged == ()
    # A share h of answers given to a side moves its odds by about 2 h, in natural logarithms.
    assert result.side_sd == pytest.approx(2 * 0.15 * ELO_PER_STRENGTH, rel=0.25)


def newcomer(random):
    """Voters come one after the other; in the last tenth one model is in most battles."""
    frame = draw(random, votes=12_000, busy=0).sort_values("voter", ignore_index=True)
    late = np.arange(len(frame)) >= 0.9 * len(frame)
    placed = late & (frame["model_b"] != "m9") & (random.random(len(frame)) < 0.7)
    frame.loc[placed, "model_a"] = "m9"
    for column, other in (("model_a", "m0"), ("model_b", "m1")):
        frame.loc[~late & (frame[column] == "m9"), column] = other
    return frame[frame["model_a"] != frame["model_b"]].reset_index(drop=True)


def test_voting_while_a_newcomer_is_placed_is_not_repetition():
    """One voter may be flagged, who voted when that began, in a period with both."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        frame = newcomer(random)
        frame["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
            frame.index, unit="min"
        )
        shuffled = frame.sample(frac=1, random_state=seed)
        assert len(screen(shuffled, tests=["repetition"]).flagged) <= 1
        assert len(screen(frame.drop(columns="timestamp"), tests=["repetition"]).flagged) <= 1
        assert len(screen(shuffled.drop(columns="timestamp"), tests=["repetition"]).flagged) > 5


def test_a_voter_who_skips_all_battles_but_those_of_one_model_is_flagged():
    random = np.random.default_rng(3)
    frame = draw(random)
    selective = draw(random, voters=5, votes=1000).assign(voter=lambda f: "x" + f["voter"])
    selective = selective[(selective["model_a"] == "m4") | (selective["model_b"] == "m4")]
    both = pd.concat([frame, selective]).sample(frac=1, random_state=1, ignore_index=True)
    result = screen(both)
    names = {f"xv{i:03}" for i in range(5)}
    assert names <= set(result.flagged)
    assert all("repetition" in reason for reason in result.voters.loc[sorted(names), "reason"])


def test_within_one_period_repetition_is_the_conditional_binomial_test():
    """Ten of the 12 showings of item 0 go to a voter with 20 of 500, or all three of them."""
    voter = np.concatenate([np.zeros(20, dtype=int), np.repeat(np.arange(1, 25), 20)])
    for repeated, shown_to_others in ((10, 2), (3, 0)):
        item = np.arange(1, 501)
        item[:repeated] = 0
        item[20 : 20 + shown_to_others] = 0
        item = np.unique(item, return_inverse=True)[1]
        one_period, unknown = np.zeros(500, dtype=int), np.full(500, np.nan)
        p = repetition(voter, item, one_period, np.ones(25, dtype=bool), unknown)
        exact = binom.sf(repeated - 1, repeated + shown_to_others, 20 / 500)
        assert p[0] == pytest.approx(exact * (item.max() + 1))
        assert (p[1:] == 1).all()


def test_repeated_clips_are_flagged_and_distinct_clips_are_not():
    random = np.random.default_rng(3)
    frame = draw(random, votes=6000)
    for side in "ab":
        frame[f"clip_{side}"] = frame[f"model_{side}"] + random.integers(500, size=6000).astype(str)
    assert screen(frame, tests=["repetition"]).flagged == ()
    again = frame.index[frame["voter"] == "v010"][:10]
    for name in ("model_a", "model_b", "clip_a", "clip_b"):
        frame.loc[again[5:], name] = frame.loc[again[4], name]
    assert screen(frame, tests=["repetition"]).flagged == ("v010",)


def test_a_pair_that_the_sampler_drew_often_is_not_repetition():
    voter, item = np.repeat(np.arange(50), 20), np.tile(np.arange(10), 100)
    item[:12] = 3
    one_period, all_honest = np.zeros(1000, dtype=int), np.ones(50, dtype=bool)
    unknown = np.full(1000, np.nan)
    assert repetition(voter, item, one_period, all_honest, unknown)[0] < 1e-4
    known = np.where(voter == 0, 0.5, np.nan)
    assert repetition(voter, item, one_period, all_honest, known)[0] == 1


def test_wrong_clocks_and_pauses_do_not_affect_speed():
    random = np.random.default_rng(9)
    frame = draw(random)
    frame.loc[random.random(len(frame)) < 0.03, "decided_ms"] = 1
    frame.loc[random.random(len(frame)) < 0.03, "decided_ms"] = 10_000_000
    frame.loc[random.random(len(frame)) < 0.1, "decided_ms"] = np.nan
    result = screen(frame, tests=["speed"])
    assert result.flagged == ()
    assert result.speed_sd == pytest.approx(0.4, rel=0.2)


def test_few_flagged_voters_are_honest_where_anomalous_ones_fail_many_tests():
    """30 anomalous voters fail three tests each: 90 discoveries by test, but 30 voters."""
    anomalous_ones = honest_ones = 0
    for seed in range(6):
        random = np.random.default_rng([seed, 40])
        bad = draw(random, voters=30, votes=1500, busy=0).assign(winner="tie", decided_ms=300)
        bad = bad.assign(voter="x" + bad["voter"], model_a="m3", model_b="m4")
        mixed = pd.concat([draw(random), bad]).sample(frac=1, random_state=seed, ignore_index=True)
        flagged = pd.Series(screen(mixed).flagged)
        anomalous_ones += flagged.str.startswith("x").sum()
        honest_ones += (~flagged.str.startswith("x")).sum()
    assert anomalous_ones == 180
    # At most 5% of the flagged: 9.5 expected at most, and two standard errors.
    assert honest_ones <= 16


def test_ties_are_not_tested_where_the_rules_drop_them():
    frame = draw(np.random.default_rng(1), votes=2000)
    battles = ratings.Battles.from_frame(frame)
    table = ratings.screen_voters(battles, ratings.bradley_terry(battles, "drop")).voters
    assert table["tie_rate"].isna().all()
    assert table["disagreement"].notna().any()


def test_q_values_are_those_of_benjamini_and_hochberg():
    p = np.array([[0.01, 0.04], [np.nan, 0.03], [0.005, 0.5]])
    expected = np.array([[0.025, 0.05], [np.nan, 0.05], [0.025, 0.5]])
    assert false_discovery_rates(p) == pytest.approx(expected, nan_ok=True)


def test_p_values_are_no_smaller_than_uniform():
    table = screen(draw(np.random.default_rng(9), taste=60, votes=20_000)).voters
    for test in TESTS:
        p = table[test].dropna().to_numpy()
        assert kstest(p, "uniform", alternative="greater").pvalue > 0.001, test


def test_groups_of_voters_and_invalid_options():
    frame = draw(np.random.default_rng(1), votes=500)
    grouped = screen(frame.assign(network=frame["voter"].str[:2]), by="network")
    assert set(grouped.voters.index) <= {"v0", "v1", "v2", "v3"}
    assert grouped.by == "network"
    for options, message in [
        ({"tests": ["mood"]}, "unknown test mood: choose from disagreement"),
        ({"rate": 5}, "between 0 and 1, not 5"),
        ({"by": "judge"}, "no column 'judge'"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            screen(frame, **options)


def test_tables_without_votes_voters_or_ratings(votes_of):
    for frame in (
        votes_of({}),
        votes_of({("A", "B"): (3, 0, 0)}),
        votes_of({("A", "B"): (9, 3, 1)}),
    ):
        result = screen(frame)
        assert result.flagged == ()
        assert len(result.voters) == 0
        battles = ratings.Battles.from_frame(frame)
        assert result.without_flagged(battles) is battles


def choices_of(random, *, votes=60, voters=4, models=5):
    left = random.integers(models, size=votes)
    right = (left + random.integers(1, models, size=votes)) % models
    return Choices(
        voter=random.integers(voters, size=votes),
        voters=voters,
        left=left,
        right=right,
        models=models,
        won=(random.random(votes) < 0.8).astype(float),
        log_odds=random.normal(0, 1, votes),
        model_information=np.full(models, 500.0),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_swapping_sides_changes_no_p_value(seed):
    choices = choices_of(np.random.default_rng(seed))
    swapped = Choices(
        voter=choices.voter,
        voters=choices.voters,
        left=choices.right,
        right=choices.left,
        models=choices.models,
        won=1 - choices.won,
        log_odds=-choices.log_odds,
        model_information=choices.model_information,
    )
    honest = np.ones(choices.voters, dtype=bool)
    for one, other in [
        (disagreement(choices, 0.1), disagreement(swapped, 0.1)),
        (side_bias(choices, honest, 0.1)[0], side_bias(swapped, honest, 0.1)[0]),
        (favouritism(choices, 0.1)[0], favouritism(swapped, 0.1)[0]),
    ]:
        assert one == pytest.approx(other, rel=1e-6, nan_ok=True)


def test_only_voters_against_the_ratings_disagree_with_them():
    """Of 40 certain battles one voter answers all as expected, the other all the other way."""
    log_odds = np.where(np.arange(80) % 2, 2.0, -2.0)
    voter = np.repeat([0, 1], 40)
    won = np.where(voter == 0, log_odds > 0, log_odds < 0).astype(float)
    left = np.arange(80) % 5
    choices = Choices(voter, 2, left, (left + 1) % 5, 5, won, log_odds, np.full(5, 1e6))
    p = disagreement(choices, 0.0)
    assert p[0] == 1
    assert p[1] < 1e-10


def test_calibration_finds_the_slope_and_the_advantage_of_the_left_side():
    random = np.random.default_rng(3)
    log_odds = random.normal(0, 1, 50_000)
    won = (random.random(50_000) < expit(0.7 * log_odds + 0.2)).astype(float)
    nothing = np.zeros(50_000, dtype=int)
    choices = Choices(nothing, 2, nothing, nothing + 1, 2, won, log_odds, np.full(2, 1e6))
    result = choices.calibrated(np.array([True, True])).log_odds
    assert result == pytest.approx(0.7 * log_odds + 0.2, abs=0.12)  # 4 standard errors
    unchanged = choices.calibrated(np.array([False, True])).log_odds
    assert unchanged == pytest.approx(log_odds)


def test_the_speed_test_is_one_sided_and_uniform_for_honest_voters():
    random = np.random.default_rng(4)
    voter = np.repeat(np.arange(1000), 25)
    times = np.exp(random.normal(9, 0.4, 1000)[voter] + random.normal(0, 0.5, len(voter)))
    times[:25], times[25:50] = 400, 200_000
    p, variance = speed(voter, times, np.ones(1000, dtype=bool))
    assert variance == pytest.approx(0.16, rel=0.15)
    assert p[0] < 1e-9
    assert p[1] > 0.999
    assert kstest(p[2:], "uniform").pvalue > 0.01


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-9, 9)), max_size=40))
def test_medians_are_those_of_each_group(rows):
    voter = np.array([code for code, _ in rows], dtype=int)
    values = np.array([value for _, value in rows])
    result = _medians(voter, values, np.bincount(voter, minlength=6))
    for code in range(6):
        expected = np.median(values[voter == code]) if (voter == code).any() else np.nan
        assert result[code] == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_sums_over_visits_are_those_of_a_loop(seed, block):
    random = np.random.default_rng(seed)
    visit_voter = np.sort(random.integers(6, size=15))
    visit_period, weight = random.integers(4, size=15), random.random(15)
    table = random.random((4, 3))
    voter, column = random.integers(6, size=10), random.integers(3, size=10)
    expected = [
        sum(
            weight[visit] * table[visit_period[visit], which]
            for visit in np.flatnonzero(visit_voter == code)
        )
        for code, which in zip(voter, column, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ratings.screening.voter_habits._BLOCK_VISITS", block)
        result = _sum_over_visits(voter, column, visit_voter, visit_period, weight, table)
    assert result == pytest.approx(expected)


def test_repetition_over_periods_expects_the_sum_of_the_periods():
    """By hand: the negative binomial tail at the expected number and its variance."""
    voter = np.array([0] * 10 + [1] * 40 + [0] * 5 + [1] * 20)
    period = np.repeat([0, 1], [50, 25])
    item = np.arange(1, 76)
    item[[0, 1, 2, 50]] = 0  # shown to voter 0 four times
    item[[10, 11, 55]] = 0  # and to voter 1 three times
    item = np.unique(item, return_inverse=True)[1]
    p = repetition(voter, item, period, np.ones(2, dtype=bool), np.full(75, np.nan))
    weight = np.array([10 / 40, 5 / 20])
    shown_to_others = np.array([2, 1])
    mean = weight @ shown_to_others + weight.max()
    variance = weight**2 @ shown_to_others + weight.max() ** 2
    exact = nbinom.sf(3, mean**2 / variance, mean / (mean + variance))
    assert p[0] == pytest.approx(min(1, exact * (item.max() + 1)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_a_variance_between_voters_scales_with_the_square_of_the_sums(seed, factor):
    random = np.random.default_rng(seed)
    total, within, scale = random.normal(0, 3, 50), random.uniform(1, 2, 50), random.random(50)
    one = between_variance(total, within, scale)
    assert between_variance(factor * total, factor**2 * within, scale) == pytest.approx(
        factor**2 * one, rel=1e-6, abs=1e-9
    )
    assert between_variance(total, within, factor * scale) == pytest.approx(
        one / factor, rel=1e-6, abs=1e-9
    )


def test_the_prior_keeps_the_calibration_of_few_votes_finite():
    """Compare with a generic optimiser; all votes go the same way."""
    log_odds = np.array([0.5, 1.0, 2.0])
    choices = Choices(
        np.zeros(3, dtype=int), 1, np.zeros(3, dtype=int), np.ones(3, dtype=int), 2,
        np.ones(3), log_odds, np.full(2, 100.0),
    )  # fmt: skip

    def loss(params):
        linear = params[0] * log_odds + params[1]
        return np.logaddexp(0, -linear).sum() + ((params - [1, 0]) ** 2).sum() / 2

    slope, intercept = minimize(loss, [1.0, 0.0]).x
    result = choices.calibrated(np.array([True])).log_odds
    assert result == pytest.approx(slope * log_odds + intercept, abs=1e-4)


def test_p_values_are_multiplied_by_the_number_of_directions_and_models():
    """A voter met two models, and preferred the left one in 19 of 20 even battles."""
    voter, ones = np.zeros(20, dtype=int), np.ones(20)
    won = (np.arange(20) > 0).astype(float)
    choices = Choices(voter, 1, voter, voter + 1, 2, won, 0 * ones, np.full(2, 1e12))
    tail = tail_bound(voter, 1, 0 * ones, ones, won, np.zeros(1))
    assert tail[0] < 1e-4
    assert side_bias(choices, np.array([True]), 0.0)[0] == pytest.approx(2 * tail)
    p, model = favouritism(choices, 0.0)
    assert p == pytest.approx(4 * tail)
    assert model.tolist() == [0]
