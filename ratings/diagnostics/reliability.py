"""How reliable votes are: do voters repeat themselves, agree with each other, favour a side?

Agreement beyond chance is Krippendorff's alpha (`ratings.agreement`). What voters disagree about no
ranking can predict. Let p be the share of voters who prefer one clip of a unit, and A the chance
that two voters who both chose a side chose the same one: the mean of p^2 + (1 - p)^2. Whoever knows
every p is right with the mean of max(p, 1 - p). That is the noise ceiling. It lies between A, as
max(p, 1 - p) is never below p^2 + (1 - p)^2, and (1 + sqrt(2A - 1)) / 2, by Jensen's inequality,
which is met where every unit is equally hard. It is the ceiling of whoever knows what a unit is
made of (clips, or the prompt and the models), and supposes that voters answer independently.
"""

from dataclasses import dataclass

import numpy as np

from ratings.arrays import Codes
from ratings.diagnostics.agreement import Answers, estimate_agreement, estimate_alpha
from ratings.diagnostics.preferences import MIRROR, Preferences
from ratings.errors import OptionError, RatingsError
from ratings.inference.proportions import Estimate, estimate_proportion
from ratings.inference.uncertainty import intervals
from ratings.model.bradley_terry import BradleyTerry, bradley_terry
from ratings.model.design import SIDE
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import AUTOMATIC
from ratings.votes.columns import Outcome

_ON_A_SCALE, _MIRRORED_SCALE = np.array([0, 2, 1, 1]), np.array([2, 1, 0])


@dataclass(frozen=True)
class Reliability:
    """What the votes say about themselves; every number with interval and count.

    Attributes:
        retest: share of repeated battles with the same answer by the same voter.
        retest_corrected: the same beyond chance, 1 is always and 0 is chance (Scott's pi of 1955,
            which side is which being no information).
        retest_source: "repeat_of", deliberate repeats, or "same battle", what a voter happened to
            meet again.
        retest_note: why there is none; None where there is one.
        agreement: share of pairs of voters who gave the same answer to the same unit.
        alpha: Krippendorff's alpha of the four answers.
        alpha_ordinal: of the scale left, tie, right, with "both bad" as a tie.
        unit: what voters agree on: "clips", "prompt and models" or "models", the finest that two
            voters have met.
        ceiling: of votes for a side, the largest share that anyone can predict who knows the unit
            but not the voter: an upper bound, with equality where all units are equally hard.
        ceiling_least: a lower bound of the same.
        left: share of the left side among votes for a side, whatever their weight.
        left_effect: the left side's advantage, Elo points, strengths held equal.
        first: share of the side played first among votes for a side.
        confidence: of each interval by itself.
        cluster: the column of voters; None: every vote is independent.
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
    """Measure the votes against themselves.

    Args:
        battles: the votes. Columns `repeat_of` and `battle_id` tell deliberate repeats; `clip_a`
            and `clip_b`, or `prompt` (or `prompt_id`), what is the same battle; `first` the side
            played first.
        voter: column of voters; "auto": where a column tells them; None: every vote is by itself.
        confidence: of each interval by itself.

    Raises:
        OptionError: a confidence not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise OptionError(f"confidence must lie between 0 and 1, not {confidence:g}")
    votes = Preferences(battles, voter)
    own, source = votes.repeats()
    told = votes.oriented[own]
    retest = estimate_proportion(told[:, 0] == told[:, 1], votes.voter[own[:, 0]], confidence)
    answers, unit = votes.answers()
    sides = answers.value < Outcome.TIE
    decided = Answers(
        answers.unit[sides], answers.voter[sides], answers.value[sides], MIRROR[: Outcome.TIE]
    )
    scale = answers._replace(value=_ON_A_SCALE[answers.value], mirror=_MIRRORED_SCALE)
    chose = estimate_agreement(decided, confidence)
    return Reliability(
        retest=retest,
        retest_corrected=_corrected(retest, _chance_agreement(told)),
        retest_source=source,
        retest_note=None if len(own) else votes.why_no_repeats(),
        agreement=estimate_agreement(answers, confidence),
        alpha=estimate_alpha(answers, "nominal", confidence),
        alpha_ordinal=estimate_alpha(scale, "ordinal", confidence),
        unit=unit,
        ceiling=chose.map(_ceiling),
        ceiling_least=chose.map(lambda agreed: float(np.maximum(agreed, 0.5))),
        left=votes.left_share(confidence),
        left_effect=_left_effect(battles, votes.column, confidence),
        first=votes.first_share(confidence),
        confidence=confidence,
        cluster=votes.column,
    )


def _corrected(share: Estimate, chance: float) -> Estimate:
    if not share.votes or chance >= 1:
        return Estimate(np.nan, np.nan, np.nan, share.votes)
    return share.map(lambda agreed: (agreed - chance) / (1 - chance))


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


def _chance_agreement(told: Codes) -> float:
    """Of two answers drawn from all that were compared, which side is which being no matter."""
    if not len(told):
        return np.nan
    share = np.bincount(told.ravel(), minlength=len(Outcome)) / told.size
    sides = share[Outcome.A] + share[Outcome.B]
    return float(sides**2 / 2 + share[Outcome.TIE] ** 2 + share[Outcome.BOTH_BAD] ** 2)
