"""The columns of a table of votes: layouts, checks, and values as small integer codes."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Codes, Floats, Mask
from ratings.errors import VotesError
from ratings.schema import OTHER_VOTERS


class Outcome(IntEnum):
    """The answer to one battle."""

    A = 0
    B = 1
    TIE = 2
    BOTH_BAD = 3


class Side(NamedTuple):
    """A column as codes, with the meaning of each code; the last is that of a missing value."""

    codes: NDArray[Any]  # of any integer type, -1 for a missing value, shape (rows,)
    meaning: Codes


class Sides(NamedTuple):
    """The three columns that make a vote."""

    left: Side
    right: Side
    answer: Side


class Layout(NamedTuple):
    """The column names and outcome words of one source.

    The winner may also be given as the name of one of the two models; `equal` is a column that is
    true for a tie, whose winner is empty.
    """

    a: str
    b: str
    winner: str
    words: dict[str, Outcome]
    equal: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that make a vote."""
        names = (self.a, self.b, self.winner)
        return names if self.equal is None else (*names, self.equal)


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
    Layout(
        "left_model",
        "right_model",
        "choice",
        {
            "left": Outcome.A,
            "right": Outcome.B,
            "tie": Outcome.TIE,
            "both_bad": Outcome.BOTH_BAD,
            "bothbad": Outcome.BOTH_BAD,
        },
    ),
    Layout(  # compar:IA
        "model_a_name", "model_b_name", "chosen_model_name", {}, equal="both_equal"
    ),
)

# Votes with different values answer different questions and must not share one scale.
NEVER_MIXED = ("track", "voter_kind")
# Optional columns that are always read.
READ_TOO = ("weight", "counted", "repeat_of", *NEVER_MIXED)
# Optional columns that some analysis uses; docs/ratings.md says which.
USED = (
    *("voter", "evaluation_session_id", "prompt", "prompt_id", "clip_a", "clip_b", "battle_id"),
    *("first", "decided_ms", "probability", "timestamp", "tstamp"),
    *OTHER_VOTERS,
)

NUL = "\0"
_MIN_WEIGHT = 1e-12  # smaller or larger than its inverse, sums of weights lose all digits
_CHUNK = 1 << 19  # rows
_THREADS = 4

_TRUTH = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}


def find_layout(frame: pd.DataFrame) -> Layout:
    """The layout whose three columns the frame has; the first of `LAYOUTS` if several fit."""
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise VotesError(f"the votes have more than one column {twice[0]!r}")
    for layout in LAYOUTS:
        if set(layout.columns) <= set(frame.columns):
            return layout
    if frame.empty and not len(frame.columns):
        return LAYOUTS[0]
    names = ", ".join(map(str, frame.columns)) or "none"
    if len(frame.columns) == 1 and any(mark in names for mark in ";\t|"):
        names += " (one column: separate the cells by commas)"
    raise VotesError(
        "the votes need the columns model_a, model_b, winner (or left, right, winner, "
        "or left_model, right_model, vote_type or choice, or those of compar:IA); name others "
        f"with --columns; found: {names}"
    )


