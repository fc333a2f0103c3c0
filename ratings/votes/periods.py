"""Group votes by period of time."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ratings.arrays import Codes, Floats
from ratings.errors import OptionError, VotesError
from ratings.schema import AUTOMATIC, TIMES
from ratings.votes.battles import Battles
from ratings.votes.columns import first_row

_PERIODS = 50  # target of "auto": drift is smooth, and finer periods change nothing
_DAY = pd.Timedelta(days=1)
_MIN_UNITS = 3  # longer lengths are rounded to whole units
_LAST_SECOND = 1e10  # in the year 2286


class Periods(NamedTuple):
    """Periods with votes."""

    starts: pd.DatetimeIndex
    of_vote: Codes  # (votes,)
    days: Floats  # from each to the next, (periods - 1,)
    length: pd.Timedelta

    @classmethod
    def of(cls, battles: Battles, column: str | None, requested: str) -> "Periods":
        times = _read_times(battles, column)
        first = times.min() if len(times) else pd.Timestamp(0, tz="UTC")
        if requested == AUTOMATIC:
            span = (times.max() - first) if len(times) else _DAY
            length = _whole(span / _PERIODS)
        else:
            try:
                length = pd.Timedelta("no unit" if requested.strip().isdigit() else requested)
            except ValueError:
                raise OptionError(
                    f"period is {requested!r}, not a length such as 7D or auto"
                ) from None
            if not length > pd.Timedelta(0):
                raise OptionError(f"period must be longer than zero, not {requested}")
            first = first.floor("D")
        which, of_vote = np.unique((times - first) // length, return_inverse=True)
        starts = pd.DatetimeIndex(first + which * length)
        days = np.diff(which).astype(float) * (length / _DAY)
        return cls(starts, of_vote, days, length)


def _whole(length: pd.Timedelta) -> pd.Timedelta:
    """Round up to whole days, hours, minutes or seconds, by at most a third."""
    for unit in (_DAY, pd.Timedelta(hours=1), pd.Timedelta(minutes=1)):
        if length >= _MIN_UNITS * unit:
            return length.ceil(unit)
    return max(length.ceil("s"), pd.Timedelta(seconds=1))


def describe_length(length: pd.Timedelta) -> str:
    """Such as "7 days" or "1 day 6 hours"."""
    parts = length.components
    counts = [
        (parts.days, "day"),
        (parts.hours, "hour"),
        (parts.minutes, "minute"),
        (parts.seconds, "second"),
    ]
    texts = [f"{count:,} {unit}{'s' * (count != 1)}" for count, unit in counts if count]
    return " ".join(texts) or "less than a second"


def _read_times(battles: Battles, column: str | None) -> pd.DatetimeIndex:
    names = [column] if column is not None else [name for name in TIMES if name in battles.frame]
    if not len(battles):
        return pd.DatetimeIndex([], tz="UTC")
    if not names or names[0] not in battles.frame:
        raise OptionError(f"the votes have no column {column or 'timestamp'!r} with times")
    values = battles.frame[names[0]].iloc[battles.rows]
    if pd.api.types.is_numeric_dtype(values):
        seconds = values.where(values.abs() < _LAST_SECOND)  # rejects milliseconds
        times = pd.to_datetime(seconds, unit="s", utc=True, errors="coerce")
    elif pd.api.types.is_datetime64_any_dtype(values):
        times = pd.to_datetime(values, utc=True)
    else:
        times = pd.to_datetime(values.astype(str), utc=True, format="ISO8601", errors="coerce")
    row = first_row(times.isna().to_numpy(), battles.rows)
    if row is not None:
        value = battles.frame[names[0]].iloc[row - 1]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise VotesError(
            f"{names[0]} is {shown}, which is not a time (ISO 8601, or seconds since 1970)", row=row
        )
    return pd.DatetimeIndex(times)
