"""Bradley-Terry ratings by maximum likelihood, on counts of pairs.

What a tie is, and the likelihood, are in `ratings.likelihood`; Newton's method finds its maximum.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.battles import Battles
from ratings.connectivity import has_davidson_maximum, largest_part
from ratings.errors import OptionError, RatingsError
from ratings.likelihood import (
    UNEVEN,
    gap_residuals,
    information,
    invert,
    outcome_shares,
    pair_counts,
)

Floats = NDArray[np.float64]

ELO_PER_STRENGTH = 400 / np.log(10)  # 400 points are odds of ten to one
MEAN_RATING = 1000.0

# Curvature changes by at most exp(step), so below this a full Newton step needs no safeguard.
_SAFE_STEP = 0.5
_LONGEST_STEP = 4.0  # where probabilities are near 0 or 1 the quadratic model reaches too far
_TOLERANCE = 1e-11  # in strengths: 2e-9 Elo points
_MOST_STEPS = 1000


@dataclass(frozen=True, eq=False)
class BradleyTerry:
    """A fitted model and every parameter used.

    Attributes:
        ratings: Elo points by model; NaN for what cannot be rated.
        ties: "half", "davidson" or "drop".
        both_bad: "tie" or "drop".
        anchors: what was fixed: the mean of these models' ratings is the mean of these values.
        tie_parameter: Davidson's nu; 0 without ties; NaN under the other rules.
        log_likelihood: at the maximum, over the votes among rated models.
        steps: Newton steps taken.
    """

    ratings: "pd.Series[float]"
    ties: str
    both_bad: str
    anchors: dict[str, float]
    tie_parameter: float
    log_likelihood: float
    steps: int


def bradley_terry(
    battles: Battles,
    ties: str = "half",
    *,
    both_bad: str = "tie",
    anchors: Mapping[str, float] | None = None,
) -> BradleyTerry:
    """Fit ratings on the Elo scale (400, base 10); mean 1000 over the rated models, or anchored.

    Rated are the models of the largest strongly connected part, from the votes among them.

    Args:
        battles: the votes.
        ties: a tie is "half" a win to each, an outcome of its own ("davidson"), or left out
            ("drop").
        both_bad: "both bad" is counted as a "tie" or left out ("drop").
        anchors: ratings to hold, by model; the mean of several is held.

    Raises:
        OptionError: an unknown rule, or an anchor that is not rated.
    """
    wins, tied = pair_counts(battles.tallies.weights, ties=ties, both_bad=both_bad)
    size = len(battles.models)
    part = largest_part(wins + tied / 2)
    inside = np.ix_(part, part)
    estimate_nu = ties == "davidson"
    if estimate_nu and not has_davidson_maximum(wins[inside], tied[inside]):
        part = np.zeros(size, dtype=bool)
        inside = np.ix_(part, part)
    strengths, log_nu, likelihood, steps = _maximise(
        wins[inside], tied[inside], estimate_nu=estimate_nu and bool(tied[inside].any())
    )
    values = np.full(size, np.nan)
    values[part] = ELO_PER_STRENGTH * strengths
    fitted = pd.Series(values, index=pd.Index(battles.models, name="model"), name="rating")
    return BradleyTerry(
        ratings=place_on_scale(fitted, anchors or {}),
        ties=ties,
        both_bad=both_bad,
        anchors=dict(anchors or {}),
        tie_parameter=float(np.exp(log_nu)) if estimate_nu and part.any() else np.nan,
        log_likelihood=likelihood,
        steps=steps,
    )


def place_on_scale(ratings: "pd.Series[float]", anchors: Mapping[str, float]) -> "pd.Series[float]":
    """Shift ratings so that the anchors' mean is as given, or the mean of all is 1000."""
    for name in anchors:
        if name not in ratings.index:
            raise OptionError(f"the anchor {name!r} is not a model of these votes")
        if np.isnan(ratings[name]):
            raise OptionError(f"the anchor {name!r} cannot be rated from these votes")
    if anchors:
        target = sum(anchors.values()) / len(anchors)
        mean = ratings[list(anchors)].mean()
    else:
        target = MEAN_RATING
        mean = ratings.mean()
    return ratings + (target - mean)


def _maximise(wins: Floats, tied: Floats, *, estimate_nu: bool) -> tuple[Floats, float, float, int]:
    """Newton's method; returns strengths of mean 0, log nu, log-likelihood and steps."""
    size = len(wins)
    votes = wins + wins.T + tied
    if size == 0:
        return np.zeros(0), -np.inf, 0.0, 0
    scale = votes.max()
    wins, tied, votes = wins / scale, tied / scale, votes / scale

    def unpack(point: Floats) -> tuple[Floats, float]:
        gap = point[:size, None] - point[None, :size]
        return gap, float(point[size]) if estimate_nu else -np.inf

    def likelihood(point: Floats) -> float:
        gap, log_nu = unpack(point)
        total = (wins * gap).sum() / 2 - (votes * outcome_shares(gap, log_nu).log_total).sum() / 2
        return float(total + (tied.sum() / 2 * log_nu if estimate_nu else 0.0))

    point = np.zeros(size + estimate_nu)
    if estimate_nu:
        point[size] = np.log(tied.sum() / wins.sum())  # right where all are equal
    value, previous = likelihood(point), np.inf
    for taken in range(1, _MOST_STEPS + 1):
        gap, log_nu = unpack(point)
        shares = outcome_shares(gap, log_nu)
        won, _, drew = gap_residuals(shares)
        flow = wins * won + tied * drew / 2
        gradient = flow.sum(axis=1) - flow.sum(axis=0)
        if estimate_nu:
            decided = shares.a + shares.b  # 1 - tie, without the cancellation
            surplus = (tied * decided - (votes - tied) * shares.tie).sum() / 2
            gradient = np.append(gradient, surplus)
        step = invert(information(votes, shares, with_nu=estimate_nu), size) @ gradient
        longest = float(np.abs(step).max())
        if longest > _SAFE_STEP:
            step = step * min(1.0, _LONGEST_STEP / longest)
            while likelihood(point + step) < value and np.abs(step).max() > _TOLERANCE:
                step = step / 2
        point = point + step
        value = likelihood(point)
        # Rounding sets a floor under the steps of very uneven counts: stop there too.
        at_floor = longest < np.sqrt(_TOLERANCE) and longest > previous / 2
        if longest < _TOLERANCE or at_floor:
            strengths = point[:size] - point[:size].mean()
            return strengths, unpack(point)[1], value * scale, taken
        previous = longest
    raise RatingsError(UNEVEN)
