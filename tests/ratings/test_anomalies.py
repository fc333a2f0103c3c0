"""Strange voters are found, honest ones with tastes of their own are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest

import ratings
from ratings.anomalies import TESTS
from ratings.bradley_terry import ELO_PER_STRENGTH
from ratings.multiplicity import false_discovery_rates
from ratings.voter_tests import tail

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
        assert bound <= exact * 25


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
