"""Votes, checked and coded once: everything after works on counts of pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError, VotesError
from ratings.votes import columns
from ratings.votes.columns import Outcome, Side, Sides

_AT_ONCE = 1 << 17  # votes whose codes stay in the cache while they are counted
_ANSWERS = len(Outcome) + 1
_MOST_CELLS = 1 << 27  # counts of all pairs and answers: 1 GB


class PairSums(NamedTuple):
    """Sums over the votes of each outcome, left and right model, shape (4, models, models)."""

    votes: Floats
    weights: Floats
    squared_weights: Floats  # sums of squared weights: what the variance of a weighted sum needs


@dataclass(frozen=True, eq=False)
class Battles:
    """The votes that ratings are made of; make them with `from_frame` or `from_counts`.

    Attributes:
        models: the names; codes are places in it.
        frame: the table as it was given; without columns where there was none.
        sides: left, right and answer of every row of `frame`, coded; None: only `counts` are known.
        selected: rows of `frame` that are votes, shape (votes,); None: all are.
        unequal_weight: their weights, above 0, shape (votes,); None: all are 1.
        counts: votes by outcome, left and right model, shape (4, models, models).
    """

    models: tuple[str, ...]
    frame: pd.DataFrame
    sides: Sides | None
    selected: Codes | None
    unequal_weight: Floats | None
    counts: Floats

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, models: Iterable[str] = ()) -> "Battles":
        """Check and code a table of votes.

        Codes whose `counted` is false are left out before anything else is checked; votes of
        weight 0, such as those with `repeat_of` set, are checked and then left out.

        Args:
            frame: columns `model_a, model_b, winner`, or evalica's or GenAI-Bench's; strings or
                categories; optional columns as in the data dictionary.
            models: names that are to be listed also if no vote is theirs.

        Raises:
            OptionError: no table at all.
            VotesError: naming the row, from 1, and the value that is wrong; or when the votes
                are of more than one track or kind of voter, or two names differ by outer spaces.
        """
        _check_is_frame(frame)
        return _code(frame, None, models)

    @classmethod
    def from_counts(cls, models: Sequence[str], counts: Floats) -> "Battles":
        """Votes that are known by their counts alone, as an arena keeps them between refits.

        Args:
            models: the names, all different.
            counts: votes by `Outcome`, left and right model, shape (4, models, models).

        Raises:
            VotesError: counts of another shape, below 0 or not whole, or on the diagonal.
        """
        size = len(models)
        counts = np.asarray(counts, dtype=np.float64)
        if len(set(models)) < size:
            raise VotesError("a model is named twice")
        if counts.shape != (len(Outcome), size, size):
            raise VotesError(
                f"the counts have the shape {counts.shape}, not {(len(Outcome), size, size)}"
            )
        if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts % 1 == 0).all()):
            raise VotesError("counts of votes are whole numbers from 0 up")
        if np.trace(counts.sum(axis=0)):
            raise VotesError("a model cannot meet itself: the counts have a diagonal")
        frame = pd.DataFrame(index=pd.RangeIndex(int(counts.sum())))
        return cls(tuple(models), frame, None, None, None, counts)

    @classmethod
    def by_column(cls, frame: pd.DataFrame, column: str) -> "dict[str, Battles]":
        """One `Battles` for each value of a column, in the values' order; an empty cell is ''."""
        _check_is_frame(frame)
        if column not in frame:
            raise OptionError(f"the votes have no column {column!r} to split by")
        layout = columns.find_layout(frame)
        coded = frame.astype({layout.a: "category", layout.b: "category"})
        codes, values = columns.factorize(coded[column])
        # An empty cell and an empty text are one group, and so are 1 and "1".
        names = np.array([*map(str, values), ""], dtype=object)[codes]
        groups, names_of = pd.factorize(names)
        return {
            str(names_of[group]): _code(coded, np.flatnonzero(groups == group), ())
            for group in np.argsort(names_of.astype(str), kind="stable")
        }

    @cached_property
    def a(self) -> Codes:
        """Code of the left model, shape (votes,)."""
        return self.map_left(np.arange(len(self.models)))

    @cached_property
    def b(self) -> Codes:
        """Code of the right model, shape (votes,)."""
        return self.map_right(np.arange(len(self.models)))

    @cached_property
    def outcome(self) -> Codes:
        """`Outcome` of each vote, shape (votes,)."""
        return self.map_answer(np.arange(len(Outcome)))

    def map_left(self, through: NDArray[Any]) -> NDArray[Any]:
        """What each vote's left model stands for, by an entry for each model, shape (votes,)."""
        return self._read(0, through)

    def map_right(self, through: NDArray[Any]) -> NDArray[Any]:
        """The same for the right model."""
        return self._read(1, through)

    def map_answer(self, through: NDArray[Any]) -> NDArray[Any]:
        """What each vote's answer stands for, by an entry for each `Outcome`, shape (votes,)."""
        return self._read(2, through)

    @cached_property
    def rows(self) -> Codes:
        """Place of each vote in `frame`, shape (votes,)."""
        return np.arange(len(self.frame)) if self.selected is None else self.selected

    @cached_property
    def weight(self) -> Floats:
        """Weight of each vote, above 0, shape (votes,)."""
        if self.unequal_weight is not None:
            return self.unequal_weight
        return np.broadcast_to(1.0, len(self))  # takes no memory

    @cached_property
    def pair_sums(self) -> PairSums:
        """Sufficient statistics of every model of this package but sequential Elo."""
        if self.unequal_weight is None or self.sides is None:
            return PairSums(self.counts, self.counts, self.counts)
        size, weight, sides = len(self.models), self.unequal_weight, self.sides
        sums = (
            count_votes(sides, size, len(Outcome), self.selected, each)
            for each in (weight, weight**2)
        )
        return PairSums(self.counts, *sums)

    def __len__(self) -> int:
        """How many votes there are."""
        return len(self.frame) if self.selected is None else len(self.selected)

    def _read(self, which: int, through: NDArray[Any]) -> NDArray[Any]:
        if self.sides is None:
            answer, left, right = np.nonzero(self.counts)
            votes = self.counts[answer, left, right].astype(np.intp)
            return np.repeat(through[(left, right, answer)[which]], votes)
        side = self.sides[which]
        codes = side.codes if self.selected is None else side.codes[self.selected]
        # What no vote that counts has means one more than the last.
        extended = np.append(through, through[-1:] if len(through) else 0)
        meaning = extended[side.meaning].astype(through.dtype)
        read: NDArray[Any] = meaning[codes]
        return read


