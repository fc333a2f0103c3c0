"""A table of votes, checked and encoded once; all models work on its counts of pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import AnyCodes, Codes, Floats
from ratings.errors import OptionError, VotesError
from ratings.votes import columns
from ratings.votes.columns import Outcome, Side, Sides
from ratings.votes.published import as_votes

_CHUNK = 1 << 17  # votes; their codes fit the CPU cache
_ANSWERS = len(Outcome) + 1
_MAX_COUNTS = 1 << 27  # by pair and answer: 1 GB


class PairSums(NamedTuple):
    """Sums over votes by outcome, left and right model, each of shape (4, models, models)."""

    votes: Floats
    weights: Floats
    squared_weights: Floats  # for the variance of weighted sums


@dataclass(frozen=True, eq=False)
class Battles:
    """Checked and encoded votes; create them with `from_frame` or `from_counts`.

    Attributes:
        models: the names; codes are indices into it.
        frame: the original table; without columns if created from counts.
        sides: codes of left, right and answer for every row of `frame`; None: only `counts`.
        selected: rows of `frame` that are votes, shape (votes,); None: all rows.
        unequal_weight: positive weights of the votes, shape (votes,); None: all are 1.
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
        """Check and encode a table of votes.

        Codes whose `counted` is false are left out before anything else is checked; votes of
        weight 0, such as those with `repeat_of` set, are checked and then left out.

        Args:
            frame: columns `model_a, model_b, winner`, or those of another set in
                docs/ratings.md; strings or categories; optional columns as in docs/ratings.md.
            models: names to include even if they have no votes.

        Raises:
            OptionError: `frame` is not a DataFrame.
            VotesError: a value is invalid (the error names it and its row, counted from 1), the
                votes mix tracks or kinds of voters, or two names differ only by spaces.
        """
        _check_is_frame(frame)
        return _encode(as_votes(frame), None, models)

    @classmethod
    def from_codes(
        cls, models: Sequence[str], left: AnyCodes, right: AnyCodes, outcome: AnyCodes
    ) -> "Battles":
        """Votes that are coded already; they are not checked again.

        Args:
            models: the names, all different.
            left: index in `models` of the left model, any integer type, shape (votes,).
            right: index of the right model.
            outcome: `Outcome` of each vote.
        """
        known, answers = np.arange(len(models) + 1), np.arange(len(Outcome) + 1)
        sides = Sides(Side(left, known), Side(right, known), Side(outcome, answers))
        counts = count_votes(sides, len(models), len(Outcome), None, None)
        frame = pd.DataFrame(index=pd.RangeIndex(len(left)))
        return cls(tuple(models), frame, sides, None, None, counts)

    @classmethod
    def from_counts(cls, models: Sequence[str], counts: Floats) -> "Battles":
        """Votes known only by their counts, such as those kept between refits.

        Args:
            models: the names, all different.
            counts: votes by `Outcome`, left and right model, shape (4, models, models).

        Raises:
            VotesError: the counts have the wrong shape, are negative or fractional, or have a
                nonzero diagonal.
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
            raise VotesError("counts of votes must be non-negative whole numbers")
        if np.trace(counts.sum(axis=0)):
            raise VotesError("the diagonal of the counts must be 0: a model never meets itself")
        frame = pd.DataFrame(index=pd.RangeIndex(int(counts.sum())))
        return cls(tuple(models), frame, None, None, None, counts)

    @classmethod
    def by_column(cls, frame: pd.DataFrame, column: str) -> "dict[str, Battles]":
        """One `Battles` per value of a column, in sorted order; empty cells have the value ''."""
        _check_is_frame(frame)
        frame = as_votes(frame)
        if column not in frame:
            raise OptionError(f"the votes have no column {column!r} to split by")
        layout = columns.find_layout(frame)
        coded = frame.astype({layout.a: "category", layout.b: "category"})
        codes, values = columns.factorize(coded[column])
        # An empty cell and an empty text are one group, and so are 1 and "1".
        names = np.array([*map(columns.text_of, values), ""], dtype=object)[codes]
        groups, names_of = pd.factorize(names)
        return {
            str(names_of[group]): _encode(coded, np.flatnonzero(groups == group), ())
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

    def map_left(self, values: NDArray[Any]) -> NDArray[Any]:
        """The entry of a per-model array for each vote's left model, shape (votes,)."""
        return self._map(0, values)

    def map_right(self, values: NDArray[Any]) -> NDArray[Any]:
        """The entry of a per-model array for each vote's right model, shape (votes,)."""
        return self._map(1, values)

    def map_answer(self, values: NDArray[Any]) -> NDArray[Any]:
        """The entry of a per-`Outcome` array for each vote's answer, shape (votes,)."""
        return self._map(2, values)

    @cached_property
    def rows(self) -> Codes:
        """Row in `frame` of each vote, shape (votes,)."""
        return np.arange(len(self.frame)) if self.selected is None else self.selected

    @cached_property
    def weight(self) -> Floats:
        """Positive weight of each vote, shape (votes,)."""
        if self.unequal_weight is not None:
            return self.unequal_weight
        return np.broadcast_to(1.0, len(self))  # takes no memory

    @cached_property
    def pair_sums(self) -> PairSums:
        """The sufficient statistics of all models of this package except sequential Elo."""
        if self.unequal_weight is None or self.sides is None:
            return PairSums(self.counts, self.counts, self.counts)
        size, weight, sides = len(self.models), self.unequal_weight, self.sides
        sums = (
            count_votes(sides, size, len(Outcome), self.selected, each)
            for each in (weight, weight**2)
        )
        return PairSums(self.counts, *sums)

    def __len__(self) -> int:
        """Number of votes."""
        return len(self.frame) if self.selected is None else len(self.selected)

    def select(self, votes: Codes) -> "Battles":
        """A part of the votes, with the same models.

        Args:
            votes: positions among the votes, ascending.

        Raises:
            OptionError: these votes are known only by their counts.
        """
        if self.sides is None:
            raise OptionError("votes that are known only by their counts cannot be selected")
        rows = self.rows[votes]
        weight = None if self.unequal_weight is None else self.unequal_weight[votes]
        counts = count_votes(self.sides, len(self.models), len(Outcome), rows, None)
        return Battles(self.models, self.frame, self.sides, rows, weight, counts)

    def _map(self, which: int, values: NDArray[Any]) -> NDArray[Any]:
        if self.sides is None:
            answer, left, right = np.nonzero(self.counts)
            votes = self.counts[answer, left, right].astype(np.intp)
            return np.repeat(values[(left, right, answer)[which]], votes)
        side = self.sides[which]
        codes = side.codes if self.selected is None else side.codes[self.selected]
        # A value that occurs in no counted vote may have a meaning past the end.
        extended = np.append(values, values[-1:] if len(values) else 0)
        meaning = extended[side.meaning].astype(values.dtype)
        read: NDArray[Any] = meaning[codes]
        return read


