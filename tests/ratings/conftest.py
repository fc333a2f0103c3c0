"""Fixtures that build tables of votes."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

Counts = dict[tuple[str, str], tuple[int, int, int]]


@pytest.fixture
def votes_of() -> Callable[[Counts], pd.DataFrame]:
    """Build a table of votes from the (a wins, b wins, ties) of each pair."""

    def build(counts: Counts) -> pd.DataFrame:
        rows = [
            (a, b, word)
            for (a, b), numbers in counts.items()
            for word, number in zip(("model_a", "model_b", "tie"), numbers, strict=True)
            for _ in range(number)
        ]
        return pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])

    return build


@pytest.fixture
def simulate_votes() -> Callable[..., pd.DataFrame]:
    """Draw votes from Davidson's model with strengths in Elo points."""

    def draw(
        ratings: Sequence[float], votes: int, *, nu: float, random: np.random.Generator
    ) -> pd.DataFrame:
        strengths = np.asarray(ratings) * np.log(10) / 400
        a = random.integers(len(strengths), size=votes)
        b = (a + random.integers(1, len(strengths), size=votes)) % len(strengths)
        log_odds = strengths[a] - strengths[b]
        weights = np.stack([np.exp(log_odds / 2), np.exp(-log_odds / 2), np.full(votes, nu)])
        steps = np.cumsum(weights / weights.sum(axis=0), axis=0)
        outcome = (random.random(votes) > steps[:2]).sum(axis=0)
        names = np.array([f"m{i}" for i in range(len(strengths))])
        words = np.array(["model_a", "model_b", "tie"])
        return pd.DataFrame({"model_a": names[a], "model_b": names[b], "winner": words[outcome]})

    return draw
