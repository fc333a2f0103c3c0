"""Agreement of answers to the same unit: plain, and beyond chance by Krippendorff's alpha (2011).

alpha = 1 - observed / expected disagreement, from how often every value was given to every unit.
"""

import numpy as np
from numpy.typing import NDArray

from ratings.errors import OptionError
from ratings.shares import NOTHING, Estimate

Floats = NDArray[np.float64]

METRICS = ("nominal", "ordinal", "interval")
_ROUNDS = 1000  # of the bootstrap over units


def krippendorff_alpha(counts: Floats, *, metric: str = "nominal") -> float:
    """Krippendorff's alpha of answers to units; NaN without a unit of two answers or any variety.

    Args:
        counts: how often each value was given to each unit, shape (units, values); values in
            order, at equal distances for "interval".
        metric: "nominal", "ordinal" or "interval" (Krippendorff 2011, section F).
    """
    counts = counts[counts.sum(axis=1) > 1]
    distance = _distances(counts.sum(axis=0), metric)
    observed = _disagreement(counts, distance).sum()
    return float(_alpha(observed, counts.sum(axis=0), distance))


def _distances(totals: Floats, metric: str) -> Floats:
    values = len(totals)
    if metric == "nominal":
        return 1 - np.eye(values)
    if metric == "interval":
        return (np.arange(values)[:, None] - np.arange(values)[None, :]) ** 2.0
    if metric != "ordinal":
        raise OptionError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    middle = np.cumsum(totals) - totals / 2
    squared: Floats = (middle[:, None] - middle[None, :]) ** 2
    return squared


def _disagreement(counts: Floats, distance: Floats) -> Floats:
    """Of each unit: sum over its pairs of answers of their distance, over n - 1."""
    size = counts.sum(axis=1)
    pairs = np.einsum("uc,ck,uk->u", counts, distance, counts)
    found: Floats = pairs / np.maximum(size - 1, 1)
    return found


def _alpha(observed: Floats, totals: Floats, distance: Floats) -> Floats:
    """1 - observed / expected, of one table or many: totals have the shape (..., values)."""
    expected = np.einsum("...c,ck,...k->...", totals, distance, totals)
    answers = totals.sum(axis=-1)
    share = np.divide(
        observed * (answers - 1), expected, out=np.full_like(expected, np.nan), where=expected > 0
    )
    found: Floats = 1 - share
    return found


def estimate_agreement(
    table: Floats, confidence: float, random: np.random.Generator
) -> tuple[Estimate, Estimate]:
    """Share of equal answers within units, weighted by answers, and nominal alpha."""
    table = table[table.sum(axis=1) > 1]
    if not len(table):
        return NOTHING, NOTHING
    size = table.sum(axis=1)
    equal = size - _disagreement(table, _distances(table.sum(axis=0), "nominal"))
    drawn = random.multinomial(len(table), np.full(len(table), 1 / len(table)), _ROUNDS)
    low, high = np.quantile(drawn @ equal / (drawn @ size), _tails(confidence)).tolist()
    share = Estimate(float(equal.sum() / size.sum()), low, high, int(size.sum()))
    return share, estimate_alpha(table, "nominal", confidence, random)


def estimate_alpha(
    table: Floats, metric: str, confidence: float, random: np.random.Generator
) -> Estimate:
    """Alpha of answers for one side or the other: which side is named first is no information."""
    table = table[table.sum(axis=1) > 1]
    if not len(table):
        return NOTHING
    order = [1, 0, *range(2, table.shape[1])] if metric == "nominal" else [2, 1, 0]
    totals = table + table[:, order]  # each answer both ways round; expected disagreement alone
    distance = _distances(totals.sum(axis=0), metric)
    observed = 2 * _disagreement(table, distance)
    drawn = random.multinomial(len(table), np.full(len(table), 1 / len(table)), _ROUNDS)
    value = _alpha(observed.sum(), totals.sum(axis=0), distance)
    rounds = _alpha(drawn @ observed, drawn @ totals, distance)
    if np.isnan(value):
        return Estimate(np.nan, np.nan, np.nan, int(table.sum()))
    low, high = np.nanquantile(rounds, _tails(confidence)).tolist()
    return Estimate(float(value), low, high, int(table.sum()))


def _tails(confidence: float) -> list[float]:
    return [0.5 - confidence / 2, 0.5 + confidence / 2]
