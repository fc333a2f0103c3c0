"""Bradley-Terry ratings: published examples, an independent optimiser, invariances."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import ratings
from ratings.model.connectivity import has_maximum
from ratings.model.design import Design, Extra
from ratings.model.outcomes import TIE, OutcomeRules

PER_STRENGTH = 400 / np.log(10)


def fit(frame, ties="half", **options):
    return ratings.bradley_terry(ratings.Battles.from_frame(frame), ties, **options)


# Citations among statistics journals (Stigler 1994; Agresti 2002, p. 448): the row is cited by
# the column. Turner and Firth (2012), Journal of Statistical Software 48(9), section 2.1, print
# the abilities against Biometrika.
JOURNALS = ["Biometrika", "Comm Statist", "JASA", "JRSS-B"]
CITED = [[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]]
PRINTED = {"Comm Statist": -2.94907, "JASA": -0.47957, "JRSS-B": 0.26895}


def test_journal_citations_to_every_printed_digit(votes_of):
    counts = {
        (JOURNALS[i], JOURNALS[j]): (CITED[i][j], CITED[j][i], 0)
        for i in range(4)
        for j in range(i + 1, 4)
    }
    fitted = fit(votes_of(counts)).ratings / PER_STRENGTH
    for journal, ability in PRINTED.items():
        assert fitted[journal] - fitted["Biometrika"] == pytest.approx(ability, abs=5e-6)


# Chocolate puddings (Davidson 1970, table 1): pair, preferred first, preferred second, no choice.
PUDDINGS = {
    ("1", "2"): (19, 22, 16),
    ("1", "3"): (16, 19, 12),
    ("2", "3"): (19, 19, 10),
    ("1", "4"): (18, 23, 13),
    ("2", "4"): (23, 19, 9),
    ("3", "4"): (19, 20, 15),
    ("1", "5"): (13, 19, 18),
    ("2", "5"): (16, 20, 12),
    ("3", "5"): (16, 15, 17),
    ("4", "5"): (17, 14, 16),
    ("1", "6"): (18, 21, 12),
    ("2", "6"): (22, 20, 12),
    ("3", "6"): (13, 18, 10),
    ("4", "6"): (14, 19, 18),
    ("5", "6"): (11, 21, 12),
}
# The worths as the vignette of R's PlackettLuce prints them, from seven steps of its iteration.
WORTHS = [0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855]
TIE_WORTH = 0.7468147


def test_davidsons_puddings_with_ties(votes_of):
    fitted = fit(votes_of(PUDDINGS), "davidson")
    worths = np.exp((fitted.ratings - 1000) / PER_STRENGTH)
    assert (worths / worths.sum()).to_numpy() == pytest.approx(WORTHS, abs=3e-5)
    assert fitted.tie_parameter == pytest.approx(TIE_WORTH, abs=3e-5)


def raw_log_likelihood(frame, names, strengths, ties, nu):
    """Vote by vote, as the formula is written."""
    total = 0.0
    for row in frame.itertuples():
        a, b = (np.exp(strengths[names.index(name)]) for name in (row.model_a, row.model_b))
        sum_ = a + b + nu * np.sqrt(a * b)
        share = {"model_a": a / sum_, "model_b": b / sum_, "tie": nu * np.sqrt(a * b) / sum_}
        if row.winner != "tie" or ties == "davidson":
            total += np.log(share[row.winner])
        elif ties == "half":
            total += (np.log(share["model_a"]) + np.log(share["model_b"])) / 2
    return total


@pytest.mark.parametrize("ties", ["half", "drop", "davidson"])
def test_agrees_with_a_plain_optimiser_on_the_raw_likelihood(simulate_votes, ties):
    frame = simulate_votes([0, 150, 60, -80], 300, nu=0.5, random=np.random.default_rng(3))
    fitted = fit(frame, ties)
    names = list(fitted.ratings.index)

    def loss(point):
        nu = np.exp(point[-1]) if ties == "davidson" else 0.0
        return -raw_log_likelihood(frame, names, point[:-1], ties, nu)

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-6})
    expected = PER_STRENGTH * (best.x[:4] - best.x[:4].mean()) + 1000
    assert fitted.ratings.to_numpy() == pytest.approx(expected, abs=1e-2)
    assert fitted.log_likelihood == pytest.approx(-best.fun, abs=1e-6)
    if ties == "davidson":
        assert fitted.tie_parameter == pytest.approx(np.exp(best.x[4]), abs=1e-4)


@st.composite
def connected_votes(draw):
    """Any votes among a few models, and a round of wins that connects them all."""
    size = draw(st.integers(2, 5))
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(
        lambda pair: pair[0] != pair[1]
    )
    words = st.sampled_from(["model_a", "model_b", "tie", "both_bad"])
    votes = draw(st.lists(st.tuples(pairs, words), max_size=40))
    votes += [((i, (i + 1) % size), "model_a") for i in range(size)]
    return pd.DataFrame(
        [(f"m{a}", f"m{b}", word) for (a, b), word in votes],
        columns=["model_a", "model_b", "winner"],
    )


TIES = st.sampled_from(["half", "drop", "davidson"])
SIDES = {"model_a": "model_b", "model_b": "model_a"}


def assert_same(one, other):
    pd.testing.assert_series_equal(one, other, check_exact=False, atol=1e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(connected_votes(), TIES)
def test_swapped_sides_and_row_order_do_not_matter(frame, ties):
    swapped = frame.rename(columns=SIDES).assign(winner=frame["winner"].replace(SIDES))
    once = fit(frame, ties).ratings
    assert_same(fit(swapped, ties).ratings, once)
    assert_same(fit(frame.iloc[::-1], ties).ratings, once)


@settings(max_examples=40, deadline=None)
@given(connected_votes(), TIES, st.randoms(use_true_random=False))
def test_names_do_not_affect_ratings(frame, ties, random):
    names = sorted(set(frame["model_a"]) | set(frame["model_b"]))
    others = random.sample(["zebra", "Ada", "7", "émile", "NA"], len(names))
    renamed = frame.replace(
        {side: dict(zip(names, others, strict=True)) for side in ("model_a", "model_b")}
    )
    once = fit(frame, ties).ratings
    again = fit(renamed, ties).ratings
    assert_same(again.loc[others].set_axis(once.loc[names].index), once.loc[names])


@settings(max_examples=40, deadline=None)
@given(connected_votes(), TIES, st.floats(1e-3, 1e3))
def test_weights_matter_only_relative_to_each_other(frame, ties, weight):
    assert_same(fit(frame.assign(weight=weight), ties).ratings, fit(frame, ties).ratings)


@settings(max_examples=25, deadline=None)
@given(connected_votes(), TIES, st.integers(2, 4))
def test_an_integer_weight_equals_repeated_votes(frame, ties, times):
    repeated = pd.concat([frame, *[frame.iloc[:2]] * (times - 1)])
    weighted = frame.assign(weight=[times if i < 2 else 1 for i in range(len(frame))])
    assert_same(fit(weighted, ties).ratings, fit(repeated, ties).ratings)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(0, 1), (1, 2), (0, 2), (2, 3)]),
            st.sampled_from(["model_a", "model_b", "tie"]),
        ),
        max_size=8,
    ),
    TIES,
)
def test_few_votes_have_finite_ratings_or_none(votes, ties):
    frame = pd.DataFrame(
        [(f"m{a}", f"m{b}", word) for (a, b), word in votes],
        columns=["model_a", "model_b", "winner"],
    )
    fitted = fit(frame, ties).ratings
    assert not np.isinf(fitted).any()
    assert (fitted.dropna().abs() < 1e5).all()
    if fitted.notna().any():
        assert fitted.mean() == pytest.approx(1000)


def test_davidsons_likelihood_without_a_maximum_is_detected():
    """One win and ten ties: the loser's chance of ever winning has its best value at 0."""

    def has_finite_maximum(*counts):
        design = Design(
            2,
            np.array([0]),
            np.array([1]),
            np.array(counts, dtype=float)[:, None],
            OutcomeRules("davidson"),
            (Extra("tie", TIE),),
        )
        return has_maximum(design)

    assert not has_finite_maximum(1, 0, 10, 0)
    assert has_finite_maximum(1, 1, 10, 0)


