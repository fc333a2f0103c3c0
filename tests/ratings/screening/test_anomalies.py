"""Strange voters are found, honest ones with tastes of their own are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import betabinom, binom, kstest

import ratings
from ratings.inference.clusters import cluster_codes
from ratings.inference.proportions import false_discovery_rates
from ratings.inference.vote_scores import score_votes
from ratings.model.bradley_terry import ELO_PER_STRENGTH
from ratings.screening.anomalies import TESTS, _Screen
from ratings.screening.tail_bounds import between_variance, tail
from ratings.screening.voter_habits import indecision, repetition
from ratings.screening.voter_tests import _rating_noise, gap_without_own

MODELS = 10
STRENGTHS = np.linspace(-1, 1, MODELS)


def draw(random, *, voters=400, votes=8000, taste=0.0, busy=0.7):
    """Honest votes: tastes of so many Elo points, some voters busier than others."""
    share = np.arange(1, voters + 1) ** -busy
    voter = random.choice(voters, size=votes, p=share / share.sum())
    own = STRENGTHS + random.normal(0, taste / ELO_PER_STRENGTH, (voters, MODELS))
    a = random.integers(MODELS, size=votes)
    b = (a + random.integers(1, MODELS, size=votes)) % MODELS
    won = random.random(votes) < 1 / (1 + np.exp(own[voter, b] - own[voter, a]))
    winner = np.where(won, "model_a", "model_b")
    lazy = random.beta(3, 17, voters)  # 15% ties on average
    winner[random.random(votes) < lazy[voter]] = "tie"
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


@pytest.mark.parametrize("taste", [0, 60])
def test_honest_voters_are_hardly_ever_flagged(taste):
    flagged = [
        len(screen(draw(np.random.default_rng([seed, taste]), taste=taste)).flagged)
        for seed in range(8)
    ]
    # The rate bounds the chance of any flag in a table without strange voters by 5%.
    assert sum(count > 0 for count in flagged) <= 2


def test_the_taste_of_voters_is_estimated():
    frame = draw(np.random.default_rng(3), taste=80, votes=30_000)
    assert screen(frame).taste_sd == pytest.approx(80, abs=12)
    assert screen(draw(np.random.default_rng(3), votes=30_000)).taste_sd < 15


def strange(kind, frame, random):
    """The votes of the busiest voter changed to those of a strange one."""
    frame = frame.copy()
    who = frame["voter"].value_counts().index[0]
    mine = frame["voter"] == who
    if kind == "one-sided":
        frame.loc[mine, "winner"] = "model_a"
    elif kind == "undecided":
        frame.loc[mine, "winner"] = np.where(random.random(mine.sum()) < 0.8, "tie", "model_a")
    elif kind == "disagrees":
        flipped = frame["winner"].map({"model_a": "model_b", "model_b": "model_a", "tie": "tie"})
        frame.loc[mine, "winner"] = flipped[mine]
    elif kind == "favours":
        frame.loc[mine & (frame["model_a"] == "m2"), "winner"] = "model_a"
        frame.loc[mine & (frame["model_b"] == "m2"), "winner"] = "model_b"
    elif kind == "fast":
        frame.loc[mine, "decided_ms"] = 300
    elif kind == "repeats":
        met = np.flatnonzero(mine)[:40]
        frame.loc[met, "model_a"], frame.loc[met, "model_b"] = "m4", "m5"
    return frame, who


@pytest.mark.parametrize("kind", TESTS)
def test_a_strange_voter_is_flagged_for_what_it_does(kind):
    random = np.random.default_rng(11)
    frame, who = strange(kind, draw(random, taste=40), random)
    found = screen(frame)
    assert who in found.flagged
    assert kind in found.voters.loc[who, "reason"]
    assert len(found.flagged) <= 2
    if kind == "favours":
        assert found.voters.loc[who, "model"] == "m2"
    without = found.without_flagged(ratings.Battles.from_frame(frame))
    assert len(without) == (~frame["voter"].isin(found.flagged)).sum()


def test_a_voter_with_few_votes_is_never_flagged():
    frame = draw(np.random.default_rng(4))
    few = frame.index[frame["voter"] == "v399"][:4]
    frame.loc[few, "winner"] = "model_a"
    found = screen(frame, least_votes=1).voters
    assert not found.loc[found["votes"] <= 4, "flagged"].any()
    table = screen(frame, least_votes=20).voters
    assert table.loc[table["votes"] < 20, list(TESTS)].isna().all().all()


def test_a_heavy_voter_does_not_hide_behind_its_own_votes():
    """A fan with a third of all votes moves the ratings, but is held against the rest's."""
    random = np.random.default_rng(6)
    frame = draw(random, votes=3000)
    fan = draw(random, voters=1, votes=1500).assign(voter="fan")
    fan.loc[fan["model_a"] == "m1", "winner"] = "model_a"
    fan.loc[fan["model_b"] == "m1", "winner"] = "model_b"
    found = screen(pd.concat([frame, fan], ignore_index=True))
    assert found.flagged[0] == "fan"
    assert found.voters.loc["fan", "model"] == "m1"


