"""The columns of a table of votes: which there are, and their words as small integer codes."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Codes, Floats, Mask
from ratings.errors import VotesError


class Outcome(IntEnum):
    """The answer to one battle."""

    A = 0
    B = 1
    TIE = 2
    BOTH_BAD = 3


class Side(NamedTuple):
    """A column of a table as codes, and what each means; the last meaning is a missing one's."""

    codes: NDArray[Any]  # of any integer type, -1 for a missing value, shape (rows,)
    meaning: Codes


class Sides(NamedTuple):
    """The three columns that make a vote."""

    left: Side
    right: Side
    answer: Side


class Layout(NamedTuple):
    """The names that one source gives to its columns and outcomes."""

    a: str
    b: str
    winner: str
    words: dict[str, Outcome]


LAYOUTS = (
    Layout(  # this arena's releases and LMArena's published sets
        "model_a",
        "model_b",
        "winner",
        {
            "model_a": Outcome.A,
            "model_b": Outcome.B,
            "tie": Outcome.TIE,
            "both_bad": Outcome.BOTH_BAD,
            "tie (bothbad)": Outcome.BOTH_BAD,
        },
    ),
    Layout(  # evalica
        "left",
        "right",
        "winner",
        {"left": Outcome.A, "right": Outcome.B, "tie": Outcome.TIE},
    ),
    Layout(  # GenAI-Bench
        "left_model",
        "right_model",
        "vote_type",
        {
            "leftvote": Outcome.A,
            "rightvote": Outcome.B,
            "tievote": Outcome.TIE,
            "bothbad_vote": Outcome.BOTH_BAD,
        },
    ),
)

# Votes of different kinds of these are answers to different questions: one scale would mix them.
NEVER_MIXED = ("track", "voter_kind")
# Optional columns that more than one analysis reads.
CLIPS = ("clip_a", "clip_b")
DECIDED = "decided_ms"
DRAWN = "probability"
# What is read beside the layout's own columns, whatever is asked.
READ_TOO = ("weight", "counted", "repeat_of", *NEVER_MIXED)
# What one result or another looks at where it is there; docs/ratings.md says which.
USED = (
    *("voter", "evaluation_session_id", "prompt", "prompt_id", "clip_a", "clip_b", "battle_id"),
    *("first", "decided_ms", "probability", "timestamp", "tstamp"),
)

_LEAST_WEIGHT = 1e-12  # beyond it, or its inverse, sums of votes lose all digits
_PIECE = 1 << 19  # rows coded at a time
_THREADS = 4

_TRUTH = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}


def find_layout(frame: pd.DataFrame) -> Layout:
    """The layout whose three columns the frame has; the arena's own where several fit."""
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise VotesError(f"the votes have more than one column {twice[0]!r}")
    for layout in LAYOUTS:
        if {layout.a, layout.b, layout.winner} <= set(frame.columns):
            return layout
    if frame.empty and not len(frame.columns):
        return LAYOUTS[0]
    found = ", ".join(map(str, frame.columns)) or "none"
    if len(frame.columns) == 1 and any(mark in found for mark in ";\t|"):
        found += " (one column: separate the cells by commas)"
    raise VotesError(
        "the votes need the columns model_a, model_b, winner (or left, right, winner, "
        f"or left_model, right_model, vote_type); found: {found}"
    )


