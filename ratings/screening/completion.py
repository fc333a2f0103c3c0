"""Tests whether battles with one model are finished more often than they should be.

Whoever votes only on battles with one model, and throws the others away, escapes every test of a
voter by using a new identity for each vote. The battles that were thrown away remain: the share of
issued battles that get a vote is higher for that model than for the others.

For model m on day d, let p be the share of its battles that were voted on, and q that of all other
battles of that day, so that what raises or lowers all of them cancels. Honest voters skip dull
clips, so p - q differs between models, by an amount that stays the same from day to day: a normal
random effect with mean 0 and a variance that is estimated over the other models (DerSimonian and
Laird 1986). Its posterior mean from the model's own past days is what is expected of day d:

    z = (p - q - expected) / sqrt(phi * variance of (p - q) + posterior variance)

with the binomial variance of the difference, and phi >= 1 the overdispersion of past days, since
battles of one voter end alike. Later days are not compared with a day that has an alarm.

Somebody patient casts a few such votes every day. The same test of the sum of `WINDOW` days finds
them; the alarm is then on those of its days whose own z is above `PART_Z`.
"""

from dataclasses import dataclass

import numpy as np

from ratings.arrays import Floats, Mask
from ratings.errors import OptionError

ALARM_Z = 4.0  # one false alarm in 30,000 model-days
WINDOW = 7  # days
PART_Z = 2.0
MIN_BATTLES = 20  # of a model on a day; fewer are not tested


@dataclass(frozen=True, eq=False)
class CompletionTest:
    """Completion of the battles of each model on each day.

    Attributes:
        rate: share of the model's battles that were voted on; NaN without any, shape (days,
            models).
        expected: the share that the other battles of the day and the model's own past predict.
        z: standardised difference; NaN where it was not tested.
        window_z: the same of the days up to this one, `WINDOW` of them or fewer.
        alarm: whether z is above the threshold, or above `PART_Z` in a window that is.
    """

    rate: Floats
    expected: Floats
    z: Floats
    window_z: Floats
    alarm: Mask


def completion_test(
    issued: Floats, voted: Floats, *, threshold: float = ALARM_Z, min_battles: int = MIN_BATTLES
) -> CompletionTest:
    """Test each model on each day, as the module's description explains.

    Args:
        issued: battles that showed the model, finished or not, shape (days, models); days in order.
        voted: those that got a vote.
        threshold: the z above which there is an alarm.
        min_battles: of a model on a day; fewer are not tested.

    Raises:
        OptionError: the shapes differ, or more battles were voted on than issued.
    """
    issued, voted = np.asarray(issued, float), np.asarray(voted, float)
    if issued.ndim != 2 or issued.shape != voted.shape:
        raise OptionError("issued and voted must be two tables of the same days and models")
    if (voted < 0).any() or (voted > issued).any():
        raise OptionError("voted must be from 0 to issued, for every day and model")
    z, window_z, expected = np.full((3, *issued.shape), np.nan)
    alarm = np.zeros(issued.shape, dtype=bool)
    for day in range(len(issued)):
        z[day], expected[day] = _test(issued, voted, day, 1, alarm, min_battles)
        alarm[day] = z[day] > threshold
        window_z[day], _ = _test(issued, voted, day, WINDOW, alarm, min_battles)
        first = max(0, day + 1 - WINDOW)
        alarm[first : day + 1] |= (window_z[day] > threshold) & (z[first : day + 1] > PART_Z)
    rate = np.divide(voted, issued, out=np.full(issued.shape, np.nan), where=issued > 0)
    return CompletionTest(rate, expected, z, window_z, alarm)


def _test(
    issued: Floats, voted: Floats, day: int, days: int, alarm: Mask, min_battles: int
) -> tuple[Floats, Floats]:
    """Return z and the expected share of the sum of some days up to a day, for each model."""
    first = max(0, day + 1 - days)
    rows = [table[: day + 1].copy() for table in (issued, voted)]
    for table in rows:
        table[first] = table[first:].sum(axis=0)
    difference, variance, others = _differences(rows[0][: first + 1], rows[1][: first + 1])
    tested = (rows[0][: first + 1] >= min_battles) & np.isfinite(difference)
    past = tested[:first] & ~alarm[:first]
    now, error = difference[first], variance[first]
    phi = _overdispersion(difference[:first], variance[:first], past)
    mean, precision = _own_past(difference[:first], phi * variance[:first], past)
    # Without a past, what the others show today is compared with what this model shows.
    has_past = precision > 0
    shown = np.where(has_past, mean, now)
    spread = np.where(has_past, 1 / np.where(has_past, precision, 1), phi * error)
    known = has_past | tested[first]
    z, expected = np.full((2, len(now)), np.nan)
    for model in np.flatnonzero(tested[first]):
        other = known & (np.arange(len(now)) != model)
        between = _between(shown, spread, other)
        shrunk = between / (1 + between * precision[model])
        predicted = shrunk * precision[model] * mean[model]
        z[model] = (now[model] - predicted) / np.sqrt(phi * error[model] + shrunk)
        expected[model] = np.clip(others[first, model] + predicted, 0, 1)
    return z, expected


def _differences(issued: Floats, voted: Floats) -> tuple[Floats, Floats, Floats]:
    """Return p - q, its binomial variance, and q."""
    # Every battle shows two models.
    rest = issued.sum(axis=1, keepdims=True) / 2 - issued
    rest_voted = voted.sum(axis=1, keepdims=True) / 2 - voted
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = voted / issued, rest_voted / rest
        q = np.where(rest > 0, q, np.nan)
        # Agresti and Caffo's (2000) rates, which are never 0 or 1.
        near_p, near_q = (voted + 1) / (issued + 2), (rest_voted + 1) / (rest + 2)
        variance = near_p * (1 - near_p) / issued + near_q * (1 - near_q) / rest
    return p - q, np.where(np.isfinite(variance), variance, np.inf), q


def _overdispersion(difference: Floats, variance: Floats, used: Mask) -> float:
    """Return the variance of a model's days around its mean, in binomial variances; at least 1."""
    weight = np.where(used, 1 / variance, 0.0)
    total = weight.sum(axis=0)
    sums = (weight * np.nan_to_num(difference)).sum(axis=0)
    mean = np.divide(sums, total, out=np.zeros_like(total), where=total > 0)
    df = int((used.sum(axis=0) - 1).clip(0).sum())
    if df == 0:
        return 1.0
    squares = float((weight * (np.nan_to_num(difference) - mean) ** 2).sum())
    return max(1.0, squares / df)


def _own_past(difference: Floats, variance: Floats, used: Mask) -> tuple[Floats, Floats]:
    """Return each model's mean difference on past days, and its precision; 0 without a past."""
    weight = np.where(used, 1 / variance, 0.0)
    precision = weight.sum(axis=0)
    total = (weight * np.nan_to_num(difference)).sum(axis=0)
    return np.divide(total, precision, out=np.zeros_like(total), where=precision > 0), precision


def _between(difference: Floats, error: Floats, used: Mask) -> float:
    """Return DerSimonian and Laird's variance between models."""
    weight = 1 / error[used]
    if len(weight) < 2:
        return 0.0
    values = difference[used]
    mean = (weight * values).sum() / weight.sum()
    squares = (weight * (values - mean) ** 2).sum()
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    return max(0.0, float((squares - (len(weight) - 1)) / scale))
