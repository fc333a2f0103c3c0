"""The fast Bradley-Terry against a readable reference implementation."""

import itertools
import math
from collections import defaultdict

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ratings

POINTS = {"model_a": 1.0, "tie": 0.5, "model_b": 0.0}


def reference_bradley_terry(votes: pd.DataFrame) -> dict[str, float]:
    """Ratings by model, with mean 1000 on the Elo scale, from votes that connect all models.

    The MM algorithm of Hunter (2004), MM algorithms for generalized Bradley-Terry models, Annals
    of Statistics 32, equation 3: each model's strength becomes its wins divided by the sum, over
    its votes, of 1 / (own strength + opponent's strength). A tie is half a win to each side.

    Args:
        votes: columns `model_a, model_b, winner, weight`.
    """
    wins: dict[str, float] = defaultdict(float)
    meetings: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for vote in votes.itertuples():
        points = POINTS[vote.winner]
        wins[vote.model_a] += vote.weight * points
        wins[vote.model_b] += vote.weight * (1 - points)
        meetings[vote.model_a][vote.model_b] += vote.weight
        meetings[vote.model_b][vote.model_a] += vote.weight
    strength = dict.fromkeys(meetings, 1.0)
    change = math.inf
    while change > 1e-12:
        updated = {
            model: wins[model]
            / sum(n / (strength[model] + strength[other]) for other, n in opponents.items())
            for model, opponents in meetings.items()
        }
        mean = math.exp(sum(map(math.log, updated.values())) / len(updated))
        updated = {model: value / mean for model, value in updated.items()}
        change = max(abs(math.log(updated[model] / strength[model])) for model in updated)
        strength = updated
    return {model: 1000 + 400 * math.log10(value) for model, value in strength.items()}


WORDS = st.sampled_from(sorted(POINTS))
WEIGHTS = st.sampled_from([0.25, 1.0, 1.0, 3.0])


@st.composite
def connected_votes(draw):
    """Weighted votes on two to five models, each of which has won or tied along a cycle of all."""
    models = [f"m{i}" for i in range(draw(st.integers(2, 5)))]
    cycle = list(itertools.pairwise([*models, models[0]]))
    pairs = st.sampled_from(list(itertools.permutations(models, 2)))
    votes = [(a, b, draw(st.sampled_from(["model_a", "tie"])), draw(WEIGHTS)) for a, b in cycle]
    votes += [
        (*pair, word, weight)
        for pair, word, weight in draw(st.lists(st.tuples(pairs, WORDS, WEIGHTS), max_size=30))
    ]
    return pd.DataFrame(votes, columns=["model_a", "model_b", "winner", "weight"])


@settings(max_examples=60, deadline=None)
@given(votes=connected_votes())
def test_the_fast_fit_equals_the_reference(votes):
    fit = ratings.bradley_terry(ratings.Battles.from_frame(votes))
    assert fit.ratings.to_dict() == pytest.approx(reference_bradley_terry(votes), abs=1e-4)


def test_the_reference_on_two_models():
    """Three wins to one are odds of three to one."""
    votes = pd.DataFrame(
        [("A", "B", "model_a", 3.0), ("A", "B", "model_b", 1.0)],
        columns=["model_a", "model_b", "winner", "weight"],
    )
    ratings_by_model = reference_bradley_terry(votes)
    assert ratings_by_model["A"] - ratings_by_model["B"] == pytest.approx(400 * math.log10(3))
    assert sum(ratings_by_model.values()) == pytest.approx(2000)
