"""Intervals: by hand, by brute force vote by vote, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm

import ratings

PER_STRENGTH = 400 / np.log(10)


def fitted(frame, ties="half", *, anchors=None, **options):
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles, ties, anchors=anchors)
    return fit, ratings.intervals(battles, fit, **options)


def test_two_models_by_hand(votes_of):
    """12 wins, 5 losses and 3 ties as half wins: p = 0.675.

    The gap has the variance (12 (1-p)^2 + 5 p^2 + 3 (1/2-p)^2) / (20 p (1-p))^2, and each rating,
    half a gap from the mean, a quarter of it.
    """
    _, around = fitted(votes_of({("A", "B"): (12, 5, 3)}), confidence=0.9)
    by_hand = (12 * 0.325**2 + 5 * 0.675**2 + 3 * 0.175**2) / (20 * 0.675 * 0.325) ** 2
    expected = by_hand / 4 * PER_STRENGTH**2
    assert around.variance.to_numpy() == pytest.approx([expected, expected])
    width = (around.upper - around.lower).to_numpy()
    assert width == pytest.approx(2 * 1.6448536 * np.sqrt(expected))  # 95% point of the normal
    assert around.cluster is None


def brute_force_covariance(frame, fit, clusters):
    """Sandwich from numerical derivatives of each vote's log-likelihood.

    Clusters' scores are corrected by (I - H_g H^-)^(-1/2), with a matrix function for the root.
    """
    names = list(fit.ratings.index)
    davidson = fit.ties == "davidson"
    point = np.append((fit.ratings.to_numpy() - 1000) / PER_STRENGTH, [np.log(0.5)])
    if davidson:
        point[-1] = np.log(fit.tie_parameter)
    weight = frame["weight"].to_numpy() if "weight" in frame else np.ones(len(frame))

    def terms(at):
        strengths = dict(zip(names, at, strict=False))
        gap = (
            frame["model_a"].map(strengths).to_numpy() - frame["model_b"].map(strengths).to_numpy()
        )
        nu = np.exp(at[-1]) if davidson else 0.0
        total = np.log(np.exp(gap / 2) + np.exp(-gap / 2) + nu)
        exponent = {"model_a": gap / 2, "model_b": -gap / 2, "tie": 0 * gap + davidson * at[-1]}
        chosen = np.select([frame["winner"] == word for word in exponent], exponent.values())
        return weight * (chosen - total)

    size = len(names) + davidson
    eye = np.eye(len(point))[:size]

    def scores(at):
        return np.stack([(terms(at + 1e-4 * e) - terms(at - 1e-4 * e)) / 2e-4 for e in eye], 1)

    def by_cluster(values):
        return pd.DataFrame(values).groupby(np.asarray(clusters)).sum().to_numpy()

    curved = [(scores(point + 1e-4 * e) - scores(point - 1e-4 * e)) / -2e-4 for e in eye]
    bread = np.linalg.pinv(np.stack([each.sum(axis=0) for each in curved]), rcond=1e-6)
    sums = by_cluster(scores(point))
    if len(sums) < len(frame):
        information = np.stack([by_cluster(each) for each in curved], axis=1)
        sums = np.stack(
            [
                sqrtm(np.linalg.inv(np.eye(size) - h @ bread)).real @ s
                for h, s in zip(information, sums, strict=True)
            ]
        )
    covariance = (bread @ sums.T @ sums @ bread)[: len(names), : len(names)]
    centre = np.eye(len(names)) - 1 / len(names)
    return centre @ covariance @ centre * PER_STRENGTH**2


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cluster", [None, "voter"])
def test_agrees_with_brute_force(simulate_votes, ties, weighted, cluster):
    random = np.random.default_rng(8)
    frame = simulate_votes([0, 120, 40, -60], 250, nu=0.6, random=random)
    frame["evaluation_session_id"] = random.integers(30, size=len(frame))
    if weighted:
        frame["weight"] = random.uniform(0.5, 3, size=len(frame))
    fit, around = fitted(frame, ties, cluster=cluster)
    by_vote = cluster is None
    clusters = np.arange(len(frame)) if by_vote else frame["evaluation_session_id"]
    expected = brute_force_covariance(frame, fit, clusters) * (1 if by_vote else 30 / 29)
    assert around.covariance.to_numpy() == pytest.approx(expected, rel=1e-3, abs=1e-1)
    assert around.covariance.sum().to_numpy() == pytest.approx(np.zeros(4), abs=1e-6)
    assert around.cluster == (None if by_vote else "evaluation_session_id")


def test_variance_is_inversely_proportional_to_votes(simulate_votes):
    frame = simulate_votes([0, 100, -50], 200, nu=0.4, random=np.random.default_rng(1))
    for ties in ("half", "davidson", "drop"):
        once = fitted(frame, ties)[1].variance
        thrice = fitted(pd.concat([frame] * 3), ties)[1].variance
        weighted = fitted(frame.assign(weight=3), ties)[1].variance
        assert thrice.to_numpy() == pytest.approx(once.to_numpy() / 3)
        assert weighted.to_numpy() == pytest.approx(once.to_numpy())


def test_repeated_votes_of_a_voter_add_no_evidence(simulate_votes):
    frame = simulate_votes([0, 100, -50], 200, nu=0.4, random=np.random.default_rng(1))
    frame["voter"] = np.arange(len(frame))
    alone = fitted(frame, cluster="voter")[1]
    copied = fitted(pd.concat([frame] * 5), cluster="voter")[1]
    assert copied.variance.to_numpy() == pytest.approx(alone.variance.to_numpy())
    without_voters = frame.assign(voter=None)
    assert fitted(without_voters, cluster="voter")[1].variance.to_numpy() == pytest.approx(
        alone.variance.to_numpy()
    )


def test_an_anchor_has_no_variance_but_adds_its_noise_to_the_others(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1), ("B", "C"): (5, 5, 0), ("C", "A"): (2, 7, 0)})
    free, held = (fitted(frame, anchors=anchors)[1] for anchors in (None, {"B": 1000}))
    assert held.variance["B"] == pytest.approx(0, abs=1e-9)
    c = free.covariance
    expected = c.loc["A", "A"] + c.loc["B", "B"] - 2 * c.loc["A", "B"]
    assert held.variance["A"] == pytest.approx(expected)


def test_ties_between_equals_still_have_an_interval(votes_of):
    """A single tie has information 1/4 by the model, so the gap has variance 4, a rating 1."""
    _, around = fitted(votes_of({("A", "B"): (0, 0, 1)}))
    assert around.variance.to_numpy() == pytest.approx([PER_STRENGTH**2] * 2)
    _, around = fitted(votes_of({("A", "B"): (5, 5, 0), ("B", "C"): (0, 0, 1)}))
    c = around.covariance
    gap = c.loc["B", "B"] + c.loc["C", "C"] - 2 * c.loc["B", "C"]
    assert gap == pytest.approx(4 * PER_STRENGTH**2)


def test_a_single_voter_does_not_make_ratings_certain(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1)}).assign(voter="only")
    around = fitted(frame, cluster="voter")[1]
    assert around.variance.to_numpy() == pytest.approx(fitted(frame)[1].variance.to_numpy())
    assert (around.cluster, around.cluster_note) == (None, "all votes are of one voter")
    two = frame.assign(voter=["only"] * 10 + ["another"])
    assert fitted(two, cluster="voter")[1].cluster_note is None
    many = pd.concat([frame] * 200).assign(voter="only")  # beyond the votes looked at first
    many.iloc[-1, -1] = "another"
    assert fitted(many, cluster="voter")[1].cluster == "voter"


def test_the_note_is_about_the_votes_used_where_other_votes_are_of_other_voters(votes_of):
    """D, who lost to A once, has no rating, so the vote of the other voter is not used."""
    frame = votes_of({("A", "B"): (6, 4, 1), ("A", "D"): (1, 0, 0)})
    around = fitted(frame.assign(voter=["only"] * 11 + ["another"]), cluster="voter")[1]
    note = "the votes used, all between rated models, are of one voter"
    assert (around.cluster, around.cluster_note) == (None, note)


def test_a_constant_second_cluster_column_is_left_out(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1)}).assign(prompt="p", voter=list("xyxyxyxyxyx"))
    around = fitted(frame, cluster=["voter", "prompt"])[1]
    assert (around.cluster, around.cluster_note) == ("voter", "all votes are of one prompt")


def test_a_fit_of_other_votes_is_refused(votes_of):
    """Also of the same models; reordered votes are the same votes."""
    frame = votes_of({("A", "B"): (6, 4, 1), ("B", "C"): (3, 5, 2), ("C", "A"): (4, 4, 0)})
    frame = frame.assign(voter=np.arange(len(frame)) % 7, weight=np.linspace(0.1, 2, len(frame)))
    battles, others = (ratings.Battles.from_frame(part) for part in (frame, frame.iloc[:-1]))
    fit = ratings.bradley_terry(battles)
    around = ratings.intervals(battles, fit)
    for use in (
        lambda votes: ratings.intervals(votes, fit),
        lambda votes: ratings.plan(votes, fit, around),
        lambda votes: ratings.simulate_power(votes, fit, around, 10),
        lambda votes: ratings.votes_to_flip(votes, fit),
        lambda votes: ratings.influence(votes, fit),
        lambda votes: ratings.screen_voters(votes, fit),
    ):
        with pytest.raises(ratings.OptionError, match="the fit is of other votes: fit these votes"):
            use(others)
    turned = ratings.Battles.from_frame(frame.iloc[::-1])
    assert ratings.intervals(turned, fit).variance.to_numpy() == pytest.approx(
        around.variance.to_numpy()
    )
    again = ratings.bradley_terry(battles, "drop")
    with pytest.raises(ratings.OptionError, match="the intervals are of another fit"):
        ratings.plan(battles, again, around)


@pytest.mark.parametrize("ties", ["half", "davidson", "drop"])
def test_coverage_is_95_percent(simulate_votes, ties):
    """With half a win for a tie the target is what endless votes would give, so use no ties."""
    random = np.random.default_rng(20)
    truth = np.array([0.0, 80, -120, 40, 10])
    nu = 0.0 if ties == "half" else 0.35
    rounds, held = 150, 0
    for _ in range(rounds):
        frame = simulate_votes(truth, 600, nu=nu, random=random)
        _, around = fitted(frame, ties)
        at = truth - truth.mean() + 1000
        held += ((around.lower <= at) & (at <= around.upper)).sum()
    assert 0.93 <= held / (rounds * len(truth)) <= 0.97


def test_invalid_options_are_refused(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1)})
    for options, message in [
        ({"method": "jackknife"}, "method must be one of sandwich, bootstrap, profile"),
        ({"method": "bootstrap", "rounds": 10}, "at least 100 rounds"),
        ({"method": "bootstrap", "cluster": ["model_a", "model_b"]}, "one column of clusters"),
        ({"method": "profile", "cluster": "model_a"}, "profile intervals are by vote"),
        ({"cluster": ["a", "b", "c"]}, "one or two columns, not 3"),
        ({"confidence": 95}, "between 0 and 1, not 95"),
        ({"cluster": "judge"}, "no column 'judge' to cluster by"),
    ]:
        with pytest.raises(ratings.OptionError, match=message):
            fitted(frame, **options)
    assert fitted(frame, cluster="auto")[1].cluster is None
    with pytest.raises(ratings.OptionError, match="no column 'voter' to cluster by, nor 'eval"):
        fitted(frame, cluster="voter")
    other = ratings.Battles.from_frame(votes_of({("A", "C"): (6, 4, 1)}))
    with pytest.raises(ratings.OptionError, match="other models"):
        ratings.intervals(other, fitted(frame)[0])
