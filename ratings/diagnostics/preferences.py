"""Votes as preferences between two models or clips, independent of the side that each was on.

A unit is what several voters, or one voter repeatedly, have compared: two clips; a prompt and two
models; or two models. Deliberate repeats have weight 0 and do not affect ratings, but are read
here.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Codes
from ratings.diagnostics.agreement import Answers
from ratings.errors import VotesError
from ratings.inference.proportions import (
    NO_ESTIMATE,
    Estimate,
    estimate_proportion,
    wilson_interval,
)
from ratings.schema import PROMPT
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import NO_VOTERS, find_cluster_column, find_column
from ratings.votes.columns import Outcome, counted_rows, factorize, first_row, is_repeat, text_of

# The answer that each answer becomes if the two sides are swapped.
MIRROR = np.array([Outcome.B, Outcome.A, Outcome.TIE, Outcome.BOTH_BAD], dtype=np.intp)
_CLIPS, _BATTLE, _REPEATS, _FIRST = ("clip_a", "clip_b"), "battle_id", "repeat_of", "first"
_FIRST_WORDS = {"a": 0, "left": 0, "model_a": 0, "b": 1, "right": 1, "model_b": 1, "": -1}


class Preferences:
    """Votes, followed by deliberate repeats of votes, as preferences between two models.

    Attributes:
        battles: the votes.
        rows: rows of the frame that were read, shape (rows,).
        votes: number of votes; the remaining rows are repeats.
        column: column of voters, or None.
        outcome: answer by side, shape (rows,).
        low: the smaller of the two model codes, shape (rows,).
        high: the larger one.
        oriented: answer in the order of `low` and `high`: 0 if `low` won, 1 if `high` did; ties and
            "both bad" are unchanged.
        voter: voter code, shape (rows,); rows without a voter have a code of their own.
    """

    def __init__(self, battles: Battles, voter: str | None) -> None:
        self.battles, frame = battles, battles.frame
        self.rows = battles.rows[:0] if battles.sides is None else battles.rows
        self.votes = len(self.rows)
        repeats = is_repeat(frame) if self.votes else None
        if repeats is not None:  # with weight 0, so that they are not among the rows of ratings
            counted = counted_rows(frame, None)
            others = np.flatnonzero(repeats)
            kept = others if counted is None else others[np.isin(others, counted)]
            self.rows = np.concatenate([self.rows, kept])
        self.column = find_cluster_column(frame, voter)
        left, right, self.outcome = (self._read(side) for side in range(3))
        self.low, self.high = np.minimum(left, right), np.maximum(left, right)
        swapped = left > right
        self.oriented = np.where(swapped, MIRROR[self.outcome], self.outcome)
        self.voter = np.arange(len(self.rows))
        if self.column is not None:
            codes = factorize(frame[self.column])[0][self.rows].astype(np.intp)
            missing = codes < 0
            codes[missing] = codes.max(initial=-1) + 1 + np.arange(missing.sum())
            self.voter = codes

    def _read(self, number: int) -> Codes:
        """Codes of the left model (0), the right model (1) or the answer (2)."""
        if self.battles.sides is None:
            return np.zeros(0, dtype=np.intp)
        side = self.battles.sides[number]
        codes: Codes = side.meaning[side.codes[self.rows]]
        return codes

    def _column(self, name: str) -> "pd.Series[Any]":
        return self.battles.frame[name].iloc[self.rows]

    def units(self) -> dict[str, Codes]:
        """Possible units, the finest first: a code for each row, shape (rows,)."""
        frame, models = self.battles.frame, self.low * (len(self.battles.models) + 1) + self.high
        units = {}
        if set(_CLIPS) <= set(frame.columns):
            clips = pd.concat([self._column(name).astype(object) for name in _CLIPS])
            codes = np.asarray(pd.factorize(clips)[0], dtype=np.intp) + 1
            first, second = codes[: len(self.rows)], codes[len(self.rows) :]
            low, high = np.minimum(first, second), np.maximum(first, second)
            key = low * (int(codes.max(initial=0)) + 1) + high
            # Clips may be shared by models: a unit is of one pair of models.
            units["clips"] = _combine(key, models)
        name = find_column(frame, PROMPT)
        if name is not None:
            prompt = np.asarray(pd.factorize(self._column(name))[0], dtype=np.intp)
            units["prompt and models"] = _combine(prompt, models)
        return units | {"models": _combine(models)}

    def answers(self) -> tuple[Answers, str]:
        """First answer of each voter to each unit, of the finest kind that two voters have met.

        Returns:
            The answers and the kind of unit.
        """
        voter, value = self.voter[: self.votes], self.oriented[: self.votes]
        name, answers = "", Answers(value[:0], value[:0], value[:0], MIRROR)
        for name, codes in self.units().items():
            unit = codes[: self.votes]
            first = np.sort(np.unique(_combine(unit, voter), return_index=True)[1])
            answers = Answers(unit[first], voter[first], value[first], MIRROR)
            if len(answers.compared().unit):
                return answers, name
        return answers, name

    def repeats(self) -> tuple[Codes, str]:
        """Positions of votes and of the same voters' later votes on the same battles.

        Returns:
            Positions, shape (n, 2), and the source: "repeat_of" or "same battle".
        """
        frame = self.battles.frame
        if len(self.rows) > self.votes and _BATTLE in frame:
            ids = _as_text(self._column(_BATTLE))
            position = pd.Series(np.arange(self.votes), index=ids[: self.votes])
            position = position[~position.index.duplicated()]
            later = np.arange(self.votes, len(self.rows))
            earlier = position.reindex(_as_text(self._column(_REPEATS))[later]).to_numpy()
            known = ~np.isnan(earlier)
            pairs = np.stack([earlier[known].astype(np.intp), later[known]], axis=1)
            same = (self.low[pairs] == self.low[pairs][:, :1]).all(axis=1)
            same &= (self.high[pairs] == self.high[pairs][:, :1]).all(axis=1)
            if self.column is not None:
                same &= self.voter[pairs[:, 0]] == self.voter[pairs[:, 1]]
            return pairs[same], _REPEATS
        pairs = np.zeros((0, 2), dtype=np.intp)
        if self.column is None:
            return pairs, "same battle"
        units = self.units()
        del units["models"]  # another prompt is another question
        for unit in units.values():
            key = _combine(unit[: self.votes], self.voter[: self.votes])
            order = np.argsort(key, kind="stable")
            repeated = np.flatnonzero(key[order][1:] == key[order][:-1])
            pairs = np.stack([order[repeated], order[repeated + 1]], axis=1)
            if len(pairs):
                break
        return pairs, "same battle"

    def no_repeats_reason(self) -> str:
        """Why the votes have no retest."""
        if self.column is None:
            return NO_VOTERS
        if len(self.rows) > self.votes and _BATTLE not in self.battles.frame:
            return "repeat_of names battles, but there is no column battle_id"
        if len(self.units()) < 2:
            return "without clip_a and clip_b, or prompt, repeated battles are unknown"
        return "no voter answered the same battle twice"

    def left_share(self, confidence: float) -> Estimate:
        """Share of the left side among votes for a side."""
        outcome = self.outcome[: self.votes]
        decided = np.flatnonzero(outcome < Outcome.TIE)
        if self.battles.sides is None and len(self.battles):
            left, right = self.battles.counts.sum(axis=(1, 2))[: Outcome.TIE]
            if not left + right:
                return NO_ESTIMATE
            share = float(left / (left + right))
            lower, upper = wilson_interval(share, left + right, confidence)
            return Estimate(share, float(lower), float(upper), int(left + right))
        return estimate_proportion(outcome[decided] == Outcome.A, self.voter[decided], confidence)

    def first_share(self, confidence: float) -> Estimate:
        """Share of the side that was played first among votes for a side."""
        if _FIRST not in self.battles.frame or not self.votes:
            return NO_ESTIMATE
        codes, values = factorize(self._column(_FIRST))
        words = [_FIRST_WORDS.get(text_of(value).strip().lower(), -2) for value in values]
        side = np.array([*words, -1])[codes][: self.votes]
        row = first_row(side == -2, self.rows[: self.votes])
        if row is not None:
            word = text_of(self.battles.frame[_FIRST].iloc[row - 1])
            raise VotesError(f"{_FIRST} is {word!r}, not one of a, b, left, right", row=row)
        outcome = self.outcome[: self.votes]
        decided = np.flatnonzero((outcome < Outcome.TIE) & (side >= 0))
        return estimate_proportion(
            outcome[decided] == side[decided], self.voter[decided], confidence
        )


def _combine(*keys: Codes) -> Codes:
    """One code for each combination of codes."""
    code = np.zeros(len(keys[0]), dtype=np.intp)
    for key in keys:
        key_code = np.asarray(pd.factorize(key)[0], dtype=np.intp)
        combined = code * (int(key_code.max(initial=0)) + 1) + key_code
        code = np.asarray(pd.factorize(combined)[0], dtype=np.intp)
    return code


def _as_text(ids: "pd.Series[Any]") -> NDArray[np.object_]:
    """Battle ids as text; numbers in a column with empty cells are read as 5.0 instead of 5."""
    text: NDArray[np.object_] = ids.astype(str).str.removesuffix(".0").to_numpy(dtype=object)
    return text
