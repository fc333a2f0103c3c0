"""Whether the first place is known: the e-process, its limits, and what it refuses to say."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import halfnorm, norm

import ratings
from ratings.inference.anytime import FirstPlace, critical_gap, log_evidence

INFINITE = np.array([np.inf])


def votes(wins: dict[tuple[str, str], int], *, voters: int = 10_000) -> pd.DataFrame:
    """Votes that the left model won, dealt out to voters in turn."""
    rows = [pair for pair, count in wins.items() for _ in range(count)]
    return pd.DataFrame(
        {
            "model_a": [winner for winner, _ in rows],
            "model_b": [loser for _, loser in rows],
            "winner": "model_a",
            "voter": [f"v{number % voters}" for number in range(len(rows))],
        }
    )


def find(frame: pd.DataFrame, **options: float) -> FirstPlace:
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    return ratings.first_place(battles, fit, ratings.intervals(battles, fit), **options)


@given(z=st.floats(-6, 6), error=st.floats(1, 300), scale=st.sampled_from([10.0, 50.0, 200.0]))
@settings(deadline=None)
def test_the_evidence_is_the_likelihood_ratio_averaged_over_a_half_normal(
    z: float, error: float, scale: float
) -> None:
    gap = z * error
    width = 1 / math.hypot(1 / error, 1 / scale)
    true = np.linspace(0, max(0.0, gap) + 12 * width, 200_001)
    log_ratio = (gap**2 - (gap - true) ** 2) / (2 * error**2)
    expected = np.trapezoid(halfnorm.pdf(true, scale=scale) * np.exp(log_ratio), true)
    found = log_evidence(np.array([gap]), np.array([error**2]), INFINITE, scale=scale)[0]
    assert found == pytest.approx(math.log(expected), abs=1e-4)


@given(error=st.floats(1, 300), df=st.sampled_from([3.0, 12.0, 200.0, np.inf]))
@settings(deadline=None)
def test_the_critical_gap_is_where_the_evidence_reaches_the_level(error: float, df: float) -> None:
    variance, df_array = np.array([error**2]), np.array([df])
    gap = critical_gap(variance, df_array, level=0.01, scale=50.0)
    found = log_evidence(gap, variance, df_array, scale=50.0)
    assert found[0] == pytest.approx(math.log(100), abs=1e-4)


def test_a_false_lead_is_rarely_ever_declared_however_often_one_looks() -> None:
    """Of 2,000 walks without drift, looked at 400 times each, at most 5% may reach 1 / 0.05."""
    random = np.random.default_rng(0)
    information = np.linspace(1 / 200**2, 1 / 5**2, 400)
    steps = np.diff(information, prepend=0.0)
    walk = np.cumsum(random.normal(size=(2_000, 400)) * np.sqrt(steps), axis=1)
    log_e = log_evidence(
        walk / information,
        np.broadcast_to(1 / information, walk.shape),
        np.broadcast_to(np.inf, walk.shape),
        scale=50.0,
    )
    ever = (log_e.max(axis=1) >= math.log(20)).mean()
    assert ever <= 0.05
    assert ever >= 0.01  # so that it is a test of this level, and not of one that nothing reaches
    fixed = (walk / np.sqrt(information) >= norm.ppf(0.95)).any(axis=1).mean()
    assert fixed > 0.3  # the same looks with a test that is valid once


def test_a_clear_leader_is_known_and_a_close_one_is_not() -> None:
    clear = find(votes({("A", "B"): 400, ("B", "A"): 100, ("B", "C"): 300, ("C", "B"): 200}))
    assert (clear.status, clear.first) == ("known", "A")
    assert 0 < clear.gap_lower < clear.gap
    assert clear.p < 0.05
    close = find(votes({("A", "B"): 260, ("B", "A"): 240, ("B", "C"): 300, ("C", "B"): 200}))
    assert (close.status, close.first, close.challenger) == ("open", "A", "B")
    assert close.gap_lower < 0 < close.gap
    assert close.p > 0.05


def test_known_means_that_the_lower_limit_of_the_lead_is_above_zero() -> None:
    statuses = set()
    for wins in range(250, 360, 5):
        found = find(
            votes({("A", "B"): wins, ("B", "A"): 500 - wins, ("B", "C"): 99, ("C", "B"): 9})
        )
        assert (found.status == "known") == (found.gap_lower > 0)
        statuses.add(found.status)
    assert statuses == {"known", "open"}


def test_the_votes_of_one_voter_are_not_much_evidence() -> None:
    wins = {("A", "B"): 400, ("B", "A"): 100}
    assert find(votes(wins, voters=400)).status == "known"
    assert find(votes(wins, voters=2)).status == "open"


def test_a_model_that_won_votes_without_a_rating_leaves_the_first_place_open() -> None:
    wins = {("A", "B"): 400, ("B", "A"): 100}
    assert find(votes(wins | {("A", "C"): 5})).status == "known"  # winless
    rival = find(votes(wins | {("C", "A"): 5}))
    assert rival.status == "unrated rival"


def test_fewer_than_two_rated_models() -> None:
    assert find(votes({})).status == "alone"
    assert find(votes({("A", "B"): 5})).status == "alone"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"scale": 0.0}, "scale"),
        ({"scale": math.inf}, "scale"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ratings.OptionError, match=message):
        find(votes({("A", "B"): 4, ("B", "A"): 1}), **options)


def test_intervals_of_another_fit_are_refused() -> None:
    battles = ratings.Battles.from_frame(votes({("A", "B"): 4, ("B", "A"): 1}))
    fit = ratings.bradley_terry(battles)
    around = ratings.intervals(battles, fit)
    with pytest.raises(ratings.OptionError, match="another fit"):
        ratings.first_place(battles, fit, replace(around, ratings=around.ratings + 1))