def test_the_mean_is_1000_or_that_of_the_anchors(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1), ("B", "C"): (5, 5, 0), ("C", "A"): (2, 7, 0)})
    free = fit(frame).ratings
    assert free.mean() == pytest.approx(1000)
    held = fit(frame, anchors={"B": 1357}).ratings
    assert held["B"] == pytest.approx(1357)
    assert_same(held - held["A"], free - free["A"])
    both = fit(frame, anchors={"A": 1000, "C": 900}).ratings
    assert both[["A", "C"]].mean() == pytest.approx(950)


def test_an_invalid_anchor_is_refused(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 0), ("D", "A"): (3, 0, 0)})
    with pytest.raises(ratings.OptionError, match="anchor 'X' is not a model"):
        fit(frame, anchors={"X": 1000})
    with pytest.raises(ratings.OptionError, match="anchor 'D' cannot be rated"):
        fit(frame, anchors={"D": 1000})


def test_both_bad_is_a_tie_or_left_out(votes_of):
    frame = votes_of({("A", "B"): (6, 2, 3)})
    bad = frame.assign(winner=frame["winner"].replace({"tie": "both_bad"}))
    assert_same(fit(bad).ratings, fit(frame).ratings)
    assert_same(fit(bad, both_bad="drop").ratings, fit(frame, "drop").ratings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ties": "win"}, "ties must be one of half, davidson, rao-kupper, drop, not 'win'"),
        ({"both_bad": "bad"}, "both_bad must be one of tie, drop, own, not 'bad'"),
        ({"ties": "rao-kupper", "both_bad": "own"}, "both_bad='own' needs"),
        ({"prior_sd": 0}, "prior_sd must be a number above 0"),
        ({"covariates": ["loudness"]}, "neither the columns 'loudness_a'"),
    ],
)
def test_unknown_rules_are_refused(votes_of, options, message):
    with pytest.raises(ratings.OptionError, match=message):
        fit(votes_of({("A", "B"): (6, 2, 3)}), **options)


