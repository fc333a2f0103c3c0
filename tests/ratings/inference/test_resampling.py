"""Bootstrap, profile likelihood, two-way clustering, probability of being above."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2, norm

import ratings

PER_STRENGTH = 400 / np.log(10)


def fitted(frame, ties="half", *, fit_with=None, **options):
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles, ties, **(fit_with or {}))
    return fit, ratings.intervals(battles, fit, **options)


@pytest.fixture
def some_votes(simulate_votes):
    return simulate_votes([0, 120, 40, -60], 900, nu=0.6, random=np.random.default_rng(8))


@pytest.mark.parametrize(
    ("ties", "fit_with"),
    [
        ("half", {}),
        ("davidson", {"side": True}),
        ("rao-kupper", {}),
        ("davidson", {"both_bad": "own"}),
        ("drop", {"prior_sd": 150}),
    ],
)
def test_the_bootstrap_agrees_with_the_sandwich(some_votes, ties, fit_with):
    random = np.random.default_rng(2)
    weak = some_votes["model_a"].isin(["m0", "m3"]) & some_votes["model_b"].isin(["m0", "m3"])
    bad = random.random(len(some_votes)) < np.where(weak, 0.4, 0.1)
    frame = some_votes.assign(winner=some_votes["winner"].where(~bad, "both_bad"))
    _, sandwich = fitted(frame, ties, fit_with=fit_with)
    _, drawn = fitted(frame, ties, fit_with=fit_with, method="bootstrap", rounds=3000)
    # The standard error of a standard deviation from 3,000 draws is 1.3% of it.
    wide = 0.2 if "prior_sd" in fit_with else 0.07
    assert np.sqrt(drawn.variance / sandwich.variance).to_numpy() == pytest.approx(1, abs=wide)
    assert drawn.rounds == 3000
    assert drawn.left_out == 0


def test_a_bootstrap_refit_is_the_fit_to_the_resampled_votes(some_votes):
    """Weight 0 or 2 for some votes of a cluster bootstrap of two clusters: only three results."""
    half = some_votes.assign(voter=np.arange(len(some_votes)) % 2)
    _, around = fitted(half, method="bootstrap", rounds=400, cluster="voter")
    first, second, both = (
        fitted(frame)[0].ratings
        for frame in (half[half["voter"] == 0], half[half["voter"] == 1], half)
    )
    ends = np.sort(np.stack([first, second, both]), axis=0)[[0, 2]]
    assert around.lower.to_numpy() == pytest.approx(ends[0], abs=1e-3)
    assert around.upper.to_numpy() == pytest.approx(ends[1], abs=1e-3)


def test_the_bootstrap_of_weighted_votes_agrees_with_the_sandwich(some_votes):
    weight = np.random.default_rng(4).uniform(0.2, 3, size=len(some_votes))
    frame = some_votes.assign(weight=weight, voter=np.arange(len(some_votes)))
    _, sandwich = fitted(frame)
    for cluster in (None, "voter"):
        _, drawn = fitted(frame, method="bootstrap", rounds=2000, cluster=cluster)
        assert np.sqrt(drawn.variance / sandwich.variance).to_numpy() == pytest.approx(1, abs=0.07)


def test_the_same_seed_gives_the_same_intervals(some_votes):
    one, two = (fitted(some_votes, method="bootstrap", rounds=100, seed=3)[1] for _ in range(2))
    assert one.lower.equals(two.lower)


def test_rounds_without_finite_ratings_are_left_out_and_counted(votes_of):
    frame = votes_of({("A", "B"): (2, 1, 0), ("B", "C"): (2, 2, 0), ("C", "A"): (1, 1, 0)})
    _, around = fitted(frame, method="bootstrap", rounds=300)
    assert 0 < around.left_out < 300
    assert np.isfinite(around.upper).all()


def test_profile_intervals_end_where_the_likelihood_has_fallen(votes_of):
    """Two models, 7 wins to 2: the gap's likelihood is binomial, and can be solved by hand."""
    _, around = fitted(votes_of({("A", "B"): (7, 2, 0)}), "drop", method="profile")

    def fall(gap):
        def level(at):
            return -7 * np.log1p(np.exp(-at)) - 2 * np.log1p(np.exp(at))

        return 2 * (level(np.log(7 / 2)) - level(gap)) - chi2.ppf(0.95, 1)

    ends = [brentq(fall, -5, np.log(3.5)), brentq(fall, np.log(3.5), 9)]
    bounds = [around.lower["A"] - 1000, around.upper["A"] - 1000]
    assert np.array(bounds) * 2 / PER_STRENGTH == pytest.approx(ends, abs=1e-5)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_profile_and_sandwich_agree_with_many_votes(simulate_votes, ties):
    frame = simulate_votes([0, 60, -60], 6000, nu=0.5, random=np.random.default_rng(1))
    _, profile = fitted(frame, ties, method="profile")
    _, sandwich = fitted(frame, ties)
    width = (sandwich.upper - sandwich.lower).to_numpy()
    assert (profile.upper - profile.lower).to_numpy() == pytest.approx(width, rel=0.05)