def count_votes(
    sides: Sides, size: int, answers: int, rows: Codes | None, weight: Floats | None
) -> Floats:
    """Votes, or sums of weights, by answer, left and right, shape (answers, size, size).

    Codes are counted as they are and translated afterwards: there are far fewer than votes.
    """
    left, right, answer = sides
    wide, high = len(right.meaning), len(left.meaning)
    missing = high * wide + wide + 1  # all three codes are -1 there
    total = np.zeros(len(answer.meaning) * high * wide)
    votes = len(left.codes) if rows is None else len(rows)
    for start in range(0, votes, _AT_ONCE):
        part: slice | Codes = slice(start, start + _AT_ONCE)
        share = None if weight is None else weight[part]
        if rows is not None:
            part = rows[part]
        cell = answer.codes[part].astype(np.intp)
        cell *= high
        cell += left.codes[part]
        cell *= wide
        cell += right.codes[part]
        cell += missing
        total += np.bincount(cell, share, minlength=len(total))
    by_code = np.roll(total.reshape(-1, high, wide), -1, axis=(0, 1, 2))  # missing last, as meant
    for axis, (side, kinds) in enumerate(((answer, answers), (left, size), (right, size))):
        # What no vote that counts has may mean one more than the last.
        by_meaning = np.zeros((kinds + 1, *np.delete(by_code.shape, axis)))
        np.add.at(by_meaning, side.meaning, np.moveaxis(by_code, axis, 0))
        by_code = np.moveaxis(by_meaning[:kinds], 0, axis)
    return np.ascontiguousarray(by_code)


def _check_is_frame(frame: object) -> None:
    if isinstance(frame, pd.DataFrame):
        return
    if isinstance(frame, str | PathLike):
        raise OptionError(f"votes are a table: take read_votes({str(frame)!r}) to read the file")
    raise OptionError(f"votes are a pandas DataFrame, not a {type(frame).__name__}")


def _code(frame: pd.DataFrame, rows: Codes | None, models: Iterable[str]) -> Battles:
    layout = columns.find_layout(frame)
    if not len(frame.columns):
        frame = frame.reindex(columns=[layout.a, layout.b, layout.winner])
    rows = columns.counted_rows(frame, rows)
    columns.check_not_mixed(frame, rows)
    sides, named = columns.code_sides(frame, layout)
    # What is missing or unknown is counted as one more name and one more answer, so that the pass
    # that counts the votes is the one that finds a wrong one.
    size = len(named) + 1
    if size**2 * _ANSWERS > _MOST_CELLS:
        raise VotesError(f"{size - 1:,} models make too many pairs to count")
    met = count_votes(sides, size, _ANSWERS, rows, None)
    if met[-1].any() or met[:, -1].any() or met[..., -1].any() or np.trace(met.sum(axis=0)):
        columns.raise_first_invalid(frame, layout, sides, rows)
    used = met.sum(axis=(0, 2)) + met.sum(axis=(0, 1)) > 0
    names = sorted(
        {*models, *(name for name, meets in zip(named, used[:-1], strict=True) if meets)}
    )
    columns.check_similar_names(names)
    of_name = {name: index for index, name in enumerate(names)}
    place = np.array([of_name.get(name, 0) for name in [*named, ""]])
    sides = Sides(
        Side(sides.left.codes, place[sides.left.meaning]),
        Side(sides.right.codes, place[sides.right.meaning]),
        sides.answer,
    )
    weight = columns.read_weights(frame, rows)
    if weight is None or weight.all():
        counts = np.zeros((len(Outcome), len(names), len(names)))
        known = np.flatnonzero(used[:-1])
        to = place[known]
        counts[:, to[:, None], to] = met[:-1, known[:, None], known]
    else:
        rated = weight > 0
        rows = np.flatnonzero(rated) if rows is None else rows[rated]
        weight = weight[rated]
        counts = count_votes(sides, len(names), len(Outcome), rows, None)
    return Battles(tuple(names), frame, sides, rows, weight, counts)
