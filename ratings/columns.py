"""The columns of a table of votes: which there are, and their words as small integer codes."""

from collections.abc import Hashable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.errors import OptionError, VotesError

Codes = NDArray[np.intp]
Rows = NDArray[np.intp]


class Outcome(IntEnum):
    """The answer to one battle."""

    A = 0
    B = 1
    TIE = 2
    BOTH_BAD = 3


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
# What is read beside the layout's own columns.
READ_TOO = ("weight", "counted", "repeat_of", *NEVER_MIXED)
VOTER = "voter"
# What a release calls the columns that `cluster` may name by a plain word.
STAND_INS = {VOTER: "evaluation_session_id", "prompt": "prompt_id"}

_TRUTH = {"true": 1, "1": 1, "1.0": 1, "false": 0, "0": 0, "0.0": 0}


def find_layout(frame: pd.DataFrame) -> Layout:
    """The layout whose three columns the frame has; the arena's own where several fit."""
    for layout in LAYOUTS:
        if {layout.a, layout.b, layout.winner} <= set(frame.columns):
            return layout
    if frame.empty and not len(frame.columns):
        return LAYOUTS[0]
    found = ", ".join(map(str, frame.columns)) or "none"
    raise VotesError(
        "the votes need the columns model_a, model_b, winner (or left, right, winner, "
        f"or left_model, right_model, vote_type); found: {found}"
    )


def factorize(column: "pd.Series[Any]") -> tuple[Codes, list[Hashable]]:
    """Codes from 0 and the values they stand for; -1 is a missing value.

    A categorical column is taken by its codes as they are: no string is hashed twice.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.intp), list(column.cat.categories)
    codes, values = pd.factorize(column)
    return np.asarray(codes, dtype=np.intp), list(values)


def first_row(bad: NDArray[np.bool_], rows: Rows) -> int | None:
    """The first bad row as a person counts it, or None."""
    position = int(np.argmax(bad)) if bad.any() else None
    return None if position is None else int(rows[position]) + 1


def code_words(column: "pd.Series[Any]", words: dict[str, Any], rows: Rows) -> Codes:
    """Each row's number after `words`; a word that is not among them is an error."""
    codes, values = factorize(column)
    meaning = np.array([words.get(_text(value), -1) for value in values] + [-1], dtype=np.intp)
    coded = meaning[codes[rows]]
    row = first_row(coded < 0, rows)
    if row is not None:
        value = column.iloc[row - 1]
        shown = "empty" if pd.isna(value) else repr(_text(value))
        raise VotesError(f"{column.name} is {shown}, not one of {', '.join(words)}", row=row)
    return coded


def code_names(
    columns: "tuple[pd.Series[Any], pd.Series[Any]]", rows: Rows, known: list[str]
) -> tuple[Codes, Codes, list[str]]:
    """Codes of both sides into one alphabetical list of the names that occur, and `known`."""
    parts = []
    names: set[str] = set(known)
    for column in columns:
        codes, values = factorize(column)
        kept = codes[rows]
        texts = [_text(value) for value in values]
        empty = np.array([not text.strip() for text in texts] + [True])
        row = first_row(empty[kept], rows)
        if row is not None:
            raise VotesError(f"{column.name} is empty; every vote needs two models", row=row)
        occurs = np.bincount(kept, minlength=len(texts)) > 0
        names.update(text for text, used in zip(texts, occurs, strict=True) if used)
        parts.append((kept, texts))
    order = sorted(names)
    place = {name: index for index, name in enumerate(order)}
    a, b = (np.array([place.get(t, -1) for t in texts] + [-1])[kept] for kept, texts in parts)
    return a, b, order


def counted_rows(frame: pd.DataFrame, rows: Rows) -> Rows:
    """The rows that count; all of them where the frame has no such column."""
    if "counted" not in frame:
        return rows
    column = frame["counted"]
    if column.dtype == np.bool_:
        kept: Rows = rows[column.to_numpy(dtype=bool)[rows]]
        return kept
    lowered = column.astype(object).map(lambda value: _text(value).lower(), na_action="ignore")
    counted: Rows = rows[code_words(lowered.rename("counted"), _TRUTH, rows) == 1]
    return counted


def read_weights(frame: pd.DataFrame, rows: Rows) -> NDArray[np.float64]:
    """Each vote's weight: the column `weight`, or 1; 0 for a deliberate repeat."""
    weight = np.ones(len(rows))
    if "weight" in frame:
        column = frame["weight"].iloc[rows]
        weight = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        row = first_row(~(np.isfinite(weight) & (weight >= 0)), rows)
        if row is not None:
            value = frame["weight"].iloc[row - 1]
            raise VotesError(f"weight is {value}; it must be a number from 0 up", row=row)
    if "repeat_of" in frame:
        original = frame["repeat_of"].iloc[rows]
        repeated = original.notna().to_numpy() & (original.astype(str) != "").to_numpy()
        weight = np.where(repeated, 0.0, weight)
    return weight


def refuse_mixture(frame: pd.DataFrame, rows: Rows) -> None:
    """One leaderboard is of one track and one kind of voter."""
    for name in NEVER_MIXED:
        if name not in frame:
            continue
        values = sorted(map(str, frame[name].iloc[rows].dropna().unique()))
        if len(values) > 1:
            raise VotesError(
                f"the votes are of {len(values)} values of {name} ({', '.join(values)}), which no "
                f"one leaderboard may mix: choose one, or ask for one leaderboard each by {name}"
            )


def find_cluster_columns(frame: pd.DataFrame, cluster: str | Sequence[str]) -> tuple[str, ...]:
    """The one or two columns that `cluster` names; none for voters where no column tells them."""
    asked = [cluster] if isinstance(cluster, str) else list(dict.fromkeys(cluster))
    if not 1 <= len(asked) <= 2:
        raise OptionError(f"cluster takes one or two columns, not {len(asked)}")
    found = []
    for name in asked:
        stand_in = STAND_INS.get(name)
        if name in frame:
            found.append(name)
        elif stand_in is not None and stand_in in frame:
            found.append(stand_in)
        elif name != VOTER:
            raise OptionError(f"the votes have no column {name!r} to cluster by")
    return tuple(dict.fromkeys(found))


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