def factorize(column: "pd.Series[Any]") -> tuple[NDArray[Any], "pd.Index[Any]"]:
    """Codes from 0, of the smallest integer type, and the values they stand for; -1 is missing.

    A categorical column is taken by its codes as they are: no string is hashed twice. Another is
    coded piece by piece, side by side where Arrow holds the strings: hashing them is nearly all
    there is to do, and pieces keep the memory for it small.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories
    pieces = [column.iloc[start : start + _PIECE] for start in range(0, len(column), _PIECE)]
    if len(pieces) < 2:
        return _factorize_piece(column)
    with ThreadPoolExecutor(_THREADS) as threads:
        coded = list(threads.map(_factorize_piece, pieces))
    met = coded[0][1].append([values for _, values in coded[1:]])
    place, values = pd.factorize(met)
    kind = code_type(len(values))
    codes = np.empty(len(column), dtype=kind)
    first = done = 0
    for part, own in coded:
        meaning = np.append(place[first : first + len(own)], -1).astype(kind)
        codes[done : done + len(part)] = meaning[part]
        first, done = first + len(own), done + len(part)
    return codes, values


def _factorize_piece(column: "pd.Series[Any]") -> tuple[NDArray[Any], "pd.Index[Any]"]:
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        raise VotesError(
            f"{column.name} has cells that are lists or objects; they must be single values"
        ) from None
    return codes.astype(code_type(len(values))), pd.Index(values)


def code_type(values: int) -> Any:
    """The smallest signed integer type for so many codes and the -1 of a missing value."""
    return np.min_scalar_type(-max(values, 1))


def code_sides(frame: pd.DataFrame, layout: Layout) -> tuple[Sides, list[str]]:
    """Both sides and the answers as codes, and the names in alphabetical order.

    What is no name means one more than the last name, what is no answer one more than the last.
    """
    left, right, answer = (factorize(frame[name]) for name in (layout.a, layout.b, layout.winner))
    texts = [[_text(value) for value in values] for _, values in (left, right)]
    named = sorted({text for each in texts for text in each if text.strip()})
    place = {name: index for index, name in enumerate(named)}
    meanings = [[place.get(text, len(named)) for text in each] for each in texts]
    answers = [layout.words.get(_text(value), len(Outcome)) for value in answer[1]]
    sides = Sides(
        _side(left[0], meanings[0], len(named)),
        _side(right[0], meanings[1], len(named)),
        _side(answer[0], list(map(int, answers)), len(Outcome)),
    )
    return sides, named


def _side(codes: NDArray[Any], meanings: list[int], kinds: int) -> Side:
    """At most one code for each of so many kinds, and one for what is none of them."""
    meaning = np.array([*meanings, kinds])
    if len(meaning) <= kinds + 1:
        return Side(codes, meaning)
    meant = np.where(meaning == kinds, -1, meaning).astype(code_type(kinds))
    return Side(meant[codes], np.arange(kinds + 1))


def raise_first_invalid(
    frame: pd.DataFrame, layout: Layout, sides: Sides, rows: Codes | None
) -> NoReturn:
    """Name the first row whose names or answer cannot be right."""
    rows = np.arange(len(frame)) if rows is None else rows
    a, b, answer = (side.meaning[side.codes[rows]] for side in sides)
    for name, side, code in ((layout.a, sides.left, a), (layout.b, sides.right, b)):
        row = first_row(code == side.meaning[-1], rows)
        if row is not None:
            raise VotesError(f"{name} is empty; every vote needs two models", row=row)
    row = first_row(answer == len(Outcome), rows)
    if row is not None:
        raise _unknown_word(frame[layout.winner], layout.words, row)
    row = first_row(a == b, rows)
    name = frame[layout.a].iloc[0 if row is None else row - 1]
    raise VotesError(f"{name!r} is on both sides; a model cannot meet itself", row=row)


def first_row(bad: Mask, rows: Codes) -> int | None:
    """The first bad row as a person counts it, or None."""
    position = int(np.argmax(bad)) if bad.any() else None
    return None if position is None else int(rows[position]) + 1


def counted_rows(frame: pd.DataFrame, rows: Codes | None) -> Codes | None:
    """The rows that count, of those in `rows`; None is all of them."""
    if "counted" not in frame:
        return rows
    column = frame["counted"]
    if column.dtype == np.bool_:
        counted = column.to_numpy(dtype=bool)
    else:
        codes, values = factorize(column)
        truth = [_TRUTH.get(_text(value).lower(), -1) for value in values]
        told = np.array([*truth, -1])[codes]
        within = np.arange(len(frame)) if rows is None else rows
        row = first_row(told[within] < 0, within)
        if row is not None:
            raise _unknown_word(column, _TRUTH, row)
        counted = told == 1
    if counted.all():
        return rows
    kept: Codes = np.flatnonzero(counted) if rows is None else rows[counted[rows]]
    return kept


def read_weights(frame: pd.DataFrame, rows: Codes | None) -> Floats | None:
    """Each vote's weight: the column `weight`, 0 for a deliberate repeat; None where all are 1."""
    weight = None
    if "weight" in frame:
        column = _at(frame["weight"], rows)
        try:
            numbers = pd.to_numeric(column, errors="coerce")
        except (OverflowError, TypeError):
            raise VotesError("weight has cells that are no numbers") from None
        weight = numbers.to_numpy(dtype=float, na_value=np.nan)
        every = np.arange(len(frame)) if rows is None else rows
        row = first_row(~(np.isfinite(weight) & (weight >= 0)), every)
        if row is not None:
            value = frame["weight"].iloc[row - 1]
            raise VotesError(f"weight is {value}; it must be a number from 0 up", row=row)
        far = (weight > 0) & ((weight < _LEAST_WEIGHT) | (weight > 1 / _LEAST_WEIGHT))
        row = first_row(far, every)
        if row is not None:
            value = frame["weight"].iloc[row - 1]
            raise VotesError(f"weight is {value}; it must be 0 or from 1e-12 to 1e12", row=row)
    repeated = is_repeat(frame)
    if repeated is not None:
        repeated = repeated if rows is None else repeated[rows]
        if repeated.any():
            weight = np.where(repeated, 0.0, 1.0 if weight is None else weight)
    return None if weight is None or (weight == 1).all() else weight


def is_repeat(frame: pd.DataFrame) -> Mask | None:
    """Which rows repeat another battle on purpose, shape (rows,); None: no column tells."""
    if "repeat_of" not in frame:
        return None
    codes, values = factorize(frame["repeat_of"])
    told: Mask = np.array([*(_text(value) != "" for value in values), False])[codes]
    return told


def check_not_mixed(frame: pd.DataFrame, rows: Codes | None) -> None:
    """One leaderboard is of one track and one kind of voter."""
    for name in NEVER_MIXED:
        if name not in frame:
            continue
        codes, met = factorize(_at(frame[name], rows))
        told = np.bincount(codes[codes >= 0], minlength=len(met)) > 0
        values = sorted({str(value) for value, is_met in zip(met, told, strict=True) if is_met})
        if len(values) > 1:
            raise VotesError(
                f"the votes are of {len(values)} values of {name} ({', '.join(values)}), which no "
                f"one leaderboard may mix: choose one, or ask for one leaderboard each by {name}"
            )


def check_similar_names(names: Collection[str]) -> None:
    """Two names that differ by outer spaces only are one model, mistyped, or a trap for readers."""
    bare: dict[str, str] = {}
    for name in names:
        twin = bare.setdefault(name.strip(), name)
        if twin != name:
            raise VotesError(
                f"the models {twin!r} and {name!r} differ by outer spaces only: give them one "
                "name, or two"
            )


def _at(column: "pd.Series[Any]", rows: Codes | None) -> "pd.Series[Any]":
    return column if rows is None else column.iloc[rows]


def _unknown_word(column: "pd.Series[Any]", words: Collection[str], row: int) -> VotesError:
    value = column.iloc[row - 1]
    shown = "empty" if pd.isna(value) else repr(_text(value))
    return VotesError(f"{column.name} is {shown}, not one of {', '.join(words)}", row=row)


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
