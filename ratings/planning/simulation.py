"""Simulated power of more votes, by refits to resampled votes instead of `planning`'s formulas.

Future votes are resampled from those so far, so that the true differences are the estimates; votes
of one voter stay together where intervals are clustered by voter.
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
from ratings.planning.planning import MAX_VOTES
from ratings.planning.precision import Gaps
from ratings.votes.battles import Battles

_BLOCK_ROUNDS = 50  # refitted at once


def simulate_power(
    battles: Battles,
    fit: BradleyTerry,
    intervals: Intervals,
    more_votes: int,
    *,
    rounds: int = 400,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate how often `more_votes` more votes make neighbours differ significantly.

    Future votes are drawn from those so far (whole clusters where `intervals` are clustered) and
    added to them, and everything is fitted again; standard errors are those that `plan` expects.

    Args:
        battles: the votes.
        fit: their ratings.
        intervals: intervals of the ratings, clustered by at most one column.
        more_votes: number of votes to add.
        rounds: number of refits.
        seed: of the random draws.

    Returns:
        `model, below, power, power_lower, power_upper`: the share of rounds with a significant
        difference and its 95% interval (Wilson 1927); a round without finite ratings counts as not
        significant. `attrs` has every parameter, `first`, and as `first_power`, `first_power_lower`
        and `first_power_upper` how often the first is significantly ahead of all others (NaN if no
        model is first).

    Raises:
        OptionError: votes or rounds out of range, or clusters that cannot be resampled.
    """
    if not (1 <= more_votes <= MAX_VOTES and rounds >= 1):
        raise OptionError(f"more_votes must be from 1 to {MAX_VOTES:,}, and rounds 1 or more")
    gaps = Gaps(battles, fit, intervals, None)
    names = gaps.names
    others = names[1:]
    ratings = pd.DataFrame(np.nan, index=range(rounds), columns=names)
    if others:
        ratings[names] = _refit_resampled(
            battles, fit, intervals, more_votes / gaps.votes, rounds, seed
        )[names]

    def difference(upper: str, lower: str) -> Floats:
        by_round: Floats = ratings[upper].to_numpy() - ratings[lower].to_numpy()
        return by_round

    def critical(upper: str, lower: str, tests: int = 1) -> float:
        """The smallest significant difference, Elo points."""
        gap = gaps.between(upper, lower)
        error = float(np.sqrt(1 / (gap.precision + gap.added(more_votes))))
        return gap.threshold(more_votes, tests=tests) * error

    power = [(np.abs(difference(*pair)) > critical(*pair)).mean() for pair in pairwise(names)]
    first_power = np.nan
    if others:
        first, tests = names[0], len(others)
        ahead = [difference(first, other) > critical(first, other, tests) for other in others]
        first_power = float(np.all(ahead, axis=0).mean())
    lower, upper = np.array(wilson_interval(np.array([*power, first_power]), rounds))
    table = pd.DataFrame(
        {
            "model": names[:-1],
            "below": others,
            "power": power,
            "power_lower": lower[:-1],
            "power_upper": upper[:-1],
        }
    )
    table.attrs = {
        "more_votes": more_votes,
        "rounds": rounds,
        "seed": seed,
        "confidence": intervals.confidence,
        "cluster": intervals.cluster,
        "first": names[0] if names else None,
        "first_power": first_power,
        "first_power_lower": float(lower[-1]),
        "first_power_upper": float(upper[-1]),
    }
    return table


def _refit_resampled(
    battles: Battles, fit: BradleyTerry, intervals: Intervals, share: float, rounds: int, seed: int
) -> pd.DataFrame:
    """Refit the votes so far with resampled votes added, `share` of their number.

    Returns:
        Ratings without the mean, Elo points, rounds x models; NaN for a round without ratings.
    """
    cluster: tuple[str, ...] = (intervals.cluster,) if intervals.cluster else ()
    if cluster and intervals.cluster not in battles.frame:  # two columns
        cluster = tuple(str(intervals.cluster).split(" and "))
    draw = draws(battles, fit, squared_counts(battles, fit).counts, cluster)
    solver, random = BatchSolver(fit), np.random.default_rng(seed)
    params = [
        solver.solve(fit.design.counts + draw(random, min(_BLOCK_ROUNDS, rounds - start), share))
        for start in range(0, rounds, _BLOCK_ROUNDS)
    ]
    rated = fit.ratings.index[fit.ratings.notna()]
    strengths = np.concatenate(params)[:, : fit.design.size]
    return pd.DataFrame(ELO_PER_STRENGTH * strengths, columns=rated)
