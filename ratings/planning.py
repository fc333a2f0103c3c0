"""How many more votes until neighbours on the leaderboard are told apart, and the first is known.

Two models are told apart when their difference is significant, two-sided, at the confidence given.
How many votes that takes is planned with the votes in hand (`ratings.power`), for a true gap equal
to the estimate; `assurance` is the honest chance that so many are enough, since nobody knows that
the gap is the estimate.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t as student

from ratings.battles import Battles
from ratings.bootstrap import Solver, draws
from ratings.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.design import Design
from ratings.errors import OptionError
from ratings.outcomes import GAP, OUTCOMES
from ratings.power import MOST_VOTES, assurance, votes_for_power
from ratings.refit import prior_of
from ratings.shares import wilson_interval
from ratings.uncertainty import Intervals, probability_above, squared_counts

Floats = NDArray[np.float64]

_DRAWS = 4000  # of all gaps to the first at once; a power of 80% is known to 0.6%
_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Plan:
    """What more votes would settle.

    Attributes:
        neighbours: a row for each rated model but the last, best first: `model`; `below`, its
            neighbour; `gap` with `gap_lower` and `gap_upper`, Elo points; `probability_above`;
            `told_apart`, now; `more_votes`, in the whole arena with pairs as mixed so far, NA
            where no number is enough; `more_votes_wide` and `more_votes_narrow`, the same if the
            gap is at the upper or lower end of its interval; `direct_votes`, if all of them were
            between these two; `assurance` of `more_votes`.
        first: the model that leads, or None.
        first_known: whether it is told apart from all others now, jointly (Bonferroni).
        first_votes: how many more votes until it is, in the whole arena; None: no number is enough.
        power: with which the tests are to succeed.
        confidence: of the tests.
        votes: in hand, among the rated models.
        unrated: models that no plan can be made for.
    """

    neighbours: pd.DataFrame
    first: str | None
    first_known: bool
    first_votes: int | None
    power: float
    confidence: float
    votes: int
    unrated: tuple[str, ...]


def plan(battles: Battles, fit: BradleyTerry, spread: Intervals, *, power: float = 0.8) -> Plan:
    """How many more votes would tell neighbours apart, with the confidence of `spread`.

    Votes to come are taken to be like those in hand: of the same pairs, from voters of the same
    kind. Where `spread` is clustered by voter, so is the plan.

    Args:
        battles: the votes.
        fit: their ratings.
        spread: their intervals.
        power: with which each test is to succeed, between 0.5 and 1.

    Raises:
        OptionError: a power out of range.
    """
    if not 0.5 <= power < 1:
        raise OptionError(f"power must lie from 0.5 up to below 1, not {power:g}")
    ratings = fit.ratings.dropna().sort_values(ascending=False, kind="stable")
    names = list(ratings.index)
    votes = _votes_among(battles, fit)
    if not votes:  # a prior rates everyone from nothing, and nothing can be planned from it
        names = []
    above = probability_above(fit, spread)
    direct = _DirectVotes(fit, spread, max(votes, 1))
    rows = [
        _neighbours(fit, spread, direct, names[i], names[i + 1], votes, power)
        | {"probability_above": above.loc[names[i], names[i + 1]]}
        for i in range(len(names) - 1)
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS).astype(_TYPES)
    known, needed = _first(fit, spread, names, votes, power)
    return Plan(
        neighbours=table,
        first=names[0] if names else None,
        first_known=known,
        first_votes=needed,
        power=power,
        confidence=spread.confidence,
        votes=votes,
        unrated=tuple(fit.ratings.index[fit.ratings.isna()]),
    )


_NUMBERS = ("more_votes", "more_votes_wide", "more_votes_narrow", "direct_votes")
_COLUMNS = ["model", "below", "gap", "gap_lower", "gap_upper", "probability_above", "told_apart"]
_COLUMNS += [*_NUMBERS, "assurance"]
_TYPES = dict.fromkeys(_NUMBERS, "Int64") | {"told_apart": bool}


def _votes_among(battles: Battles, fit: BradleyTerry) -> int:
    rated = fit.ratings.notna().to_numpy()
    used = fit.design.rules.apply(battles.counts)
    return int(used[:, rated][:, :, rated].sum())


def _neighbours(
    fit: BradleyTerry,
    spread: Intervals,
    direct: "_DirectVotes",
    upper: str,
    lower: str,
    votes: int,
    power: float,
) -> dict[str, object]:
    gap = float(fit.ratings.loc[upper]) - float(fit.ratings.loc[lower])
    variance = _variance_of_gap(spread, upper, lower)
    freedom = float(spread.freedom.loc[[upper, lower]].min())
    threshold = float(student.ppf(0.5 + spread.confidence / 2, freedom))
    held = 1 / variance
    reach = threshold * np.sqrt(variance)

    def needed(true_gap: float, of_vote: float) -> int | None:
        return votes_for_power(true_gap, held, of_vote, threshold, power)

    found = needed(gap, held / votes)
    told = bool(gap > reach)
    narrow = gap - reach
    return {
        "model": upper,
        "below": lower,
        "gap": gap,
        "gap_lower": narrow,
        "gap_upper": gap + reach,
        "told_apart": told,
        "more_votes": found,
        "more_votes_wide": needed(gap + reach, held / votes),
        "more_votes_narrow": needed(narrow, held / votes) if told else None,
        "direct_votes": needed(gap, direct.precision(upper, lower)),
        "assurance": np.nan
        if found is None
        else assurance(gap, held, found * held / votes, threshold),
    }


def _variance_of_gap(spread: Intervals, upper: str, lower: str) -> float:
    """Of the difference of two ratings, Elo points squared."""
    i, j = spread.covariance.index.get_indexer(pd.Index([upper, lower]))
    c = spread.covariance.to_numpy()
    return float(c[i, i] + c[j, j] - 2 * c[i, j])


class _DirectVotes:
    """Precision that a vote between two models adds to their gap, per Elo point squared.

    The information of the vote model there, less the factor by which clusters and misfit have
    widened the gap's variance beyond what the model says.
    """

    def __init__(self, fit: BradleyTerry, spread: Intervals, votes: int) -> None:
        design = fit.design
        self.fit, self.spread = fit, spread
        self.rated = list(fit.ratings.index[fit.ratings.notna()])
        self.weight = float(design.counts.sum()) / votes  # of a vote like those in hand
        information = design.information(fit.point) + prior_of(fit).precision
        self.inverse = design.invert(information) if votes and design.size > 1 else information

    def precision(self, upper: str, lower: str) -> float:
        design, inverse = self.fit.design, self.inverse
        i, j = self.rated.index(upper), self.rated.index(lower)
        extras = tuple(
            extra if extra.column is None else extra._replace(column=np.zeros(1))
            for extra in design.extras
        )
        nothing = np.zeros((OUTCOMES, 1))
        cell = Design(design.size, np.array([i]), np.array([j]), nothing, design.rules, extras)
        local = cell.at(self.fit.point)
        curvature = local.curvature[:, GAP, GAP, 0]
        # Rao and Kupper's curvature differs by answer: the mean over the answers that it knows.
        share = np.exp(local.log_share[:3, 0]) if len(curvature) > 1 else np.ones(1)
        information = self.weight * float(curvature[: len(share)] @ share)
        by_model = inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]
        return float(information * by_model / _variance_of_gap(self.spread, upper, lower))


def _first(
    fit: BradleyTerry, spread: Intervals, names: list[str], votes: int, power: float
) -> tuple[bool, int | None]:
    """Whether the first is told apart from all others now, and after how many more votes."""
    if len(names) < 2:
        return False, None
    ratings = fit.ratings.loc[names].to_numpy()
    covariance = spread.covariance.loc[names, names].to_numpy()
    to_gap = np.hstack([np.ones((len(names) - 1, 1)), -np.eye(len(names) - 1)])
    gaps = to_gap @ ratings
    shared = to_gap @ covariance @ to_gap.T
    error = np.sqrt(np.diag(shared))
    freedom = float(spread.freedom.loc[names].min())
    threshold = float(student.ppf(1 - (1 - spread.confidence) / 2 / len(gaps), freedom))
    if (gaps > threshold * error).all():
        return True, 0
    values, vectors = np.linalg.eigh(shared)
    normal = np.random.default_rng(0).standard_normal((_DRAWS, len(gaps)))
    noise = normal * np.sqrt(np.maximum(values, 0)) @ vectors.T

    def short(log_votes: float) -> float:
        share = np.exp(log_votes) / votes
        final = gaps + noise * np.sqrt(share) / (1 + share)
        return float((final > threshold * error / np.sqrt(1 + share)).all(axis=1).mean()) - power

    end = float(np.log(MOST_VOTES))
    if not gaps.all() or short(end) < 0:
        return False, None
    if short(0.0) >= 0:
        return False, 1
    return False, int(np.ceil(np.exp(brentq(short, 0.0, end, xtol=1e-4))))


def simulate_power(
    battles: Battles,
    fit: BradleyTerry,
    spread: Intervals,
    more_votes: int,
    *,
    rounds: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """How often so many more votes would tell neighbours apart, by refits instead of formulas.

    Votes to come are drawn from those in hand (whole clusters where `spread` is clustered), added
    to them, and all are fitted anew; standard errors shrink with the number of votes.

    Args:
        battles: the votes.
        fit: their ratings.
        spread: their intervals; at most one column of clusters.
        more_votes: how many.
        rounds: refits.
        seed: of the draws.

    Returns:
        `model, below, power, power_lower, power_upper`: the share of rounds and its 95% interval
        (Wilson 1927).

    Raises:
        OptionError: votes or rounds below 1.
    """
    if not (1 <= more_votes <= MOST_VOTES and rounds >= 1):
        raise OptionError(f"more_votes must be from 1 to {MOST_VOTES:,}, and rounds 1 or more")
    columns = ["model", "below", "power", "power_lower", "power_upper"]
    ratings = fit.ratings.dropna().sort_values(ascending=False, kind="stable")
    if len(ratings) < 2 or not _votes_among(battles, fit):
        return pd.DataFrame(columns=columns)
    held = fit.design.counts
    share = more_votes / _votes_among(battles, fit)
    cluster: tuple[str, ...] = (spread.cluster,) if spread.cluster else ()
    if cluster and spread.cluster not in battles.frame:  # two columns
        cluster = tuple(str(spread.cluster).split(" and "))
    draw = draws(battles, fit, squared_counts(battles, fit).counts, cluster)
    solver, random = Solver(fit), np.random.default_rng(seed)
    points = np.concatenate(
        [
            solver.solve(held + draw(random, min(_AT_ONCE, rounds - start), share))
            for start in range(0, rounds, _AT_ONCE)
        ]
    )
    rated = list(fit.ratings.index[fit.ratings.notna()])
    order = [rated.index(name) for name in ratings.index]
    drawn = ELO_PER_STRENGTH * points[:, order]
    gaps = drawn[:, :-1] - drawn[:, 1:]
    c = spread.covariance.to_numpy()[np.ix_(order, order)]
    own = np.diag(c)
    error = np.sqrt(own[:-1] + own[1:] - 2 * np.diag(c, 1)) / np.sqrt(1 + share)
    freedom = spread.freedom.loc[ratings.index].to_numpy()
    threshold = student.ppf(0.5 + spread.confidence / 2, np.minimum(freedom[:-1], freedom[1:]))
    with np.errstate(invalid="ignore"):
        told = (np.abs(gaps) > threshold * error).sum(axis=0)
    lower, upper = wilson_interval(told / rounds, float(rounds))
    found = [ratings.index[:-1], ratings.index[1:], told / rounds, lower, upper]
    return pd.DataFrame(dict(zip(columns, found, strict=True)))
