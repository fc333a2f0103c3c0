"""Votes as preferences between two things, whichever side each was on: models, or their clips.

What two voters, or one voter twice, have seen alike is a unit: two clips; a prompt and two models;
or two models. Deliberate repeats have weight 0 and are in no rating, but are read here.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.arrays import Codes
from ratings.diagnostics.agreement import Answers
from ratings.inference.proportions import (
    NO_ESTIMATE,
    Estimate,
    estimate_proportion,
    wilson_interval,
)
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import NO_VOTERS, PROMPT, find_cluster_column, find_column
from ratings.votes.columns import Outcome, counted_rows, factorize, is_repeat

# What each answer would be with the two things named the other way round.
MIRROR = np.array([Outcome.B, Outcome.A, Outcome.TIE, Outcome.BOTH_BAD], dtype=np.intp)
_CLIPS, _BATTLE, _REPEATS, _FIRST = ("clip_a", "clip_b"), "battle_id", "repeat_of", "first"


class Preferences:
    """Votes, and the repeats of them, as preferences between two things."""

    def __init__(self, battles: Battles, voter: str | None) -> None:
        self.battles, frame = battles, battles.frame
        self.rows = battles.rows[:0] if battles.sides is None else battles.rows
        self.votes = len(self.rows)
        repeats = is_repeat(frame) if self.votes else None
        if repeats is not None:  # of weight 0, so that no rating has them among its rows
            counted = counted_rows(frame, None)
            others = np.flatnonzero(repeats)
            kept = others if counted is None else others[np.isin(others, counted)]
            self.rows = np.concatenate([self.rows, kept])
        self.column = find_cluster_column(frame, voter)
        left, right, self.outcome = (self._read(which) for which in range(3))
        self.low, self.high = np.minimum(left, right), np.maximum(left, right)
        # 0: the alphabetically first model won, 1: the other; ties and "both bad" as they are.
        turned = left > right
        self.oriented = np.where(turned, MIRROR[self.outcome], self.outcome)
        self.voter = np.arange(len(self.rows))
        if self.column is not None:
            codes = factorize(frame[self.column])[0][self.rows].astype(np.intp)
            alone = codes < 0
            codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
            self.voter = codes

    def _read(self, which: int) -> Codes:
        if self.battles.sides is None:
            return np.zeros(0, dtype=np.intp)
        side = self.battles.sides[which]
        read: Codes = side.meaning[side.codes[self.rows]]
        return read

    def _column(self, name: str) -> "pd.Series[Any]":
        return self.battles.frame[name].iloc[self.rows]

    def units(self) -> dict[str, Codes]:
        """What may be the same thing to two voters, the finest first: codes, shape (rows,)."""
        frame, models = self.battles.frame, self.low * (len(self.battles.models) + 1) + self.high
        found = {}
        if set(_CLIPS) <= set(frame.columns):
            clips = pd.concat([self._column(name).astype(object) for name in _CLIPS])
            codes = np.asarray(pd.factorize(clips)[0], dtype=np.intp) + 1
            first, second = codes[: len(self.rows)], codes[len(self.rows) :]
            low, high = np.minimum(first, second), np.maximum(first, second)
            key = low * (int(codes.max(initial=0)) + 1) + high
            # Clips stand for models: a unit is of one pair of models.
            found["clips"] = _join(key, models)
        name = find_column(frame, PROMPT)
        if name is not None:
            prompt = np.asarray(pd.factorize(self._column(name))[0], dtype=np.intp)
            found["prompt and models"] = _join(prompt, models)
        return found | {"models": _join(models)}

    def answers(self) -> tuple[Answers, str]:
        """The first answer of each voter to each unit, of the finest that two voters have met."""
        voter, value = self.voter[: self.votes], self.oriented[: self.votes]
        name, found = "", Answers(value[:0], value[:0], value[:0], MIRROR)
        for name, codes in self.units().items():
            unit = codes[: self.votes]
            first = np.sort(np.unique(_join(unit, voter), return_index=True)[1])
            found = Answers(unit[first], voter[first], value[first], MIRROR)
            if len(found.compared().unit):
                return found, name
        return found, name

    def repeats(self) -> tuple[Codes, str]:
        """Places of a vote and of the same voter's later vote on the same battle, shape (n, 2)."""
        frame = self.battles.frame
        if len(self.rows) > self.votes and _BATTLE in frame:
            ids = _as_text(self._column(_BATTLE))
            of_id = pd.Series(np.arange(self.votes), index=ids[: self.votes])
            of_id = of_id[~of_id.index.duplicated()]
            later = np.arange(self.votes, len(self.rows))
            earlier = of_id.reindex(_as_text(self._column(_REPEATS))[later]).to_numpy()
            known = ~np.isnan(earlier)
            pairs = np.stack([earlier[known].astype(np.intp), later[known]], axis=1)
            same = (self.low[pairs] == self.low[pairs][:, :1]).all(axis=1)
            same &= (self.high[pairs] == self.high[pairs][:, :1]).all(axis=1)
            if self.column is not None:
                same &= self.voter[pairs[:, 0]] == self.voter[pairs[:, 1]]
            return pairs[same], _REPEATS
        again = np.zeros((0, 2), dtype=np.intp)
        if self.column is None:
            return again, "same battle"
        units = self.units()
        del units["models"]  # another prompt is another question
        for unit in units.values():
            key = _join(unit[: self.votes], self.voter[: self.votes])
            order = np.argsort(key, kind="stable")
            met = np.flatnonzero(key[order][1:] == key[order][:-1])
            again = np.stack([order[met], order[met + 1]], axis=1)
            if len(again):
                break
        return again, "same battle"

    def why_no_repeats(self) -> str:
        """What the votes lack for a retest, to be said where there is none."""
        if self.column is None:
            return NO_VOTERS
        if len(self.rows) > self.votes and _BATTLE not in self.battles.frame:
            return "repeat_of names battles, but there is no column battle_id"
        if len(self.units()) < 2:
            return "no clip_a and clip_b, and no prompt, tell which battles are the same"
        return "no voter answered the same battle twice"

    def left_share(self, confidence: float) -> Estimate:
        outcome = self.outcome[: self.votes]
        chose = np.flatnonzero(outcome < Outcome.TIE)
        if self.battles.sides is None and len(self.battles):
            left, right = self.battles.counts.sum(axis=(1, 2))[: Outcome.TIE]
            if not left + right:
                return NO_ESTIMATE
            share = float(left / (left + right))
            lower, upper = wilson_interval(share, left + right, confidence)
            return Estimate(share, float(lower), float(upper), int(left + right))
        return estimate_proportion(outcome[chose] == Outcome.A, self.voter[chose], confidence)

    def first_share(self, confidence: float) -> Estimate:
        if _FIRST not in self.battles.frame or not self.votes:
            return NO_ESTIMATE
        played = self._column(_FIRST).astype(object).to_numpy()[: self.votes]
        side = np.where(played == "a", 0, np.where(played == "b", 1, -1))
        outcome = self.outcome[: self.votes]
        chose = np.flatnonzero((outcome < Outcome.TIE) & (side >= 0))
        return estimate_proportion(outcome[chose] == side[chose], self.voter[chose], confidence)


def _join(*keys: Codes) -> Codes:
    """One code for each combination of codes."""
    code = np.zeros(len(keys[0]), dtype=np.intp)
    for key in keys:
        fine = np.asarray(pd.factorize(key)[0], dtype=np.intp)
        code = np.asarray(
            pd.factorize(code * (int(fine.max(initial=0)) + 1) + fine)[0], dtype=np.intp
        )
    return code


def _as_text(ids: "pd.Series[Any]") -> NDArray[np.object_]:
    """Numbers of battles as text: a column with empty cells reads 5 as 5.0."""
    text: NDArray[np.object_] = ids.astype(str).str.removesuffix(".0").to_numpy(dtype=object)
    return text