def count_votes(
    sides: Sides, size: int, answers: int, rows: Codes | None, weight: Floats | None
) -> Floats:
    """Votes, or sums of weights, by answer, left and right, shape (answers, size, size).

    Raw codes are counted first and translated to meanings afterwards, since there are far fewer
    codes than votes.
    """
    left, right, answer = sides
    wide, high = len(right.meaning), len(left.meaning)
    missing = high * wide + wide + 1  # all three codes are -1 there
    total = np.zeros(len(answer.meaning) * high * wide)
    votes = len(left.codes) if rows is None else len(rows)
    for start in range(0, votes, _CHUNK):
        part: slice | Codes = slice(start, start + _CHUNK)
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
    by_code = np.roll(total.reshape(-1, high, wide), -1, axis=(0, 1, 2))  # missing values last
    for axis, (side, kinds) in enumerate(((answer, answers), (left, size), (right, size))):
        # A value that occurs in no counted vote may have a meaning past the end.
        by_meaning = np.zeros((kinds + 1, *np.delete(by_code.shape, axis)))
        np.add.at(by_meaning, side.meaning, np.moveaxis(by_code, axis, 0))
        by_code = np.moveaxis(by_meaning[:kinds], 0, axis)
    return np.ascontiguousarray(by_code)


def _check_is_frame(frame: object) -> None:
    if isinstance(frame, pd.DataFrame):
        return
    if isinstance(frame, str | PathLike):
        raise OptionError(f"votes must be a table: use read_votes({str(frame)!r}) to read the file")
    raise OptionError(f"votes must be a pandas DataFrame, not a {type(frame).__name__}")


def _encode(frame: pd.DataFrame, rows: Codes | None, models: Iterable[str]) -> Battles:
    layout = columns.find_layout(frame)
    if not len(frame.columns):
        frame = frame.reindex(columns=[layout.a, layout.b, layout.winner])
    rows = columns.counted_rows(frame, rows)
    columns.check_not_mixed(frame, rows)
    sides, named = columns.code_sides(frame, layout)
    # Missing names and unknown answers get one extra code each, so that the pass that counts the
    # votes also finds invalid ones.
    size = len(named) + 1
    if size**2 * _ANSWERS > _MAX_COUNTS:
        raise VotesError(f"{size - 1:,} models make too many pairs to count")
    all_counts = count_votes(sides, size, _ANSWERS, rows, None)
    if (
        all_counts[-1].any()
        or all_counts[:, -1].any()
        or all_counts[..., -1].any()
        or np.trace(all_counts.sum(axis=0))
    ):
        columns.raise_first_invalid(frame, layout, sides, rows)
    used = all_counts.sum(axis=(0, 2)) + all_counts.sum(axis=(0, 1)) > 0
    names = sorted(
        {*models, *(name for name, is_used in zip(named, used[:-1], strict=True) if is_used)}
    )
    columns.check_similar_names(names)
    index_of = {name: index for index, name in enumerate(names)}
    index = np.array([index_of.get(name, 0) for name in [*named, ""]])
    sides = Sides(
        Side(sides.left.codes, index[sides.left.meaning]),
        Side(sides.right.codes, index[sides.right.meaning]),
        sides.answer,
    )
    weight = columns.read_weights(frame, rows)
    if weight is None or weight.all():
        counts = np.zeros((len(Outcome), len(names), len(names)))
        known = np.flatnonzero(used[:-1])
        new = index[known]
        counts[:, new[:, None], new] = all_counts[:-1, known[:, None], known]
    else:
        rated = weight > 0
        rows = np.flatnonzero(rated) if rows is None else rows[rated]
        weight = weight[rated]
        counts = count_votes(sides, len(names), len(Outcome), rows, None)
    return Battles(tuple(names), frame, sides, rows, weight, counts)
