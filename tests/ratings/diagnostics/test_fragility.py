"""The reported number of votes changes the first place, and one fewer does not."""

import itertools

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.diagnostics.removal import smallest_that_flips


def fragility(frame, ties="half", **options):
    battles = ratings.Battles.from_frame(frame)
    return ratings.votes_to_flip(battles, ratings.bradley_terry(battles, ties), **options)


def leader(frame, ties="half"):
    result = ratings.bradley_terry(ratings.Battles.from_frame(frame), ties).ratings
    return result.idxmax()


def test_two_models_need_the_difference_of_their_wins(votes_of):
    """7 wins to 4: removing 4 of the 7, or adding 4 for the other, reverses the order."""
    result = fragility(votes_of({("A", "B"): (7, 4, 0)}))
    assert (result.status, result.first, result.challenger) == ("ok", "A", "B")
    assert (result.votes, result.added) == (4, 4)
    assert result.share == pytest.approx(4 / 11)


@pytest.mark.parametrize("ties", ["half", "davidson", "rao-kupper"])
def test_no_smaller_set_of_votes_exists_in_a_small_table(votes_of, ties):
    frame = votes_of({("A", "B"): (4, 3, 1), ("B", "C"): (3, 2, 1), ("C", "A"): (2, 3, 1)})
    result = fragility(frame, ties)
    first = leader(frame, ties)
    assert result.first == first

    def flips(kept):
        ranked = ratings.bradley_terry(ratings.Battles.from_frame(kept), ties).ratings
        return ranked.notna().all() and len(ranked) == 3 and ranked.idxmax() != first

    for size in range(1, result.votes + 1):
        flipped = any(
            flips(frame.drop(index=list(rows)))
            for rows in itertools.combinations(range(len(frame)), size)
        )
        if flipped:
            break
    assert size == result.votes


def test_removing_the_named_voters_changes_the_first_place(simulate_votes):
    random = np.random.default_rng(5)
    frame = simulate_votes([0, 60, 55, -80], 2500, nu=0.3, random=random)
    share = 1 / np.arange(1, 101)
    frame["voter"] = random.choice(100, size=len(frame), p=share / share.sum()).astype(str)
    result = fragility(frame, by="voter")
    assert result.by == "voter"
    kept = frame[~frame["voter"].isin(result.voters)]
    assert leader(kept) == result.challenger
    assert leader(frame) == result.first
    assert result.votes == len(frame) - len(kept)
    one_fewer = frame[~frame["voter"].isin(result.voters[:-1])]
    assert leader(one_fewer) == result.first


def test_votes_added_for_the_challenger_change_the_first_place(simulate_votes):
    frame = simulate_votes([0, 60, 40], 900, nu=0.3, random=np.random.default_rng(2))
    result = fragility(frame)
    vote = {"model_a": result.challenger, "model_b": result.first, "winner": "model_a"}
    for votes, expected in [(result.added, result.challenger), (result.added - 1, result.first)]:
        assert leader(pd.concat([frame, pd.DataFrame([vote] * votes)])) == expected


def test_counts_alone_give_the_same_answer(simulate_votes):
    frame = simulate_votes([0, 60, 40], 900, nu=0.3, random=np.random.default_rng(2))
    battles = ratings.Battles.from_frame(frame)
    counted = ratings.Battles.from_counts(battles.models, battles.counts)
    fit = ratings.bradley_terry(battles)
    assert ratings.votes_to_flip(counted, fit) == ratings.votes_to_flip(battles, fit)


def test_weighted_votes_and_covariates(simulate_votes):
    random = np.random.default_rng(3)
    frame = simulate_votes([0, 60, 40], 900, nu=0.3, random=random)
    frame = frame.assign(weight=random.uniform(0.5, 2, 900), length=random.normal(size=900))
    battles = ratings.Battles.from_frame(frame)
    plain, adjusted = (
        ratings.votes_to_flip(battles, ratings.bradley_terry(battles, covariates=names))
        for names in ((), ("length",))
    )
    assert plain.status == adjusted.status == "ok"
    assert adjusted.votes == pytest.approx(plain.votes, rel=0.5)


def test_influence_is_the_effect_of_removing_a_voter(simulate_votes):
    random = np.random.default_rng(7)
    frame = simulate_votes([0, 60, 40, -30], 3000, nu=0.3, random=random)
    frame["voter"] = random.integers(150, size=3000).astype(str)
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    result = ratings.influence(battles, fit)
    assert result["votes"].sum() == 3000
    first, second = fit.ratings.sort_values().index[:-3:-1]
    for voter in result.index[:3]:
        others = ratings.Battles.from_frame(frame[frame["voter"] != voter])
        change = ratings.bradley_terry(others).ratings - fit.ratings
        assert result.loc[voter, "lead"] == pytest.approx(change[first] - change[second], abs=0.2)
        assert result.loc[voter, "largest"] == pytest.approx(
            change[result.loc[voter, "model"]], rel=0.1
        )


def test_tables_that_are_too_small_to_change(votes_of):
    assert fragility(votes_of({})).status == "alone"
    assert fragility(votes_of({("A", "B"): (3, 0, 0)})).status == "alone"
    one_voter = votes_of({("A", "B"): (5, 2, 0)}).assign(voter="x")
    assert fragility(one_voter, by="voter").status == "votes run out"
    with pytest.raises(ratings.OptionError, match="no column 'voter' to cluster by"):
        fragility(votes_of({("A", "B"): (5, 2, 0)}), by="voter")


