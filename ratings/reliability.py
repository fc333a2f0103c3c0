"""How reliable votes are: do voters repeat themselves, agree with each other, favour a side?

Agreement beyond chance is Krippendorff's alpha (`ratings.agreement`). What voters disagree about no
ranking can predict: if two voters who both chose a side chose the same one with probability A,
nothing that knows the clips is right more often than (1 + sqrt(2A - 1)) / 2 (by Jensen's
inequality, with equality where every battle is equally hard). That is the noise ceiling.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.agreement import estimate_agreement, estimate_alpha
from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.columns import Outcome, counted_rows, factorize, find_cluster_columns, is_repeat
from ratings.design import SIDE
from ratings.errors import OptionError, RatingsError
from ratings.shares import NOTHING, Estimate, estimate_share
from ratings.uncertainty import intervals

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_CLIPS, _PROMPT, _BATTLE, _REPEATS, _FIRST = (
    ("clip_a", "clip_b"), "prompt_id", "battle_id", "repeat_of", "first",
)  # fmt: skip


@dataclass(frozen=True)
class Reliability:
    """What the votes say about themselves; every number with interval and count.

    Attributes:
        retest: share of repeated battles with the same answer by the same voter.
        retest_corrected: the same beyond chance, 1 is always and 0 is chance (Scott's pi).
        retest_source: "repeat_of", deliberate repeats, or "same battle", what a voter happened to
            meet again.
        agreement: share of pairs of voters who gave the same answer to the same battle.
        alpha: Krippendorff's alpha of the four answers.
        alpha_ordinal: of the scale left, tie, right, with "both bad" as a tie.
        unit: what is the same battle: "clips", "prompt and models" or "models".
        ceiling: the largest share of votes for a side that any ranking can get right.
        left: share of the left side among votes for a side.
        left_effect: the left side's advantage, Elo points, strengths held equal.
        first: share of the side played first among votes for a side.
        confidence: of each interval by itself.
        cluster: the column of voters; None: every vote is independent.
    """

    retest: Estimate
    retest_corrected: Estimate
    retest_source: str
    agreement: Estimate
    alpha: Estimate
    alpha_ordinal: Estimate
    unit: str
    ceiling: Estimate
    left: Estimate
    left_effect: Estimate
    first: Estimate
    confidence: float
    cluster: str | None


def reliability(
    battles: Battles, *, voter: str = "voter", confidence: float = 0.95, seed: int = 0
) -> Reliability:
    """Measure the votes against themselves.

    Args:
        battles: the votes. Columns `repeat_of` and `battle_id` tell deliberate repeats; `clip_a`
            and `clip_b`, or `prompt_id`, what is the same battle; `first` the side played first.
        voter: column of voters.
        confidence: of each interval by itself.
        seed: of the bootstrap of alpha, over battles.

    Raises:
        OptionError: a confidence not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    answers = _Answers(battles, voter)
    own, source = answers.repeats()
    same = answers.oriented[own[:, 0]] == answers.oriented[own[:, 1]]
    retest = estimate_share(same, answers.voter[own[:, 0]], confidence)
    chance = answers.chance_agreement()
    table, unit = answers.by_unit()
    random = np.random.default_rng(seed)
    agreement, alpha = estimate_agreement(table, confidence, random)
    scale = np.stack([table[:, 0], table[:, 2] + table[:, 3], table[:, 1]], axis=1)
    ordinal = estimate_alpha(scale, "ordinal", confidence, random)
    chose, _ = estimate_agreement(table[:, :2], confidence, random)
    return Reliability(
        retest=retest,
        retest_corrected=_corrected(retest, chance),
        retest_source=source,
        agreement=agreement,
        alpha=alpha,
        alpha_ordinal=ordinal,
        unit=unit,
        ceiling=chose.through(_ceiling),
        left=answers.left_share(confidence),
        left_effect=_left_effect(battles, answers.column, confidence),
        first=answers.first_share(confidence),
        confidence=confidence,
        cluster=answers.column,
    )


def _corrected(share: Estimate, chance: float) -> Estimate:
    if not share.votes or chance >= 1:
        return Estimate(np.nan, np.nan, np.nan, share.votes)
    return share.through(lambda agreed: (agreed - chance) / (1 - chance))


def _ceiling(agreement: float) -> float:
    return float((1 + np.sqrt(max(2 * agreement - 1, 0))) / 2) if agreement == agreement else np.nan


def _left_effect(battles: Battles, column: str | None, confidence: float) -> Estimate:
    """NaN where votes cannot tell the side from the strengths."""
    nothing = Estimate(np.nan, np.nan, np.nan, len(battles))
    try:
        fit: BradleyTerry = bradley_terry(battles, side=True)
        spread = intervals(battles, fit, confidence=confidence, cluster=column)
    except RatingsError:
        return nothing
    if SIDE not in spread.effects.index:
        return nothing
    row = spread.effects.index.get_loc(SIDE)
    value, lower, upper = spread.effects[["estimate", "lower", "upper"]].to_numpy()[row]
    return Estimate(float(value), float(lower), float(upper), len(battles))


class _Answers:
    """All answers that count, repeats among them, as preferences between two things."""

    def __init__(self, battles: Battles, voter: str) -> None:
        self.battles, frame = battles, battles.frame
        self.rows = np.arange(len(frame))
        if battles.sides is None or not len(battles):
            self.rows = self.rows[:0]
        else:
            counted = counted_rows(frame, None)
            self.rows = self.rows if counted is None else counted
        columns = find_cluster_columns(frame, voter) if len(frame.columns) else ()
        self.column = columns[0] if columns else None
        left, right, outcome = (self._read(which) for which in range(3))
        self.low, self.high = np.minimum(left, right), np.maximum(left, right)
        self.outcome = outcome
        # 0: the alphabetically first model won, 1: the other; ties and "both bad" as they are.
        turned = (left > right) & (outcome < Outcome.TIE)
        self.oriented = np.where(turned, 1 - outcome, outcome)
        self.voter = np.arange(len(self.rows))
        if self.column is not None:
            codes = factorize(frame[self.column])[0][self.rows].astype(np.intp)
            alone = codes < 0
            codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
            self.voter = codes
        repeats = is_repeat(frame)
        none = np.zeros(len(self.rows), dtype=bool)
        self.repeat = none if repeats is None else repeats[self.rows]

    def _read(self, which: int) -> Codes:
        if self.battles.sides is None:
            return np.zeros(0, dtype=np.intp)
        side = self.battles.sides[which]
        read: Codes = side.meaning[side.codes[self.rows]]
        return read

    def unit(self) -> tuple[Codes, str]:
        """A code of what each vote compared, and what that is."""
        frame, models = self.battles.frame, self.low * (len(self.battles.models) + 1) + self.high
        if set(_CLIPS) <= set(frame.columns):
            clips = pd.concat([frame[name].iloc[self.rows].astype(object) for name in _CLIPS])
            codes = np.asarray(pd.factorize(clips)[0], dtype=np.intp) + 1
            first, second = codes[: len(self.rows)], codes[len(self.rows) :]
            low, high = np.minimum(first, second), np.maximum(first, second)
            key = low * (int(codes.max(initial=0)) + 1) + high
            # Clips stand for models: a unit is of one pair of models.
            return self._codes(key, models), "clips"
        if _PROMPT in frame:
            prompt = np.asarray(pd.factorize(frame[_PROMPT].iloc[self.rows])[0], dtype=np.intp)
            return self._codes(prompt, models), "prompt and models"
        return self._codes(models), "models"

    @staticmethod
    def _codes(*keys: Codes) -> Codes:
        code = np.zeros(len(keys[0]), dtype=np.intp)
        for key in keys:
            fine = np.asarray(pd.factorize(key)[0], dtype=np.intp)
            code = np.asarray(
                pd.factorize(code * (int(fine.max(initial=0)) + 1) + fine)[0], dtype=np.intp
            )
        return code

    def by_unit(self) -> tuple[Floats, str]:
        """How often each answer was given to each unit by different voters, shape (units, 4).

        Of a voter's answers to one unit only the first counts.
        """
        unit, name = self.unit()
        first = ~self.repeat
        if self.column is not None:
            seen = unit * (int(self.voter.max(initial=0)) + 1) + self.voter
            seen = np.where(first, seen, -1 - np.arange(len(seen)))
            first &= ~pd.Series(seen).duplicated().to_numpy()
        size = int(unit.max(initial=-1)) + 1
        place = unit[first] * len(Outcome) + self.oriented[first]
        total: Floats = np.bincount(place, minlength=size * len(Outcome)).astype(np.float64)
        return total.reshape(size, len(Outcome)), name

    def repeats(self) -> tuple[Codes, str]:
        """Places of a vote and of the same voter's later vote on the same battle, shape (n, 2)."""
        frame = self.battles.frame
        if self.repeat.any() and _BATTLE in frame:
            ids = frame[_BATTLE].iloc[self.rows].astype(str)
            of_id = pd.Series(np.arange(len(self.rows)), index=ids)
            of_id = of_id[~of_id.index.duplicated()]
            later = np.flatnonzero(self.repeat)
            wanted = frame[_REPEATS].iloc[self.rows[later]].astype(str)
            earlier = of_id.reindex(wanted).to_numpy()
            known = ~np.isnan(earlier)
            return np.stack([earlier[known].astype(np.intp), later[known]], axis=1), _REPEATS
        if self.column is None or not len(self.rows):
            return np.zeros((0, 2), dtype=np.intp), "same battle"
        unit, name = self.unit()
        if name == "models":  # another prompt is another question
            return np.zeros((0, 2), dtype=np.intp), "same battle"
        key = self._codes(unit, self.voter)
        order = np.argsort(key, kind="stable")
        again = np.flatnonzero(key[order][1:] == key[order][:-1])
        return np.stack([order[again], order[again + 1]], axis=1), "same battle"

    def chance_agreement(self) -> float:
        """Of two answers drawn from all, which side is which being no information."""
        if not len(self.rows):
            return np.nan
        share = np.bincount(self.oriented, minlength=len(Outcome)) / len(self.rows)
        sides = share[0] + share[1]
        return float(sides**2 / 2 + share[2] ** 2 + share[3] ** 2)

    def left_share(self, confidence: float) -> Estimate:
        chose = (self.outcome < Outcome.TIE) & ~self.repeat
        return estimate_share(self.outcome[chose] == Outcome.A, self.voter[chose], confidence)

    def first_share(self, confidence: float) -> Estimate:
        if _FIRST not in self.battles.frame or not len(self.rows):
            return NOTHING
        played = self.battles.frame[_FIRST].iloc[self.rows].astype(object).to_numpy()
        side = np.where(played == "a", 0, np.where(played == "b", 1, -1))
        chose = (self.outcome < Outcome.TIE) & ~self.repeat & (side >= 0)
        return estimate_share(self.outcome[chose] == side[chose], self.voter[chose], confidence)