def test_the_bound_is_above_the_exact_binomial_tail_and_not_by_much():
    for wins, votes in [(18, 20), (60, 80), (300, 400), (5, 5)]:
        won = (np.arange(votes) < wins).astype(float)
        one = np.ones(votes)
        bound = tail(np.zeros(votes, dtype=int), 1, 0 * one, one, won, np.zeros(1))[0]
        exact = binom.sf(wins - 1, votes, 0.5)
        assert exact <= bound * (1 + 1e-9)
        assert bound <= exact * 1.2


def test_the_bound_holds_for_unequal_steps_where_all_answers_can_be_listed():
    """Every one of 2^10 records of ten votes, with a stranger gap for each."""
    votes = 10
    records = (np.arange(2**votes)[:, None] >> np.arange(votes)) & 1
    for seed in range(6):
        gap = np.random.default_rng(seed).normal(0, 0.9, votes)
        chance = expit(gap)
        weight = np.where(records, chance, 1 - chance).prod(axis=1)
        total = (records - chance) @ -gap
        exact = np.array([weight[total >= one - 1e-12].sum() for one in total])
        key = np.repeat(np.arange(len(records)), votes)
        gaps = np.tile(gap, len(records))
        won = records.ravel().astype(float)
        found = tail(key, len(records), gaps, -gaps, won, np.zeros(len(records)))
        assert (exact <= found * (1 + 1e-9)).all()
        looked_at = found < 1
        assert looked_at.sum() > 5
        assert (found[looked_at] <= 5 * exact[looked_at]).all()


def test_the_share_of_ties_is_tested_by_a_beta_binomial():
    """Against scipy's, at the mean and variance that are estimated from the voters."""
    random = np.random.default_rng(2)
    voter = np.repeat(np.arange(2000), random.integers(5, 60, 2000))
    undecided = random.random(len(voter)) < random.beta(3, 17, 2000)[voter]
    p, variance = indecision(voter, undecided, np.ones(2000, dtype=bool))
    mean = undecided.mean()
    assert variance == pytest.approx(3 * 17 / 20**2 / 21, rel=0.15)
    size = mean * (1 - mean) / variance - 1
    number, count = np.bincount(voter, undecided), np.bincount(voter)
    exact = betabinom.sf(number - 1, count, mean * size, (1 - mean) * size)
    above = number > mean * count
    assert (exact[above] <= p[above]).all()
    assert (p[above] <= 1.25 * exact[above]).all()


def test_a_variance_between_voters_is_found_and_none_is_zero():
    random = np.random.default_rng(1)
    reach = random.uniform(0.5, 20, 4000)
    within = np.full(4000, 2.0)
    for true in (0.0, 0.3):
        total = random.normal(0, np.sqrt(within + true * reach))
        # The score's standard error is about sqrt(2 / sum of (reach / variance)^2): below 0.02.
        assert between_variance(total, within, reach) == pytest.approx(true, abs=0.06)
        total[:40] = 100.0
        assert between_variance(total, within, reach) == pytest.approx(true, abs=0.12)


def test_busy_voters_with_tastes_are_not_flagged():
    """50 voters with 1,000 votes each: without the taste's part most of them would be."""
    frame = draw(np.random.default_rng(5), voters=50, votes=50_000, taste=80, busy=0)
    assert screen(frame, tests=["disagrees", "favours"]).flagged == ()


def test_gaps_are_those_of_ratings_without_the_voter():
    frame = draw(np.random.default_rng(5), voters=40, votes=3000, busy=1.0)
    battles = ratings.Battles.from_frame(frame)
    for options in ({}, {"side": True}, {"ties": "davidson"}):
        fit = ratings.bradley_terry(battles, **options)
        scored = score_votes(battles, fit)
        cluster = cluster_codes(scored, battles, ("voter",))
        found = gap_without_own(scored, fit, cluster, 40)
        for name in frame["voter"].value_counts().index[[0, 5, 39]]:
            mine = (frame["voter"] == name).to_numpy()
            less = ratings.Battles.from_frame(frame[~mine], models=battles.models)
            without = ratings.bradley_terry(less, **options)
            strength = without.ratings / ELO_PER_STRENGTH
            own = frame[mine]
            expected = own["model_a"].map(strength) - own["model_b"].map(strength)
            expected += without.effects.get("side", 0) / ELO_PER_STRENGTH
            assert found[mine] == pytest.approx(expected.to_numpy(), abs=0.03)