@pytest.mark.parametrize(
    ("counts", "status", "added"),
    [
        ({("A", "B"): (2, 1, 0)}, "votes run out", 2),  # without one win they are level
        ({("A", "B"): (1, 0, 1)}, "votes run out", 2),
        ({("A", "B"): (1000, 1, 0)}, "votes run out", 1000),
        ({("L", "B"): (3, 1, 0), ("B", "C"): (30, 20, 3), ("C", "B"): (10, 12, 1)},
         "votes run out", 3),
        ({("A", "B"): (1, 1, 0)}, "tied", 1),
        ({("A", "B"): (0, 0, 3)}, "tied", 1),
    ],
)  # fmt: skip
def test_a_first_place_by_few_votes_is_never_firm(votes_of, counts, status, added):
    """Adding `added` votes changes the first place, and one fewer does not."""
    result = fragility(votes_of(counts))
    assert (result.status, result.votes, result.added) == (status, None, added)
    vote = {"model_a": result.challenger, "model_b": result.first, "winner": "model_a"}
    for votes, flips in [(added, True), (added - 1, False)]:
        fit = ratings.bradley_terry(
            ratings.Battles.from_frame(pd.concat([votes_of(counts), pd.DataFrame([vote] * votes)]))
        )
        ahead = fit.ratings[result.challenger] - fit.ratings[result.first]
        assert (ahead > 1e-6) == flips


def test_a_leader_without_need_of_any_vote_in_its_favour_is_firm(votes_of):
    frame = votes_of({("A", "B"): (5, 2, 0)}).assign(voter=list("xyxyxyx"))
    result = fragility(frame, by="voter")
    assert (result.status, result.challenger, result.added) == ("firm", "B", 4)


def test_the_influence_of_a_voter_with_many_votes_is_nearly_that_of_a_refit(simulate_votes):
    """With two fifths of all votes, the first order without leverage would be too small."""
    random = np.random.default_rng(8)
    frame = simulate_votes([0, 60, 40, -30], 2000, nu=0.3, random=random)
    frame["voter"] = np.where(np.arange(2000) < 800, "heavy", np.arange(2000).astype(str))
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles)
    others = ratings.Battles.from_frame(frame[frame["voter"] != "heavy"])
    change = ratings.bradley_terry(others).ratings - fit.ratings
    result = ratings.influence(battles, fit)
    assert result.index[0] == "heavy"
    assert result["largest"].iloc[0] == pytest.approx(change[result["model"].iloc[0]], rel=0.1)


@pytest.mark.parametrize("bend", [1.0, 0.5, 3.0])
@pytest.mark.parametrize(
    ("first", "unknown_from"), [(1, 99), (7, 99), (40, 99), (7, 8), (9, 8), (60, 61), (61, 99)]
)
def test_the_search_finds_the_smallest_number_that_flips(bend, first, unknown_from):
    """For any first guess, and leads that are far from linear."""
    tried = []

    def lead_of(number):
        tried.append(number)
        if number >= unknown_from:
            return None
        return (number / (first - 0.5)) ** bend - 1

    for guess in (1, 3, 50):
        tried.clear()
        expected = first if first < unknown_from and first <= 60 else None
        assert smallest_that_flips(lead_of, now=-1.0, guess=guess, maximum=60) == expected
        assert len(tried) == len(set(tried)) <= 20


def test_a_large_number_takes_few_refits():
    tried = []

    def lead_of(number):
        tried.append(number)
        return number * (1 + number / 1e6) - 34567.5

    result = smallest_that_flips(lead_of, now=-34567.5, guess=30_000, maximum=1 << 40)
    assert lead_of(result) > 0 > lead_of(result - 1)
    assert len(tried) <= 10


def test_numbers_beyond_the_first_order_are_tried_by_refits(votes_of):
    """No number is enough to first order, but four votes are."""
    result = fragility(
        votes_of({("A", "B"): (1, 1, 0), ("A", "C"): (0, 1, 0), ("B", "C"): (1, 4, 0)})
    )
    assert (result.status, result.challenger, result.votes) == ("ok", "B", 4)


def test_no_smaller_set_exists_in_random_small_tables(simulate_votes):
    """No smaller set of votes exists, in at least 95% of tables where 3 or fewer are found.

    Where no number is found, no 3 votes change the first place.
    """
    compared = equal = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        frame = simulate_votes(random.normal(0, 60, 3), 24, nu=0.3, random=random)
        battles = ratings.Battles.from_frame(frame)
        result = ratings.votes_to_flip(battles, ratings.bradley_terry(battles))
        if result.status in {"alone", "tied"} or (result.votes or 0) > 3:
            continue
        compared += 1
        votes = sorted(zip(battles.outcome, battles.a, battles.b, strict=True))
        smaller = set(itertools.combinations(votes, (result.votes or 4) - 1))
        equal += not any(
            leader_without(battles, left_out) not in (None, result.first) for left_out in smaller
        )
    assert compared >= 20
    assert equal >= 0.95 * compared


def leader_without(battles, left_out):
    counts = battles.counts.copy()
    np.subtract.at(counts, tuple(np.reshape(left_out, (-1, 3)).astype(int).T), 1)
    result = ratings.bradley_terry(ratings.Battles.from_counts(battles.models, counts)).ratings
    if result.isna().any():
        return None
    best = result.sort_values()
    return best.index[-1] if best.iloc[-1] - best.iloc[-2] > 1e-6 else None
