"""Ratings that verifications of nearly the same release would compute again and again."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from arena.release import recompute

CODED = ("model_a", "model_b", "winner")  # columns whose categories matter, used or not

_boards: dict[Any, pd.DataFrame] = {}


def _same_votes(votes: pd.DataFrame) -> tuple[object, ...]:
    """What is equal for tables of votes that are equal."""
    categories = (tuple(votes[name].cat.categories) for name in CODED)
    rows = pd.util.hash_pandas_object(votes, index=False).to_numpy().tobytes()
    return (rows, tuple(votes.columns), *categories)


@pytest.fixture(autouse=True, scope="module")
def _remembered_boards() -> Iterator[None]:
    """Compute the leaderboard of the same votes once: most forgeries change something else."""
    rate = recompute.rate

    def remembered(votes: pd.DataFrame, *, models: list[str], **options: Any) -> pd.DataFrame:
        key = (_same_votes(votes), tuple(models), *sorted(options.items()))
        if key not in _boards:
            _boards[key] = rate(votes, models=models, **options)
        return _boards[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recompute, "rate", remembered)
        yield
    _boards.clear()