def test_who_holds_half_of_the_votes_is_held_against_ratings_that_are_not_exact():
    """Excess wins have twice the variance that the votes alone would give them."""
    squares, noises = [], []
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
        mine = choices.meetings[0] // choices.models == list(screened.names).index("x")
        information = choices.by_meeting(choices.information, 1)
        squares += list((choices.by_meeting(choices.excess, -1) ** 2 / information)[mine])
        noises += list((_rating_noise(choices, information) / information)[mine])
    # 200 squares, nine free in each ten: the mean's standard error is about 0.11 of it.
    assert np.mean(squares) == pytest.approx(1 + np.mean(noises), rel=0.33)
    assert np.mean(noises) == pytest.approx(1, abs=0.3)


def test_honest_voters_are_not_flagged_for_the_strong_models_they_prefer():
    """A tie counted as half a win pulls ratings together: every voter beats them. Not a taste."""
    random = np.random.default_rng(8)
    frame = draw(random, voters=60, votes=60_000, busy=0)
    frame.loc[random.random(len(frame)) < 0.3, "winner"] = "tie"
    found = screen(frame)
    assert found.taste_sd < 20
    assert found.flagged == ()


def test_voters_whose_honest_sides_differ_are_not_flagged():
    random = np.random.default_rng(10)
    frame = draw(random, voters=100, votes=50_000, busy=0)
    habit = random.normal(0, 0.15, 100)[frame["voter"].str[1:].astype(int)]
    moved = (frame["winner"] != "tie") & (random.random(len(frame)) < np.abs(habit))
    frame.loc[moved, "winner"] = np.where(habit[moved] > 0, "model_a", "model_b")
    found = screen(frame)
    assert found.flagged == ()
    # A share h of answers given to a side moves its odds by about 2 h, in natural logarithms.
    assert found.side_sd == pytest.approx(2 * 0.15 * ELO_PER_STRENGTH, rel=0.25)


def newcomer(random):
    """Voters come one after the other; in the last tenth of time one model is in most battles."""
    frame = draw(random, votes=12_000, busy=0).sort_values("voter", ignore_index=True)
    late = np.arange(len(frame)) >= 0.9 * len(frame)
    placed = late & (frame["model_b"] != "m9") & (random.random(len(frame)) < 0.7)
    frame.loc[placed, "model_a"] = "m9"
    for column, other in (("model_a", "m0"), ("model_b", "m1")):
        frame.loc[~late & (frame[column] == "m9"), column] = other
    return frame[frame["model_a"] != frame["model_b"]].reset_index(drop=True)


def test_who_votes_while_a_newcomer_is_placed_does_not_repeat_itself():
    """But for one who voted just when that began, in a period of both."""
    for seed in range(3):
        random = np.random.default_rng(seed)
        frame = newcomer(random)
        frame["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
            frame.index, unit="min"
        )
        shuffled = frame.sample(frac=1, random_state=seed)
        assert len(screen(shuffled, tests=["repeats"]).flagged) <= 1
        assert len(screen(frame.drop(columns="timestamp"), tests=["repeats"]).flagged) <= 1
        assert len(screen(shuffled.drop(columns="timestamp"), tests=["repeats"]).flagged) > 5


def test_who_skips_all_battles_but_a_models_is_flagged_whatever_it_answers():
    random = np.random.default_rng(3)
    frame = draw(random)
    picked = draw(random, voters=5, votes=1000).assign(voter=lambda f: "x" + f["voter"])
    picked = picked[(picked["model_a"] == "m4") | (picked["model_b"] == "m4")]
    both = pd.concat([frame, picked]).sample(frac=1, random_state=1, ignore_index=True)
    found = screen(both)
    names = {f"xv{i:03}" for i in range(5)}
    assert names <= set(found.flagged)
    assert all("repeats" in reason for reason in found.voters.loc[sorted(names), "reason"])


def test_within_one_period_repetition_is_the_conditional_binomial_test():
    """Of 12 showings of thing 0, ten by a voter with 20 of 500; of thing 1, all three."""
    voter = np.concatenate([np.zeros(20, dtype=int), np.repeat(np.arange(1, 25), 20)])
    for repeated, shown_to_others in ((10, 2), (3, 0)):
        thing = np.arange(1, 501)
        thing[:repeated] = 0
        thing[20 : 20 + shown_to_others] = 0
        thing = np.unique(thing, return_inverse=True)[1]
        once, unknown = np.zeros(500, dtype=int), np.full(500, np.nan)
        p = repetition(voter, thing, once, np.ones(25, dtype=bool), unknown)
        exact = binom.sf(repeated - 1, repeated + shown_to_others, 20 / 500)
        assert p[0] == pytest.approx(exact * (thing.max() + 1))
        assert (p[1:] == 1).all()


