"""How often more votes would tell models apart, by refits where `ratings.planning` calculates.

Votes to come are resampled from those in hand, so that the true gap is the estimate; votes of one
voter stay together where intervals are by voter.
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from ratings.arrays import Floats
from ratings.errors import OptionError
from ratings.inference.bootstrap import BatchSolver, draws
from ratings.inference.proportions import wilson_interval
from ratings.inference.uncertainty import Intervals, squared_counts
from ratings.model.bradley_terry import ELO_PER_STRENGTH, BradleyTerry
from ratings.planning.planning import MOST_VOTES
from ratings.planning.precision import Gaps
from ratings.votes.battles import Battles

_AT_ONCE = 50


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
    to them, and all are fitted anew; standard errors are those that `plan` expects.

    Args:
        battles: the votes.
        fit: their ratings.
        spread: their intervals; at most one column of clusters.
        more_votes: how many.
        rounds: refits.
        seed: of the draws.

    Returns:
        `model, below, power, power_lower, power_upper`: the share of rounds and its 95% interval
        (Wilson 1927); a round without finite ratings tells nobody apart. `attrs` has every
        parameter, `first`, and as `first_power`, `first_power_lower` and `first_power_upper` how
        often the first place would be known (NaN where there is none).

    Raises:
        OptionError: votes or rounds out of range, or clusters that cannot be resampled.
    """
    if not (1 <= more_votes <= MOST_VOTES and rounds >= 1):
        raise OptionError(f"more_votes must be from 1 to {MOST_VOTES:,}, and rounds 1 or more")
    gaps = Gaps(battles, fit, spread, None)
    names = gaps.names
    others = names[1:]
    ratings = pd.DataFrame(np.nan, index=range(rounds), columns=names)
    if others:
        ratings[names] = _drawn(battles, fit, spread, more_votes / gaps.votes, rounds, seed)[names]

    def drawn(upper: str, lower: str) -> Floats:
        gap: Floats = ratings[upper].to_numpy() - ratings[lower].to_numpy()
        return gap

    def least(upper: str, lower: str, tests: int = 1) -> float:
        gap = gaps.between(upper, lower)
        error = float(np.sqrt(1 / (gap.held + gap.added(more_votes))))
        return gap.threshold(more_votes, tests=tests) * error

    told = [(np.abs(drawn(*pair)) > least(*pair)).mean() for pair in pairwise(names)]
    first = np.nan
    if others:
        ahead = [drawn(names[0], each) > least(names[0], each, len(others)) for each in others]
        first = float(np.all(ahead, axis=0).mean())
    lower, upper = np.array(wilson_interval(np.array([*told, first]), rounds))
    found = {"model": names[:-1], "below": others, "power": told}
    table = pd.DataFrame(found | {"power_lower": lower[:-1], "power_upper": upper[:-1]})
    table.attrs = {
        "more_votes": more_votes,
        "rounds": rounds,
        "seed": seed,
        "confidence": spread.confidence,
        "cluster": spread.cluster,
        "first": names[0] if names else None,
        "first_power": first,
        "first_power_lower": float(lower[-1]),
        "first_power_upper": float(upper[-1]),
    }
    return table


def _drawn(
    battles: Battles, fit: BradleyTerry, spread: Intervals, share: float, rounds: int, seed: int
) -> pd.DataFrame:
    """Ratings refitted to the votes in hand and more, that share of them; a row for each round."""
    cluster: tuple[str, ...] = (spread.cluster,) if spread.cluster else ()
    if cluster and spread.cluster not in battles.frame:  # two columns
        cluster = tuple(str(spread.cluster).split(" and "))
    draw = draws(battles, fit, squared_counts(battles, fit).counts, cluster)
    solver, random = BatchSolver(fit), np.random.default_rng(seed)
    points = [
        solver.solve(fit.design.counts + draw(random, min(_AT_ONCE, rounds - start), share))
        for start in range(0, rounds, _AT_ONCE)
    ]
    rated = fit.ratings.index[fit.ratings.notna()]
    strengths = np.concatenate(points)[:, : fit.design.size]
    return pd.DataFrame(ELO_PER_STRENGTH * strengths, columns=rated)
