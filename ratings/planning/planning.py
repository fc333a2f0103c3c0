"""How many more votes until neighbours on the leaderboard differ significantly.

A difference is significant two-sided at the given confidence. The votes so far stay in the final
estimate. With precision w0 of the difference now and w1 of the votes to come (`precision`), and a
true difference g equal to the estimate, the final estimate is normal about g with variance
w1 / (w0 + w1)^2, and its test succeeds beyond z / sqrt(w0 + w1) (conditional power: Lan and Wittes
1988):

    power = Phi((g - z / sqrt(w0 + w1)) (w0 + w1) / sqrt(w1))

The true difference is not known to be the estimate. `assurance` is the same probability averaged
over what the votes say about it (normal about the estimate; O'Hagan, Stevens and Campbell 2005),
and `assured_votes` the number of votes for which that is the requested power.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from ratings.distributions import normal_cdf, normal_tail
from ratings.errors import OptionError
from ratings.inference.ranks import probability_above
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry
from ratings.planning.precision import Gap, Gaps
from ratings.planning.sampling import PairProbabilities
from ratings.votes.battles import Battles

MAX_VOTES = 100_000_000  # more than anyone will collect; beyond it "no number of votes is enough"
_DRAWS = 4000  # joint draws of all differences to the first; a power of 80% is known to 0.6%


@dataclass(frozen=True, eq=False)
class Plan:
    """What more votes would settle.

    Attributes:
        neighbours: a row for each rated model but the last, best first: `model`; `below`, its
            neighbour; `gap`, their difference in Elo points, with `gap_lower` and `gap_upper`;
            `probability_above`; `told_apart`, whether the difference is significant now;
            `doubled_power`, the power if the number of votes doubles; `more_votes`, in the whole
            arena, NA where no number is enough; `more_votes_wide` and `more_votes_narrow`, the same
            if the true difference is at the upper or lower end of its interval; `direct_votes`, if
            all votes are between these two; `assurance` of `more_votes`; `assured_votes`, the
            number whose assurance is the power.
        first: the model that leads, or None.
        first_known: whether it is now significantly ahead of all others, jointly (Bonferroni).
        first_votes: how many more votes until it is, in the whole arena; None: no number is enough.
        power: requested power of the tests.
        confidence: of the tests.
        cluster: of the intervals.
        pairs: probability of each pair in future votes; None: pairs are mixed as they were so far.
        votes: votes so far among the rated models.
        unrated: models without a rating, for which there is no plan.
    """

    neighbours: pd.DataFrame
    first: str | None
    first_known: bool
    first_votes: int | None
    power: float
    confidence: float
    cluster: str | None
    pairs: pd.DataFrame | None
    votes: int
    unrated: tuple[str, ...]


def plan(
    battles: Battles,
    fit: BradleyTerry,
    intervals: Intervals,
    *,
    power: float = 0.8,
    pairs: pd.DataFrame | PairProbabilities | None = None,
) -> Plan:
    """Plan how many more votes make neighbours differ, at the confidence of `intervals`.

    Future votes are assumed to be like those so far: on the same pairs, from the same kind of
    voters. Where `intervals` are clustered by voter, so is the plan. Numbers of votes include all
    that are cast among the rated models, also those with answers that the rules leave out.

    Args:
        battles: the votes.
        fit: their ratings.
        intervals: intervals of the ratings.
        power: probability with which each test is to succeed, from 0.5 to below 1.
        pairs: probability of each pair in future votes, by model and model, or the result of
            `pair_probabilities`; None: pairs are mixed as they were so far.

    Raises:
        OptionError: a power out of range, a fit of other votes, or pairs that are not probabilities
            of the rated models.
    """
    if not 0.5 <= power < 1:
        raise OptionError(f"power must lie from 0.5 up to below 1, not {power:g}")
    if isinstance(pairs, PairProbabilities):
        pairs = pairs.probability
    gaps = Gaps(battles, fit, intervals, pairs)
    names = gaps.names
    above = probability_above(fit, intervals)
    rows = [
        {"model": upper, "below": lower, "probability_above": above.loc[upper, lower]}
        | _neighbours(gaps.between(upper, lower), power)
        for upper, lower in pairwise(names)
    ]
    first_known, first_votes = _first_place(gaps, power)
    return Plan(
        neighbours=pd.DataFrame(rows, columns=_COLUMNS).astype(_TYPES),
        first=names[0] if names else None,
        first_known=first_known,
        first_votes=first_votes,
        power=power,
        confidence=intervals.confidence,
        cluster=intervals.cluster,
        pairs=pairs,
        votes=gaps.votes,
        unrated=tuple(fit.ratings.index[fit.ratings.isna()]),
    )


_NUMBERS = ("more_votes", "more_votes_wide", "more_votes_narrow", "direct_votes", "assured_votes")
_COLUMNS = ["model", "below", "gap", "gap_lower", "gap_upper", "probability_above", "told_apart"]
_COLUMNS += ["doubled_power", *_NUMBERS[:-1], "assurance", _NUMBERS[-1]]
_TYPES = dict.fromkeys(_NUMBERS, "Int64") | {"told_apart": bool}


def _neighbours(gap: Gap, power: float) -> dict[str, object]:
    """The columns of `Plan.neighbours` that follow from one gap."""
    half_width = gap.threshold() / np.sqrt(gap.precision)
    significant = gap.significant()

    def power_of(votes: float, added: float, truth: float) -> float:
        # The final estimate is distributed about the precision-weighted mean of both.
        mean = (gap.precision * gap.estimate + added * truth) / (gap.precision + added)
        return conditional_power(mean, gap.precision, added, gap.threshold(votes))

    def votes_needed(truth: float, added: Callable[[float], float] = gap.added) -> int | None:
        if significant:
            return 0
        # If the true difference is 0 or reversed, no number of votes shows that it is positive.
        return fewest_votes(lambda votes: power_of(votes, added(votes), truth), power, truth > 0)

    def assurance_of(votes: float) -> float:
        return assurance(gap.estimate, gap.precision, gap.added(votes), gap.threshold(votes))

    more_votes = votes_needed(gap.estimate)
    return {
        "gap": gap.estimate,
        "gap_lower": gap.estimate - half_width,
        "gap_upper": gap.estimate + half_width,
        "told_apart": significant,
        "doubled_power": power_of(gap.votes, gap.added(gap.votes), gap.estimate),
        "more_votes": more_votes,
        "more_votes_wide": votes_needed(gap.estimate + half_width),
        "more_votes_narrow": votes_needed(gap.estimate - half_width),
        "direct_votes": votes_needed(gap.estimate, gap.added_directly),
        "assurance": np.nan if more_votes is None else assurance_of(more_votes),
        "assured_votes": 0 if significant else fewest_votes(assurance_of, power),
    }


def _first_place(gaps: Gaps, power: float) -> tuple[bool, int | None]:
    """Whether the first is significantly ahead of all others now, and how many votes it needs."""
    if len(gaps.names) < 2:
        return False, None
    first, others = gaps.names[0], gaps.names[1:]
    each = [gaps.between(first, other) for other in others]
    if all(gap.significant(tests=len(each)) for gap in each):
        return True, 0
    values, vectors = np.linalg.eigh(gaps.correlation(first, others))
    normal = np.random.default_rng(0).standard_normal((_DRAWS, len(each)))
    noise = normal * np.sqrt(np.maximum(values, 0)) @ vectors.T
    estimate = np.array([gap.estimate for gap in each])
    precision = np.array([gap.precision for gap in each])

    def joint_power(votes: float) -> float:
        added = np.array([gap.added(votes) for gap in each])
        final = precision + added
        std = np.sqrt(added) / final  # of the final estimates, as in `conditional_power`
        threshold = np.array([gap.threshold(votes, tests=len(each)) for gap in each])
        ahead = estimate + std * noise > threshold / np.sqrt(final)
        return float(ahead.all(axis=1).mean())

    return False, fewest_votes(joint_power, power, bool(estimate.all()))


def conditional_power(gap: float, precision: float, added: float, threshold: float) -> float:
    """Probability that the final test succeeds if the true difference is the estimate so far.

    Args:
        gap: estimated difference, above 0.
        precision: of the estimate now (1 / variance).
        added: precision of the votes to come.
        threshold: number of standard errors that the difference must exceed.
    """
    final = precision + added
    if added <= 0:
        return float(gap * np.sqrt(precision) > threshold)
    return float(normal_cdf((gap - threshold / np.sqrt(final)) * final / np.sqrt(added)))


def assurance(gap: float, precision: float, added: float, threshold: float) -> float:
    """The power averaged over a true difference normal about the estimate; either sign counts.

    Arguments are those of `conditional_power`.
    """
    final = precision + added
    if added <= 0:
        return float(gap * np.sqrt(precision) > threshold)
    std = np.sqrt(added / precision / final)  # of the final estimate, given the votes so far
    least = threshold / np.sqrt(final)
    return float(normal_tail((least - gap) / std) + normal_cdf((-least - gap) / std))


def fewest_votes(
    power_of: Callable[[float], float], power: float, possible: bool = True
) -> int | None:
    """The fewest votes that have a power.

    Args:
        power_of: power of a number of votes, increasing.
        power: requested power.
        possible: whether any number of votes can be enough.

    Returns:
        None if it is not possible, or `MAX_VOTES` are not enough.
    """

    def excess(log_votes: float) -> float:
        return power_of(float(np.exp(log_votes))) - power

    maximum = float(np.log(MAX_VOTES))
    if not possible or excess(maximum) < 0:
        return None
    if excess(0.0) >= 0:
        return 1
    return int(np.ceil(np.exp(brentq(excess, 0.0, maximum, xtol=1e-9))))