def test_repeated_clips_are_found_and_clips_that_differ_are_not():
    random = np.random.default_rng(3)
    frame = draw(random, votes=6000)
    for side in "ab":
        frame[f"clip_{side}"] = frame[f"model_{side}"] + random.integers(500, size=6000).astype(str)
    assert screen(frame, tests=["repeats"]).flagged == ()
    again = frame.index[frame["voter"] == "v010"][:10]
    for name in ("model_a", "model_b", "clip_a", "clip_b"):
        frame.loc[again[5:], name] = frame.loc[again[4], name]
    assert screen(frame, tests=["repeats"]).flagged == ("v010",)


def test_the_samplers_own_probability_excuses_a_pair():
    voter, thing = np.repeat(np.arange(50), 20), np.tile(np.arange(10), 100)
    thing[:12] = 3
    once, all_honest = np.zeros(1000, dtype=int), np.ones(50, dtype=bool)
    unknown = np.full(1000, np.nan)
    assert repetition(voter, thing, once, all_honest, unknown)[0] < 1e-4
    known = np.where(voter == 0, 0.5, np.nan)
    assert repetition(voter, thing, once, all_honest, known)[0] == 1


def test_wrong_clocks_and_pauses_make_nobody_fast_or_slow():
    random = np.random.default_rng(9)
    frame = draw(random)
    frame.loc[random.random(len(frame)) < 0.03, "decided_ms"] = 1
    frame.loc[random.random(len(frame)) < 0.03, "decided_ms"] = 10_000_000
    frame.loc[random.random(len(frame)) < 0.1, "decided_ms"] = np.nan
    found = screen(frame, tests=["fast"])
    assert found.flagged == ()
    assert found.speed_sd == pytest.approx(0.4, rel=0.2)


def test_of_the_flagged_voters_few_are_honest_though_each_strange_one_fails_many_tests():
    """30 strange voters fail three tests each: by test 90 discoveries, but 30 voters."""
    strange_ones = honest_ones = 0
    for seed in range(12):
        random = np.random.default_rng([seed, 40])
        bad = draw(random, voters=30, votes=1500, busy=0).assign(winner="tie", decided_ms=300)
        bad = bad.assign(voter="x" + bad["voter"], model_a="m3", model_b="m4")
        mixed = pd.concat([draw(random), bad]).sample(frac=1, random_state=seed, ignore_index=True)
        flagged = pd.Series(screen(mixed).flagged)
        strange_ones += flagged.str.startswith("x").sum()
        honest_ones += (~flagged.str.startswith("x")).sum()
    assert strange_ones == 360
    # At most 5% of the flagged: 19 expected at most, and two standard errors.
    assert honest_ones <= 28


def test_no_vote_of_ties_is_no_test_of_them():
    frame = draw(np.random.default_rng(1), votes=2000)
    battles = ratings.Battles.from_frame(frame)
    table = ratings.screen_voters(battles, ratings.bradley_terry(battles, "drop")).voters
    assert table["undecided"].isna().all()
    assert table["disagrees"].notna().any()


def test_q_values_are_benjamini_and_hochbergs():
    p = np.array([[0.01, 0.04], [np.nan, 0.03], [0.005, 0.5]])
    expected = np.array([[0.025, 0.05], [np.nan, 0.05], [0.025, 0.5]])
    assert false_discovery_rates(p) == pytest.approx(expected, nan_ok=True)


def test_p_values_are_no_smaller_than_uniform():
    table = screen(draw(np.random.default_rng(9), taste=60, votes=20_000)).voters
    for test in TESTS:
        p = table[test].dropna().to_numpy()
        assert kstest(p, "uniform", alternative="greater").pvalue > 0.001, test


def test_groups_columns_and_what_cannot_be_asked():
    frame = draw(np.random.default_rng(1), votes=500)
    grouped = screen(frame.assign(network=frame["voter"].str[:2]), by="network")
    assert set(grouped.voters.index) <= {"v0", "v1", "v2", "v3"}
    assert grouped.by == "network"
    for options, message in [
        ({"tests": ["mood"]}, "mood is none"),
        ({"rate": 5}, "between 0 and 1, not 5"),
        ({"by": "judge"}, "no column 'judge'"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            screen(frame, **options)


def test_no_votes_no_voters_and_nobody_rated(votes_of):
    for frame in (
        votes_of({}),
        votes_of({("A", "B"): (3, 0, 0)}),
        votes_of({("A", "B"): (9, 3, 1)}),
    ):
        found = screen(frame)
        assert found.flagged == ()
        assert len(found.voters) == 0
        battles = ratings.Battles.from_frame(frame)
        assert found.without_flagged(battles) is battles
