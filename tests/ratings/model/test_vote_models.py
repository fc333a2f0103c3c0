"""Ties by Rao and Kupper, "both bad" as an outcome, side effect, covariates, prior: against
published numbers and against a plain optimiser on the likelihood as the papers write it."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import baseball
import ratings

PER_STRENGTH = 400 / np.log(10)
WORDS = np.array(["model_a", "model_b", "tie", "both_bad"])

# Turner and Firth (2012), section 5, print the abilities with and without home advantage.
WITHOUT_HOME = {"Milwaukee": 1.581, "Detroit": 1.436, "Toronto": 1.294, "New York": 1.248,
                "Boston": 1.108, "Cleveland": 0.684}  # fmt: skip
WITH_HOME = {"Milwaukee": 1.6196, "Detroit": 1.4754, "Toronto": 1.3271, "New York": 1.2813,
             "Boston": 1.1438, "Cleveland": 0.7047}  # fmt: skip
HOME_ADVANTAGE = 0.3023


@pytest.mark.parametrize(
    ("side", "printed", "half_digit"), [(False, WITHOUT_HOME, 5e-4), (True, WITH_HOME, 5e-5)]
)
def test_baseball_1987_to_every_printed_digit(votes_of, side, printed, half_digit):
    battles = ratings.Battles.from_frame(votes_of(baseball.games()))
    fit = ratings.bradley_terry(battles, side=side)
    abilities = (fit.ratings - fit.ratings["Baltimore"]) / PER_STRENGTH
    for team, ability in printed.items():
        assert abilities[team] == pytest.approx(ability, abs=half_digit)
    if side:
        assert fit.effects["side"] / PER_STRENGTH == pytest.approx(HOME_ADVANTAGE, abs=5e-5)


STRENGTHS = np.array([0.5, -0.2, 0.3, -0.6])


def answer_shares(left, right, ties, separate_bad, tie, neither, advantage):
    """Probabilities as the papers write them, from worths; shape (4, votes)."""
    a, b = np.exp(left + advantage / 2), np.exp(right - advantage / 2)
    none = np.zeros_like(a)
    if ties == "rao-kupper":
        left_wins, right_wins = a / (a + tie * b), b / (b + tie * a)
        return np.stack([left_wins, right_wins, 1 - left_wins - right_wins, none])
    tied = tie * np.sqrt(a * b) if ties == "davidson" else none
    bad = neither + none if separate_bad else none
    return np.stack([a, b, tied, bad]) / (a + b + tied + bad)


def draw_votes(
    random, votes, ties, *, separate_bad=False, tie=1.4, neither=0.6, slope=0.0, side=0.0
):
    a = random.integers(4, size=votes)
    b = (a + random.integers(1, 4, size=votes)) % 4
    long = random.normal(size=(2, votes)).round(1)
    pull = side + slope * (long[0] - long[1])
    share = answer_shares(STRENGTHS[a], STRENGTHS[b], ties, separate_bad, tie, neither, pull)
    answer = (random.random(votes) > share.cumsum(axis=0)[:3]).sum(axis=0)
    names = np.array(["m0", "m1", "m2", "m3"])
    return pd.DataFrame(
        {
            "model_a": names[a],
            "model_b": names[b],
            "winner": WORDS[answer],
            "duration_a": long[0],
            "duration_b": long[1],
        }
    )


CASES = [
    ("rao-kupper", "tie", False, ()),
    ("rao-kupper", "tie", True, ("duration",)),
    ("davidson", "own", False, ()),
    ("davidson", "own", True, ("duration",)),
    ("davidson", "tie", True, ()),
    ("drop", "own", True, ()),
    ("half", "tie", True, ("duration",)),
]


@pytest.mark.parametrize(("ties", "both_bad", "side", "covariates"), CASES)
def test_agrees_with_a_plain_optimiser_on_the_formulas(ties, both_bad, side, covariates):
    separate_bad = both_bad == "own"
    model = "davidson" if ties in {"half", "drop"} else ties
    frame = draw_votes(
        np.random.default_rng(5), 400, model, separate_bad=separate_bad, slope=0.3, side=0.4
    )
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(
        battles, ties, both_bad=both_bad, side=side, covariates=list(covariates)
    )
    kept = frame[~((frame["winner"] == "tie") & (ties == "drop"))]
    codes = [kept[name].str[1:].astype(int).to_numpy() for name in ("model_a", "model_b")]
    longer = (kept["duration_a"] - kept["duration_b"]).to_numpy()
    longer = longer / longer.std()
    answer = np.array([list(WORDS).index(word) for word in kept["winner"]])

    def loss(point):
        pull = side * point[4] + bool(covariates) * point[5] * longer
        tie = 1 + np.exp(point[6]) if ties == "rao-kupper" else np.exp(point[6])
        share = answer_shares(*point[:4][codes], ties, separate_bad, tie, np.exp(point[7]), pull)
        given_answer = np.log(np.maximum(share[answer, np.arange(len(answer))], 1e-300))
        halves = (np.log(share[0]) + np.log(share[1])) / 2
        return -np.where((answer == 2) & (ties == "half"), halves, given_answer).sum()

    best = minimize(loss, np.zeros(8), method="BFGS", options={"gtol": 1e-5}).x
    strengths = (fit.ratings.to_numpy() - 1000) / PER_STRENGTH
    assert strengths == pytest.approx(best[:4] - best[:4].mean(), abs=2e-5)
    assert fit.log_likelihood == pytest.approx(-loss(best), abs=1e-7)
    if side:
        assert fit.effects["side"] / PER_STRENGTH == pytest.approx(best[4], abs=2e-5)
    if covariates:
        assert fit.effects["duration"] / PER_STRENGTH == pytest.approx(best[5], abs=2e-5)
    if ties == "davidson":
        assert fit.tie_parameter == pytest.approx(np.exp(best[6]), abs=5e-5)
    if ties == "rao-kupper":
        assert fit.tie_parameter == pytest.approx(1 + np.exp(best[6]), abs=5e-5)
    if separate_bad:
        neither = best[7] - best[:4].mean()
        assert (fit.neither - 1000) / PER_STRENGTH == pytest.approx(neither, abs=5e-5)


def test_the_prior_is_normal_about_the_mean():
    """Penalised: log-likelihood minus half the squared distances over the variance."""
    frame = draw_votes(np.random.default_rng(6), 60, "davidson")
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles, "drop", prior_sd=80)
    kept = frame[frame["winner"] != "tie"]
    codes = [kept[name].str[1:].astype(int).to_numpy() for name in ("model_a", "model_b")]
    won = np.where(kept["winner"] == "model_a", 1, -1)

    def loss(point):
        gap = won * (point[codes[0]] - point[codes[1]])
        distance = (point - point.mean()) * PER_STRENGTH / 80
        return np.log1p(np.exp(-gap)).sum() + (distance**2).sum() / 2

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7}).x
    assert fit.ratings.to_numpy() - 1000 == pytest.approx(
        PER_STRENGTH * (best - best.mean()), abs=1e-2
    )


def test_a_prior_rates_every_model_but_keeps_the_status(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 0), ("D", "A"): (3, 0, 0), ("X", "Y"): (1, 1, 0)})
    board = ratings.leaderboard(ratings.Battles.from_frame(frame, models=["new"]), prior_sd=100)
    assert board["rating"].notna().all()
    assert (board["variance"] > 0).all()
    status = board.set_index("model")["status"]
    assert status["D"] == "undefeated"
    assert status["X"] == status["new"] == "disconnected"
    new = board.set_index("model").loc["new"]
    # Nothing but the prior: its own variance, less what the mean of six shares of it.
    assert new["variance"] == pytest.approx(100**2 * (1 - 1 / 6), rel=0.02)


def test_swapped_sides_reverse_the_side_effect():
    frame = draw_votes(np.random.default_rng(7), 300, "davidson", side=0.5)
    other = {"model_a": "model_b", "model_b": "model_a"}
    swapped = frame.rename(columns=other).assign(winner=frame["winner"].replace(other))
    one, two = (
        ratings.bradley_terry(ratings.Battles.from_frame(each), "davidson", side=True)
        for each in (frame, swapped)
    )
    assert two.ratings.to_numpy() == pytest.approx(one.ratings.to_numpy(), abs=1e-6)
    assert two.effects["side"] == pytest.approx(-one.effects["side"], abs=1e-6)


def test_effects_that_never_vary_are_refused(votes_of):
    always_left = votes_of({("A", "B"): (6, 4, 0), ("A", "C"): (3, 5, 0)})
    battles = ratings.Battles.from_frame(always_left.assign(loud_a=1.0, loud_b=1.0))
    with pytest.raises(ratings.OptionError, match="side's advantage cannot be separated"):
        ratings.bradley_terry(battles, side=True)
    with pytest.raises(ratings.OptionError, match="'loud' is the same in all votes"):
        ratings.bradley_terry(battles, covariates=["loud"])
    broken = always_left.assign(loud=[*[0.5] * 17, np.nan])
    with pytest.raises(ratings.VotesError, match="row 18: loud is nan"):
        ratings.bradley_terry(ratings.Battles.from_frame(broken), covariates=["loud"])


def test_without_a_finite_maximum_no_model_is_rated(votes_of):
    frame = votes_of({("A", "B"): (1, 0, 10)})
    for ties in ("davidson", "rao-kupper"):
        assert ratings.bradley_terry(ratings.Battles.from_frame(frame), ties).ratings.isna().all()
    only_left = votes_of({("A", "B"): (5, 0, 0), ("B", "A"): (3, 0, 0)})
    fit = ratings.bradley_terry(ratings.Battles.from_frame(only_left), side=True)
    assert fit.ratings.isna().all()