def factorize(column: "pd.Series[Any]") -> tuple[NDArray[Any], "pd.Index[Any]"]:
    """Codes from 0, of the smallest integer type, and their values; missing values get code -1.

    The codes of a categorical column are used directly. Other columns are hashed in chunks, which
    bounds the memory, and in threads, which run in parallel if Arrow holds the strings.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories
    chunks = [column.iloc[start : start + _CHUNK] for start in range(0, len(column), _CHUNK)]
    if len(chunks) < 2:
        return _factorize_chunk(column)
    with ThreadPoolExecutor(_THREADS) as threads:
        coded = list(threads.map(_factorize_chunk, chunks))
    met = coded[0][1].append([values for _, values in coded[1:]])
    code_of, values = pd.factorize(met)
    kind = code_type(len(values))
    codes = np.empty(len(column), dtype=kind)
    first = done = 0
    for part, uniques in coded:
        meaning = np.append(code_of[first : first + len(uniques)], -1).astype(kind)
        codes[done : done + len(part)] = meaning[part]
        first, done = first + len(uniques), done + len(part)
    return codes, values


def _factorize_chunk(column: "pd.Series[Any]") -> tuple[NDArray[Any], "pd.Index[Any]"]:
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        raise VotesError(
            f"{column.name} has cells that are lists or objects; they must be single values"
        ) from None
    return codes.astype(code_type(len(values))), pd.Index(values)


def code_type(values: int) -> Any:
    """The smallest signed integer type for codes of this many values and -1 for missing ones."""
    return np.min_scalar_type(-max(values, 1))


def code_sides(frame: pd.DataFrame, layout: Layout) -> tuple[Sides, list[str]]:
    """Both sides and the answers as codes, and the names in alphabetical order.

    Missing names get code n, the number of names; unknown answers the number of outcomes.
    """
    left, right, answer = (factorize(frame[name]) for name in (layout.a, layout.b, layout.winner))
    texts = [[text_of(value) for value in values] for _, values in (left, right)]
    named = sorted({text for each in texts for text in each if text.strip() and NUL not in text})
    code_of = {name: code for code, name in enumerate(named)}
    meanings = [[code_of.get(text, len(named)) for text in each] for each in texts]
    words = [text_of(value) for value in answer[1]]
    answers = [layout.words.get(word, len(Outcome)) for word in words]
    sides = Sides(
        _side(left[0], meanings[0], len(named)),
        _side(right[0], meanings[1], len(named)),
        _side(answer[0], list(map(int, answers)), len(Outcome)),
    )
    chosen = [-1 if word in layout.words else code_of.get(word, -1) for word in words]
    if layout.equal is not None or max(chosen, default=-1) >= 0:
        sides = sides._replace(answer=_named_winners(frame, layout, sides, answer[0], chosen))
    return sides, named


def _named_winners(
    frame: pd.DataFrame,
    layout: Layout,
    sides: Sides,
    codes: NDArray[Any],
    chosen: list[int],
) -> Side:
    """Answers by row where winners are given by name; -1 for a name that is on neither side.

    Args:
        frame: the votes.
        layout: of the frame.
        sides: whose answer knows only words.
        codes: of the winner's column.
        chosen: for each code the model of that name, or -1.
    """
    name = np.array([*chosen, -1])[codes]
    left, right, word = (side.meaning[side.codes] for side in sides)
    answers = np.where(word == len(Outcome), -1, word).astype(np.int8)
    answers[(name >= 0) & (name == left)] = Outcome.A
    answers[(name >= 0) & (name == right)] = Outcome.B
    if layout.equal is not None:
        truths, values = factorize(frame[layout.equal])
        truth = np.array([*(_TRUTH.get(text_of(value).lower(), -1) for value in values), 0])[truths]
        decided = answers >= 0
        answers[~decided & (codes < 0) & (truth == 1)] = Outcome.TIE
        answers[decided & (truth != 0)] = -1  # a winner, and both equal
    return Side(answers, np.arange(len(Outcome) + 1))


def _side(codes: NDArray[Any], meanings: list[int], kinds: int) -> Side:
    """Merge codes with the same meaning, if there are more codes than meanings."""
    meaning = np.array([*meanings, kinds])
    if len(meaning) <= kinds + 1:
        return Side(codes, meaning)
    meant = np.where(meaning == kinds, -1, meaning).astype(code_type(kinds))
    return Side(meant[codes], np.arange(kinds + 1))


def raise_first_invalid(
    frame: pd.DataFrame, layout: Layout, sides: Sides, rows: Codes | None
) -> NoReturn:
    """Raise an error for the first row with an invalid name or answer."""
    rows = np.arange(len(frame)) if rows is None else rows
    a, b, answer = (side.meaning[side.codes[rows]] for side in sides)
    for name, side, code in ((layout.a, sides.left, a), (layout.b, sides.right, b)):
        row = first_row(code == side.meaning[-1], rows)
        if row is not None and NUL in text_of(frame[name].iloc[row - 1]):
            raise VotesError(f"{name} has a NUL character, which no name may contain", row=row)
        if row is not None:
            raise VotesError(f"{name} is empty; every vote needs two models", row=row)
    row = first_row(answer == len(Outcome), rows)
    if row is not None:
        raise _unknown_word(frame[layout.winner], layout.words, row)
    row = first_row(a == b, rows)
    name = frame[layout.a].iloc[0 if row is None else row - 1]
    raise VotesError(f"{name!r} is on both sides; a model cannot meet itself", row=row)


def first_row(bad: Mask, rows: Codes) -> int | None:
    """The first bad row, counted from 1, or None."""
    position = int(np.argmax(bad)) if bad.any() else None
    return None if position is None else int(rows[position]) + 1


def counted_rows(frame: pd.DataFrame, rows: Codes | None) -> Codes | None:
    """Those of `rows` that count; None: all rows of the frame."""
    if "counted" not in frame:
        return rows
    column = frame["counted"]
    if column.dtype == np.bool_:
        counted = column.to_numpy(dtype=bool)
    else:
        codes, values = factorize(column)
        truth = [_TRUTH.get(text_of(value).lower(), -1) for value in values]
        truths = np.array([*truth, -1])[codes]
        within = np.arange(len(frame)) if rows is None else rows
        row = first_row(truths[within] < 0, within)
        if row is not None:
            raise _unknown_word(column, _TRUTH, row)
        counted = truths == 1
    if counted.all():
        return rows
    kept: Codes = np.flatnonzero(counted) if rows is None else rows[counted[rows]]
    return kept


def read_weights(frame: pd.DataFrame, rows: Codes | None) -> Floats | None:
    """Weights from the column `weight`, 0 for deliberate repeats; None: all are 1."""
    weight = None
    if "weight" in frame:
        column = _rows(frame["weight"], rows)
        try:
            numbers = pd.to_numeric(column, errors="coerce")
        except (OverflowError, TypeError):
            raise VotesError("weight has cells that are not numbers") from None
        weight = numbers.to_numpy(dtype=float, na_value=np.nan)
        every = np.arange(len(frame)) if rows is None else rows
        row = first_row(~(np.isfinite(weight) & (weight >= 0)), every)
        if row is not None:
            value = frame["weight"].iloc[row - 1]
            raise VotesError(f"weight is {value}; it must be a number of at least 0", row=row)
        extreme = (weight > 0) & ((weight < _MIN_WEIGHT) | (weight > 1 / _MIN_WEIGHT))
        row = first_row(extreme, every)
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
    """Whether each row deliberately repeats another battle, shape (rows,); None: no such column."""
    if "repeat_of" not in frame:
        return None
    codes, values = factorize(frame["repeat_of"])
    repeat: Mask = np.array([*(text_of(value) != "" for value in values), False])[codes]
    return repeat


def check_not_mixed(frame: pd.DataFrame, rows: Codes | None) -> None:
    """Check that all votes are of one track and one kind of voter."""
    for name in NEVER_MIXED:
        if name not in frame:
            continue
        codes, met = factorize(_rows(frame[name], rows))
        present = np.bincount(codes[codes >= 0], minlength=len(met)) > 0
        values = sorted(
            {str(value) for value, is_present in zip(met, present, strict=True) if is_present}
        )
        if len(values) > 1:
            raise VotesError(
                f"the votes have {len(values)} values of {name} ({', '.join(values)}), which one "
                f"leaderboard must not mix: choose one, or compute one leaderboard per {name}"
            )


def check_similar_names(names: Collection[str]) -> None:
    """Check that no two names differ only by leading or trailing spaces."""
    bare: dict[str, str] = {}
    for name in names:
        other = bare.setdefault(name.strip(), name)
        if other != name:
            raise VotesError(
                f"the models {other!r} and {name!r} differ only by leading or trailing "
                "spaces: rename one of them"
            )


def _rows(column: "pd.Series[Any]", rows: Codes | None) -> "pd.Series[Any]":
    """Those rows of a column; None: all of them."""
    return column if rows is None else column.iloc[rows]


def _unknown_word(column: "pd.Series[Any]", words: Collection[str], row: int) -> VotesError:
    value = column.iloc[row - 1]
    shown = "empty" if pd.isna(value) else repr(text_of(value))
    known = f"not one of {', '.join(words)}" if words else "not the name of one of its two models"
    return VotesError(f"{column.name} is {shown}, {known}", row=row)


def text_of(value: object) -> str:
    """A cell as text: 1 and 1.0 are one name, and bytes are UTF-8.

    Raises:
        VotesError: bytes that are not UTF-8.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise VotesError(f"{value!r} is not UTF-8 text") from None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