def test_very_uneven_counts_converge(votes_of):
    frame = votes_of({("A", "B"): (1, 1, 0), ("B", "C"): (1, 1, 0)})
    frame["weight"] = [1e9, 1, 1e9, 1]
    fitted = fit(frame).ratings
    assert fitted["A"] - fitted["B"] == pytest.approx(PER_STRENGTH * np.log(1e9), abs=1e-4)


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("seed", range(20, 60))
def test_weights_twelve_orders_of_magnitude_apart_converge(seed, ties):
    """At the maximum every model has taken what the model expects of it."""
    random = np.random.default_rng(seed)
    size = 2 + seed % 5
    pairs = [(i, (i + 1) % size) for i in range(size)]
    pairs += [tuple(random.choice(size, 2, replace=False)) for _ in range(2 * size)]
    words = ["model_a"] * size + random.choice(["model_a", "tie"], 2 * size).tolist()
    rows = [(f"m{a}", f"m{b}", word) for (a, b), word in zip(pairs, words, strict=True)]
    frame = pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])
    frame["weight"] = 10 ** random.uniform(-6, 6, size=len(frame))
    fitted = fit(frame, ties)
    assert fitted.steps < 100

    strengths = fitted.ratings / PER_STRENGTH
    gap = frame["model_a"].map(strengths).to_numpy() - frame["model_b"].map(strengths).to_numpy()
    nu = fitted.tie_parameter if ties == "davidson" else 0.0
    total = np.exp(gap / 2) + np.exp(-gap / 2) + nu
    taken = frame["winner"].map({"model_a": 0.5, "tie": 0.0}).to_numpy()
    surplus = frame["weight"] * (taken - (np.exp(gap / 2) - np.exp(-gap / 2)) / total / 2)
    left = surplus.groupby(frame["model_a"]).sum().reindex(fitted.ratings.index, fill_value=0)
    right = surplus.groupby(frame["model_b"]).sum().reindex(fitted.ratings.index, fill_value=0)
    assert (left - right).abs().max() <= 1e-9 * frame["weight"].max()


def test_of_equally_large_components_the_one_with_more_votes_is_rated(votes_of):
    frame = votes_of({("A", "B"): (1, 1, 0), ("C", "D"): (2, 2, 0)})
    assert fit(frame).ratings.dropna().index.tolist() == ["C", "D"]
    frame = votes_of({("A", "B"): (2, 1, 0), ("C", "D"): (1, 2, 0)})
    assert fit(frame).ratings.dropna().index.tolist() == ["A", "B"]


def test_the_pseudo_inverse_is_zero_along_the_null_direction():
    design = Design(3, np.array([0, 0, 1]), np.array([1, 2, 2]), np.ones((4, 3)), OutcomeRules())
    matrix = np.array([[3.0, -2, -1], [-2, 7, -5], [-1, -5, 6]])
    assert design.invert(matrix) == pytest.approx(np.linalg.pinv(matrix), abs=1e-12)