def test_the_profile_of_a_fixed_anchor_has_no_width(votes_of):
    frame = votes_of({("A", "B"): (7, 2, 0), ("B", "C"): (3, 3, 0)})
    fit_with = {"anchors": {"B": 1000}}
    _, around = fitted(frame, "drop", fit_with=fit_with, method="profile")
    assert around.lower["B"] == around.upper["B"] == pytest.approx(1000)
    assert around.lower["A"] < around.upper["A"]


def test_two_way_clustering_subtracts_the_intersection(some_votes):
    random = np.random.default_rng(9)
    frame = some_votes.assign(
        voter=random.integers(60, size=len(some_votes)),
        prompt_id=random.integers(50, size=len(some_votes)),
    )
    frame["pair"] = frame["voter"] * 1000 + frame["prompt_id"]
    voter, prompt, pair, both = (
        fitted(frame, cluster=cluster)[1]
        for cluster in ("voter", "prompt", "pair", ["voter", "prompt"])
    )
    expected = voter.covariance + prompt.covariance - pair.covariance
    assert both.covariance.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)
    assert both.cluster == "voter and prompt_id"
    assert (both.df == np.minimum(voter.df, prompt.df)).all()


def test_few_voters_make_intervals_wider_than_the_normal(some_votes):
    few = some_votes.assign(voter=np.arange(len(some_votes)) % 5)
    _, around = fitted(few, cluster="voter")
    assert (around.df < 16).all()
    reach = (around.upper - around.lower) / 2 / np.sqrt(around.variance)
    assert (reach > norm.ppf(0.975)).all()


def test_probability_above_is_from_the_difference(some_votes):
    fit, around = fitted(some_votes)
    above = ratings.probability_above(fit, around)
    c, r = around.covariance, fit.ratings
    error = np.sqrt(c.loc["m1", "m1"] + c.loc["m2", "m2"] - 2 * c.loc["m1", "m2"])
    assert above.loc["m1", "m2"] == pytest.approx(norm.cdf((r["m1"] - r["m2"]) / error))
    off = ~np.eye(4, dtype=bool)
    assert (above + above.T).to_numpy()[off] == pytest.approx(1)
    assert np.isnan(np.diag(above)).all()


@pytest.mark.parametrize("method", ["sandwich", "bootstrap", "profile"])
def test_without_rated_models_the_result_is_empty(votes_of, method):
    for frame in (votes_of({}), votes_of({("A", "B"): (1, 0, 0)})):
        fit, around = fitted(frame, method=method)
        assert around.lower.isna().all()
        assert around.covariance.shape == (0, 0)
        assert ratings.probability_above(fit, around).shape == (0, 0)


def test_coverage_with_differing_tastes_and_a_voter_with_an_eighth_of_the_votes():
    """Coverage of 95% intervals by voter where votes alone would hold about 81%."""
    held, rounds, models = 0, 40, 8
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    for seed in range(rounds):
        random = np.random.default_rng(seed)
        truth = random.normal(0, 100, models) / PER_STRENGTH
        share = 1 / np.arange(1, 501)
        voter = random.choice(500, size=4000, p=share / share.sum())
        taste = random.normal(0, 60, (500, models)) / PER_STRENGTH
        a = random.integers(models, size=4000)
        b = (a + random.integers(1, models, size=4000)) % models
        gap = (truth + taste)[voter, a] - (truth + taste)[voter, b]
        won = random.random(4000) < 1 / (1 + np.exp(-gap))
        frame = pd.DataFrame({"model_a": a, "model_b": b, "voter": voter}).astype(
            {"model_a": str, "model_b": str}
        )
        frame["winner"] = np.where(won, "model_a", "model_b")
        _, around = fitted(frame, cluster="voter")
        # What endless voters would give: tastes flatten every gap by about the same factor.
        apart = truth[:, None] - truth[None, :]
        noise = nodes * 60 / PER_STRENGTH * np.sqrt(2)
        chance = (weights / weights.sum() / (1 + np.exp(-apart[..., None] - noise))).sum(axis=-1)

        def loss(factor, chance=chance, apart=apart):
            level = 1 / (1 + np.exp(-factor * apart))
            return -(chance * np.log(level) + (1 - chance) * np.log(1 - level)).sum()

        flat = minimize_scalar(loss, bounds=(0.5, 1), method="bounded").x
        target = 1000 + flat * PER_STRENGTH * (truth - truth.mean())
        held += ((around.lower <= target) & (target <= around.upper)).sum()
    assert 0.91 <= held / (rounds * models) <= 0.985
