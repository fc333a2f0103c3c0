"""How many more votes until neighbours on the leaderboard are told apart, and the first is known.

Two models are told apart when their difference is significant, two-sided, at the confidence given.
Votes in hand stay in the final estimate. With precision w0 of the gap now and w1 of the votes to
come (`ratings.precision`), and a true gap g equal to the estimate, the final estimate is normal
about g with variance w1 / (w0 + w1)^2, and its test succeeds beyond z / sqrt(w0 + w1) (conditional
power: Lan and Wittes 1988):

    power = Phi((g - z / sqrt(w0 + w1)) (w0 + w1) / sqrt(w1))

Nobody knows that the gap is the estimate. `assurance` is the same probability averaged over what
the votes say about it (normal about the estimate; O'Hagan, Stevens and Campbell 2005), and
`assured_votes` the number of votes for which that is the power asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from ratings.errors import OptionError
from ratings.inference.ranks import probability_above
from ratings.inference.uncertainty import Intervals
from ratings.model.bradley_terry import BradleyTerry
from ratings.planning.precision import Gap, Gaps
from ratings.planning.sampling import PairProbabilities
from ratings.votes.battles import Battles

MOST_VOTES = 100_000_000  # more than anyone will collect: "no number of votes"
_DRAWS = 4000  # of all gaps to the first at once; a power of 80% is known to 0.6%


@dataclass(frozen=True, eq=False)
class Plan:
    """What more votes would settle.

    Attributes:
        neighbours: a row for each rated model but the last, best first: `model`; `below`, its
            neighbour; `gap` with `gap_lower` and `gap_upper`, Elo points; `probability_above`;
            `told_apart`, now; `doubled_power`, the power that as many votes again would have;
            `more_votes`, in the whole arena, NA where no number is enough; `more_votes_wide` and
            `more_votes_narrow`, the same if the true gap is at the upper or lower end of its
            interval; `direct_votes`, if all of them were between these two; `assurance` of
            `more_votes`; `assured_votes`, whose assurance is the power.
        first: the model that leads, or None.
        first_known: whether it is told apart from all others now, jointly (Bonferroni).
        first_votes: how many more votes until it is, in the whole arena; None: no number is enough.
        power: with which the tests are to succeed.
        confidence: of the tests.
        cluster: of the intervals.
        pairs: probability of each pair in the votes to come; None: as mixed so far.
        votes: in hand, among the rated models.
        unrated: models that no plan can be made for.
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
    spread: Intervals,
    *,
    power: float = 0.8,
    pairs: pd.DataFrame | PairProbabilities | None = None,
) -> Plan:
    """How many more votes would tell neighbours apart, with the confidence of `spread`.

    Votes to come are taken to be like those in hand: of the same pairs, from voters of the same
    kind. Where `spread` is clustered by voter, so is the plan. Votes are all that are cast among
    the rated models, also those whose answer the rules leave out.

    Args:
        battles: the votes.
        fit: their ratings.
        spread: their intervals.
        power: with which each test is to succeed, between 0.5 and 1.
        pairs: probability of each pair in the votes to come, by model and model, or what
            `pair_probabilities` gives; None: as mixed so far.

    Raises:
        OptionError: a power out of range, a fit of other votes, or pairs that are no probabilities
            of the rated models.
    """
    if not 0.5 <= power < 1:
        raise OptionError(f"power must lie from 0.5 up to below 1, not {power:g}")
    if isinstance(pairs, PairProbabilities):
        pairs = pairs.probability
    gaps = Gaps(battles, fit, spread, pairs)
    names = gaps.names
    above = probability_above(fit, spread)
    rows = [
        {"model": upper, "below": lower, "probability_above": above.loc[upper, lower]}
        | _neighbours(gaps.between(upper, lower), power)
        for upper, lower in pairwise(names)
    ]
    known, needed = _first(gaps, power)
    return Plan(
        neighbours=pd.DataFrame(rows, columns=_COLUMNS).astype(_TYPES),
        first=names[0] if names else None,
        first_known=known,
        first_votes=needed,
        power=power,
        confidence=spread.confidence,
        cluster=spread.cluster,
        pairs=pairs,
        votes=gaps.votes,
        unrated=tuple(fit.ratings.index[fit.ratings.isna()]),
    )


