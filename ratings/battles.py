"""Votes, checked and coded once: everything after works on counts of pairs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings import columns
from ratings.columns import Codes, Outcome, Rows
from ratings.errors import OptionError, VotesError

Floats = NDArray[np.float64]


class Tallies(NamedTuple):
    """Sums over the votes of each outcome, left and right model, shape (4, models, models)."""

    votes: Floats
    weights: Floats
    squares: Floats  # sums of squared weights: what the variance of a weighted sum needs


@dataclass(frozen=True, eq=False)
class Battles:
    """The votes that ratings are made of; make them with `from_frame`.

    Attributes:
        models: the names, in alphabetical order; codes are places in it.
        a: code of the left model, shape (votes,).
        b: code of the right model, shape (votes,).
        outcome: `Outcome` of each vote, shape (votes,).
        weight: weight of each vote, above 0, shape (votes,).
        rows: place of each vote in `frame`, shape (votes,).
        frame: the table as it was given.
    """

    models: tuple[str, ...]
    a: Codes
    b: Codes
    outcome: Codes
    weight: Floats
    rows: Rows
    frame: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, models: Iterable[str] = ()) -> "Battles":
        """Check and code a table of votes.

        Rows whose `counted` is false are left out before anything else is checked; votes of
        weight 0, such as those with `repeat_of` set, are checked and then left out.

        Args:
            frame: columns `model_a, model_b, winner`, or evalica's or GenAI-Bench's; strings or
                categories; optional columns as in the data dictionary.
            models: names that are to be listed also if no vote is theirs.

        Raises:
            VotesError: naming the row, from 1, and the value that is wrong; or when the votes
                are of more than one track or kind of voter.
        """
        return _code(frame, np.arange(len(frame)), models)

    @classmethod
    def by_column(cls, frame: pd.DataFrame, column: str) -> "dict[str, Battles]":
        """One `Battles` for each value of a column, in the values' order; an empty cell is ''."""
        if column not in frame:
            raise OptionError(f"the votes have no column {column!r} to split by")
        layout = columns.find_layout(frame)
        coded = frame.astype({layout.a: "category", layout.b: "category"})
        codes, values = columns.factorize(coded[column])
        names = ["" if code < 0 else str(values[code]) for code in range(-1, len(values))]
        groups = {
            name: _code(coded, np.flatnonzero(codes == code), ())
            for code, name in enumerate(names, start=-1)
            if (codes == code).any()
        }
        return dict(sorted(groups.items()))

    @cached_property
    def tallies(self) -> Tallies:
        """Sufficient statistics of every model of this package but sequential Elo."""
        size = len(self.models)
        shape = (len(Outcome), size, size)
        cell = (self.outcome * size + self.a) * size + self.b

        def total(weight: Floats | None) -> Floats:
            sums = np.bincount(cell, weights=weight, minlength=len(Outcome) * size * size)
            return sums.astype(np.float64).reshape(shape)

        votes = total(None)
        if (self.weight == 1).all():
            return Tallies(votes, votes, votes)
        return Tallies(votes, total(self.weight), total(self.weight**2))


def _code(frame: pd.DataFrame, rows: Rows, models: Iterable[str]) -> Battles:
    layout = columns.find_layout(frame)
    known = list(models)
    if frame.empty:
        none = np.zeros(0, dtype=np.intp)
        return Battles(tuple(sorted(set(known))), none, none, none, np.zeros(0), none, frame)
    rows = columns.counted_rows(frame, rows)
    columns.refuse_mixture(frame, rows)
    a, b, names = columns.code_names((frame[layout.a], frame[layout.b]), rows, known)
    outcome = columns.code_words(frame[layout.winner], layout.words, rows)
    row = columns.first_row(a == b, rows)
    if row is not None:
        name = frame[layout.a].iloc[row - 1]
        raise VotesError(f"{name!r} is on both sides; a model cannot meet itself", row=row)
    weight = columns.read_weights(frame, rows)
    rated = weight > 0
    if not rated.all():
        a, b, outcome, rows = (codes[rated] for codes in (a, b, outcome, rows))
        weight = weight[rated]
    return Battles(tuple(names), a, b, outcome, weight, rows, frame)
