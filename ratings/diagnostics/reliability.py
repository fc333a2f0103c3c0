"""Reliability of votes: retest and inter-voter agreement, the noise ceiling, and side bias.

Agreement beyond chance is Krippendorff's alpha (`agreement`). What voters disagree about cannot be
predicted by any ranking. Let p be the share of voters who prefer one clip of a unit, and A the
probability that two voters who both chose a side chose the same one: the mean of p^2 + (1 - p)^2.
A predictor that knows every p is right with probability mean of max(p, 1 - p), the noise ceiling.
It lies between A, since max(p, 1 - p) is never below p^2 + (1 - p)^2, and (1 + sqrt(2A - 1)) / 2 by
Jensen's inequality, with equality if all units are equally hard. It is the ceiling of a predictor
that knows the unit (the clips, or the prompt and the models), and assumes that voters answer
independently.
"""

from dataclasses import dataclass

import numpy as np

from ratings.arrays import AnyCodes, Codes
from ratings.diagnostics.agreement import Answers, estimate_agreement, estimate_alpha
from ratings.diagnostics.preferences import MIRROR, Preferences
from ratings.errors import OptionError, RatingsError
from ratings.inference.proportions import Estimate, estimate_proportion
from ratings.inference.uncertainty import intervals
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.model.design import SIDE
from ratings.schema import AUTOMATIC
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome

_ON_A_SCALE, _MIRRORED_SCALE = np.array([0, 2, 1, 1]), np.array([2, 1, 0])


@dataclass(frozen=True)
class Reliability:
    """Measures of reliability; every number with its interval and count.

    Attributes:
        retest: share of repeated battles with the same answer by the same voter.
        retest_corrected: the same beyond chance, 1 for always and 0 for chance (Scott's pi, 1955,
            where the order of sides carries no information).
        retest_source: "repeat_of" for deliberate repeats, or "same battle" for battles that a voter
            happened to see again.
        retest_note: why there is no retest; None if there is one.
        agreement: share of pairs of voters who gave the same answer to the same unit.
        alpha: Krippendorff's alpha of the four answers.
        alpha_ordinal: of the scale left, tie, right, with "both bad" as a tie.
        unit: "clips", "prompt and models" or "models", the finest that two voters have compared.
        ceiling: largest accuracy for votes for a side of a predictor that knows the unit but not
            the voter: an upper bound, attained if all units are equally hard.
        ceiling_least: a lower bound of the same.
        left: share of the left side among votes for a side, whatever their weight.
        left_effect: advantage of the left side at equal strengths, Elo points.
        first: share of the side that was played first among votes for a side.
        confidence: of each interval by itself.
        cluster: the column of voters; None if every vote is independent.
    """

    retest: Estimate
    retest_corrected: Estimate
    retest_source: str
    retest_note: str | None
    agreement: Estimate
    alpha: Estimate
    alpha_ordinal: Estimate
    unit: str
    ceiling: Estimate
    ceiling_least: Estimate
    left: Estimate
    left_effect: Estimate
    first: Estimate
    confidence: float
    cluster: str | None


def reliability(
    battles: Battles, *, voter: str | None = AUTOMATIC, confidence: float = 0.95
) -> Reliability:
    """Measure the reliability of the votes.

    Args:
        battles: the votes. Deliberate repeats need columns `repeat_of` and `battle_id`; repeated
            battles need `clip_a` and `clip_b`, or `prompt` (or `prompt_id`); `first` is the side
            that was played first.
        voter: column of voters; "auto" uses one if there is one; None takes every vote as
            independent.
        confidence: of each interval by itself.

    Raises:
        OptionError: a confidence not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    votes = Preferences(battles, voter)
    repeats, source = votes.repeats()
    answered = votes.oriented[repeats]
    retest, retest_corrected = retest_agreement(answered, votes.voter[repeats[:, 0]], confidence)
    answers, unit = votes.answers()
    sides = answers.value < Outcome.TIE
    decided = Answers(
        answers.unit[sides], answers.voter[sides], answers.value[sides], MIRROR[: Outcome.TIE]
    )
    scale = answers._replace(value=_ON_A_SCALE[answers.value], mirror=_MIRRORED_SCALE)
    decided_agreement = estimate_agreement(decided, confidence)
    return Reliability(
        retest=retest,
        retest_corrected=retest_corrected,
        retest_source=source,
        retest_note=None if len(repeats) else votes.no_repeats_reason(),
        agreement=estimate_agreement(answers, confidence),
        alpha=estimate_alpha(answers, "nominal", confidence),
        alpha_ordinal=estimate_alpha(scale, "ordinal", confidence),
        unit=unit,
        ceiling=decided_agreement.map(_ceiling),
        ceiling_least=decided_agreement.map(lambda value: float(np.maximum(value, 0.5))),
        left=votes.left_share(confidence),
        left_effect=_left_effect(battles, votes.column, confidence),
        first=votes.first_share(confidence),
        confidence=confidence,
        cluster=votes.column,
    )


def retest_agreement(
    answers: Codes, voter: AnyCodes, confidence: float = 0.95
) -> tuple[Estimate, Estimate]:
    """Agreement of voters with their own earlier answers to the same battles.

    Args:
        answers: `Outcome` of the first and of the repeated answer, both with the sides of the
            first, shape (repeats, 2).
        voter: code of the voter, from 0, shape (repeats,); intervals are clustered by it.
        confidence: of each interval by itself.

    Returns:
        The share of equal answers, and the same beyond chance as in `Reliability.retest_corrected`.
    """
    answers = np.asarray(answers, dtype=np.intp).reshape(-1, 2)
    codes = np.unique(voter, return_inverse=True)[1]
    share = estimate_proportion(answers[:, 0] == answers[:, 1], codes, confidence)
    return share, _beyond_chance(share, _chance_agreement(answers))


def _beyond_chance(share: Estimate, chance: float) -> Estimate:
    """Rescale a share of equal answers so that 0 is chance and 1 is always."""
    if not share.votes or chance >= 1:
        return Estimate(np.nan, np.nan, np.nan, share.votes)
    return share.map(lambda value: (value - chance) / (1 - chance))


def _ceiling(agreement: float) -> float:
    """Upper bound of the noise ceiling, (1 + sqrt(2A - 1)) / 2; NaN for NaN."""
    return float((1 + np.sqrt(max(2 * agreement - 1, 0))) / 2) if agreement == agreement else np.nan


def _left_effect(battles: Battles, column: str | None, confidence: float) -> Estimate:
    """Advantage of the left side, Elo points; NaN where it cannot be estimated."""
    unknown = Estimate(np.nan, np.nan, np.nan, len(battles))
    try:
        fit: BradleyTerry = bradley_terry(battles, side=True)
        effects = intervals(battles, fit, confidence=confidence, cluster=column).effects
    except RatingsError:
        return unknown
    if SIDE not in effects.index:
        return unknown
    row = effects.index.get_loc(SIDE)
    value, lower, upper = effects[["estimate", "lower", "upper"]].to_numpy()[row]
    return Estimate(float(value), float(lower), float(upper), len(battles))


def _chance_agreement(answers: Codes) -> float:
    """Probability that two of these answers are equal, with sides swapped at random."""
    if not len(answers):
        return np.nan
    share = np.bincount(answers.ravel(), minlength=len(Outcome)) / answers.size
    sides = share[Outcome.A] + share[Outcome.B]
    return float(sides**2 / 2 + share[Outcome.TIE] ** 2 + share[Outcome.BOTH_BAD] ** 2)
