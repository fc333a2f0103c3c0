"""Tables of published sets that have no column with the winner's word: those are rewritten.

- The Kaggle set of Chatbot Arena (55,000 votes) has a column of 0 and 1 for each answer:
  `winner_model_a`, `winner_model_b`, `winner_tie`.
- Rapidata's sets have a row for each two videos, with the shares of the answers for either,
  `weighted_results1_Preference` and `weighted_results2_Preference`. Such a row becomes two: a win
  of each model, weighted by its share times the number of answers, which is the length of
  `detailedResults_Preference`, or 1 where that is not a list.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from ratings.arrays import Floats
from ratings.errors import VotesError

KAGGLE = ("model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie")
KAGGLE_WINNERS = ("model_a", "model_b", "tie")
SHARES = ("weighted_results1_Preference", "weighted_results2_Preference")
ANSWERS = "detailedResults_Preference"
RAPIDATA = ("model1", "model2", *SHARES)
PUBLISHED_COLUMNS = frozenset({*KAGGLE, *RAPIDATA, ANSWERS})
_SET = frozenset({"1", "1.0", "true"})
_UNSET = frozenset({"0", "0.0", "false"})


def is_published(names: Collection[str]) -> bool:
    """Whether a table with these columns is one that `as_votes` rewrites."""
    known = set(names)
    return "winner" not in known and (known >= set(KAGGLE) or known >= set(RAPIDATA))


def as_votes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with `model_a, model_b, winner`; any other table than these is returned as is.

    Raises:
        VotesError: a row does not have one answer, or has shares that are no numbers from 0 on.
    """
    if not is_published(list(frame.columns)):
        return frame
    return _from_kaggle(frame) if set(KAGGLE) <= set(frame.columns) else _from_rapidata(frame)


def _from_kaggle(frame: pd.DataFrame) -> pd.DataFrame:
    marks = np.column_stack([_truth(frame[name]) for name in KAGGLE[2:]])
    wrong = np.flatnonzero(marks.sum(axis=1) != 1)
    if len(wrong):
        row = int(wrong[0]) + 1
        raise VotesError(f"exactly one of {', '.join(KAGGLE[2:])} must be 1", row=row)
    winner = pd.Categorical.from_codes(marks.argmax(axis=1), pd.Index(KAGGLE_WINNERS))
    rest = frame.drop(columns=list(KAGGLE[2:]))
    return rest.assign(winner=winner)


def _truth(column: "pd.Series[Any]") -> Floats:
    """1 for a set mark, 0 for one that is not set, and 2 for anything else."""
    words = {
        value: 1.0 if text in _SET else 0.0 if text in _UNSET else 2.0
        for value in column.dropna().unique()
        for text in [str(value).strip().lower()]
    }
    return np.array([words.get(value, 2.0) for value in column], dtype=np.float64)


def _from_rapidata(frame: pd.DataFrame) -> pd.DataFrame:
    shares = [
        pd.to_numeric(frame[name].astype("object"), errors="coerce").to_numpy(dtype=np.float64)
        for name in SHARES
    ]
    wrong = np.flatnonzero(~((shares[0] >= 0) & (shares[1] >= 0)))
    if len(wrong):
        row = int(wrong[0]) + 1
        raise VotesError(f"{SHARES[0]} and {SHARES[1]} must be shares", row=row)
    answers = np.ones(len(frame))
    if ANSWERS in frame:
        answers = np.array([_count(cell) for cell in frame[ANSWERS]], dtype=np.float64)
    names = {"model1": "model_a", "model2": "model_b"}
    rest = frame.drop(columns=[*SHARES, *({ANSWERS} & set(frame.columns))]).rename(columns=names)
    doubled = rest.iloc[np.repeat(np.arange(len(rest)), 2)].reset_index(drop=True)
    winner = pd.Categorical.from_codes(np.tile([0, 1], len(rest)), pd.Index(KAGGLE_WINNERS[:2]))
    weight = np.column_stack([share * answers for share in shares]).ravel()
    return doubled.assign(winner=winner, weight=weight)


def _count(cell: Any) -> int:
    """The number of answers in a cell; 1 for one that is not a list."""
    return len(cell) if isinstance(cell, list | tuple | np.ndarray) and len(cell) else 1
