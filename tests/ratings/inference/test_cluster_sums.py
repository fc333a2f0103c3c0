"""Sums over clusters give the same intervals as the votes, also after votes are added."""

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.inference import cluster_sums
from ratings.inference.cluster_sums import ClusterSums, ClusterVotes, OutdatedSums

MODELS = tuple(f"m{number}" for number in range(6))
WINNERS = ["model_a", "model_b", "tie", "both_bad"]
PUBLISHED = 5e-7  # half of the last published decimal


def draw(votes: int, voters: int, seed: int, *, heavy: bool = False) -> ClusterVotes:
    """Votes by voters with a taste of their own; some voters cast many."""
    random = np.random.default_rng(seed)
    left = random.integers(0, len(MODELS), votes)
    right = (left + random.integers(1, len(MODELS), votes)) % len(MODELS)
    voter = random.integers(0, voters, votes)
    if heavy:
        voter[: votes // 4] = voters  # one voter casts a quarter
    taste = random.normal(0, 0.4, (voters + 1, len(MODELS)))
    lead = (right - left) * 0.15 + taste[voter, left] - taste[voter, right]
    outcome = np.where(random.random(votes) < 1 / (1 + np.exp(-lead)), 0, 1)
    outcome = np.where(random.random(votes) < 0.15, random.integers(2, 4, votes), outcome)
    return ClusterVotes(left.astype(np.int16), right, outcome.astype(np.int8), voter)


def from_votes(votes: ClusterVotes) -> tuple[ratings.Battles, pd.DataFrame]:
    names = np.array(MODELS, dtype=object)
    frame = pd.DataFrame(
        {
            "model_a": names[votes.left],
            "model_b": names[votes.right],
            "winner": np.array(WINNERS, dtype=object)[votes.outcome],
            "voter": votes.cluster,
        }
    )
    battles = ratings.Battles.from_frame(frame, models=MODELS)
    return battles, ratings.leaderboard(battles)


def sums_of(votes: ClusterVotes) -> ClusterSums:
    fit = ratings.bradley_terry(from_votes(votes)[0])
    return ClusterSums(MODELS, votes, fit, column="voter")


def assert_same(sums: ClusterSums, votes: ClusterVotes) -> None:
    battles, expected = from_votes(votes)
    counted = ratings.Battles.from_counts(MODELS, battles.counts)
    board = ratings.leaderboard(counted, sums=sums)
    pd.testing.assert_frame_equal(board, expected, check_exact=False, rtol=0, atol=PUBLISHED)
    assert board.attrs["cluster"] == "voter"


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize(("votes", "voters"), [(400, 5), (3000, 40), (20_000, 3000)])
def test_the_board_is_that_of_the_votes(votes: int, voters: int, heavy: bool) -> None:
    drawn = draw(votes, voters, seed=votes, heavy=heavy)
    sums = sums_of(drawn)
    assert_same(sums, drawn)
    assert (len(sums.large.cluster) > 0) == (heavy or voters < 1000)


@pytest.mark.parametrize("heavy", [False, True])
def test_votes_that_are_added_count_like_those_before(
    heavy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = draw(120_000, 20_000, seed=7, heavy=heavy)
    shuffled = everything.select(np.random.default_rng(1).permutation(120_000))
    known = shuffled.select(np.arange(119_000))
    sums = sums_of(known)
    # The movement of a small arena's ratings is large: the sums themselves must hold.
    monkeypatch.setattr(cluster_sums, "TOLERANCE", 1.0)
    for start in range(119_000, 120_000, 250):
        new = shuffled.select(np.arange(start, start + 250))
        sums.add(known, new)  # only those of the same clusters are used
        known = known.followed_by(new)
    built = sums_of(known)
    for name in ("yy", "yn", "nn", "counts"):
        if len(built.large.cluster) == len(sums.large.cluster):
            assert np.array_equal(getattr(built, name), getattr(sums, name))
    battles, expected = from_votes(known)
    board = ratings.leaderboard(ratings.Battles.from_counts(MODELS, battles.counts), sums=sums)
    pd.testing.assert_series_equal(board["variance"], expected["variance"], rtol=1e-9)
    pd.testing.assert_frame_equal(board, expected, check_exact=False, rtol=0, atol=0.05)


def test_sums_say_when_the_ratings_have_moved_too_far() -> None:
    drawn = draw(4000, 40, seed=3)
    sums = sums_of(drawn.select(np.arange(2000)))
    earlier, new = drawn.select(np.arange(2000)), drawn.select(np.arange(2000, 4000))
    sums.add(earlier, new)
    battles, _ = from_votes(drawn)
    with pytest.raises(OutdatedSums, match="build them again"):
        ratings.leaderboard(ratings.Battles.from_counts(MODELS, battles.counts), sums=sums)


def test_other_rules_and_unrated_models_are_refused() -> None:
    drawn = draw(400, 20, seed=5)
    battles, _ = from_votes(drawn)
    with pytest.raises(ratings.OptionError, match="half"):
        ClusterSums(MODELS, drawn, ratings.bradley_terry(battles, "davidson"), column="voter")
    sums = sums_of(drawn)
    with pytest.raises(ratings.OptionError, match="sandwich"):
        ratings.leaderboard(battles, sums=sums, rounds=100)
    one_way = ClusterVotes(*(np.array([value] * 3) for value in (0, 1, 0, 0)))
    one_sided, _ = from_votes(one_way)
    with pytest.raises(ratings.OptionError, match="rating of every model"):
        ClusterSums(MODELS, one_way, ratings.bradley_terry(one_sided), column="voter")


def test_coded_votes_are_those_of_the_table() -> None:
    drawn = draw(500, 20, seed=11)
    battles, _ = from_votes(drawn)
    coded = ratings.Battles.from_codes(MODELS, drawn.left, drawn.right, drawn.outcome)
    assert np.array_equal(coded.counts, battles.counts)
    for name in ("a", "b", "outcome"):
        assert np.array_equal(getattr(coded, name), getattr(battles, name))