_NUMBERS = ("more_votes", "more_votes_wide", "more_votes_narrow", "direct_votes", "assured_votes")
_COLUMNS = ["model", "below", "gap", "gap_lower", "gap_upper", "probability_above", "told_apart"]
_COLUMNS += ["doubled_power", *_NUMBERS[:-1], "assurance", _NUMBERS[-1]]
_TYPES = dict.fromkeys(_NUMBERS, "Int64") | {"told_apart": bool}


def _neighbours(gap: Gap, power: float) -> dict[str, object]:
    reach = gap.threshold() / np.sqrt(gap.held)
    told = gap.told_apart()

    def power_of(more: float, added: float, truth: float) -> float:
        # The final estimate is about the mean of both, by their precision.
        middle = (gap.held * gap.estimate + added * truth) / (gap.held + added)
        return conditional_power(middle, gap.held, added, gap.threshold(more))

    def needed(truth: float, added: Callable[[float], float] = gap.added) -> int | None:
        if told:
            return 0
        # Of no gap, or one the other way round, no number of votes shows that it is this way.
        return fewest_votes(lambda more: power_of(more, added(more), truth), power, truth > 0)

    def assured(more: float) -> float:
        return assurance(gap.estimate, gap.held, gap.added(more), gap.threshold(more))

    found = needed(gap.estimate)
    return {
        "gap": gap.estimate,
        "gap_lower": gap.estimate - reach,
        "gap_upper": gap.estimate + reach,
        "told_apart": told,
        "doubled_power": power_of(gap.votes, gap.added(gap.votes), gap.estimate),
        "more_votes": found,
        "more_votes_wide": needed(gap.estimate + reach),
        "more_votes_narrow": needed(gap.estimate - reach),
        "direct_votes": needed(gap.estimate, gap.added_directly),
        "assurance": np.nan if found is None else assured(found),
        "assured_votes": 0 if told else fewest_votes(assured, power),
    }


def _first(gaps: Gaps, power: float) -> tuple[bool, int | None]:
    """Whether the first is told apart from all others now, and after how many more votes."""
    if len(gaps.names) < 2:
        return False, None
    first, others = gaps.names[0], gaps.names[1:]
    each = [gaps.between(first, other) for other in others]
    if all(gap.told_apart(tests=len(each)) for gap in each):
        return True, 0
    values, vectors = np.linalg.eigh(gaps.correlation(first, others))
    normal = np.random.default_rng(0).standard_normal((_DRAWS, len(each)))
    noise = normal * np.sqrt(np.maximum(values, 0)) @ vectors.T
    estimate = np.array([gap.estimate for gap in each])
    held = np.array([gap.held for gap in each])

    def joint(more: float) -> float:
        added = np.array([gap.added(more) for gap in each])
        final = held + added
        deviation = np.sqrt(added) / final  # of the final estimates, as in `conditional_power`
        threshold = np.array([gap.threshold(more, tests=len(each)) for gap in each])
        ahead = estimate + deviation * noise > threshold / np.sqrt(final)
        return float(ahead.all(axis=1).mean())

    return False, fewest_votes(joint, power, bool(estimate.all()))


def conditional_power(gap: float, held: float, added: float, threshold: float) -> float:
    """Probability that the final test succeeds if the true gap is the estimate of the votes held.

    Args:
        gap: above 0.
        held: precision (1 / variance) of the estimate now.
        added: precision of the votes to come.
        threshold: standard errors that a gap must exceed.
    """
    final = held + added
    if added <= 0:
        return float(gap * np.sqrt(held) > threshold)
    return float(norm.cdf((gap - threshold / np.sqrt(final)) * final / np.sqrt(added)))


def assurance(gap: float, held: float, added: float, threshold: float) -> float:
    """The same averaged over a true gap that is normal about the estimate; either sign counts."""
    final = held + added
    if added <= 0:
        return float(gap * np.sqrt(held) > threshold)
    deviation = np.sqrt(added / held / final)  # of the final estimate, given the votes held
    least = threshold / np.sqrt(final)
    return float(norm.sf((least - gap) / deviation) + norm.cdf((-least - gap) / deviation))


def fewest_votes(
    power_of: Callable[[float], float], wanted: float, possible: bool = True
) -> int | None:
    """The fewest votes that have the power; None if `MOST_VOTES` do not, or it is not possible."""

    def short(log_votes: float) -> float:
        return power_of(float(np.exp(log_votes))) - wanted

    end = float(np.log(MOST_VOTES))
    if not possible or short(end) < 0:
        return None
    if short(0.0) >= 0:
        return 1
    return int(np.ceil(np.exp(brentq(short, 0.0, end, xtol=1e-9))))
