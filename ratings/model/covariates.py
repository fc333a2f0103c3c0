"""Covariates: properties of the clips that influence votes, controlled for in the ratings.

FastChat calls this style control; for video the properties are duration, loudness, motion or
brightness. A covariate enters as the difference left minus right divided by its standard deviation
over the votes, so that its effect is in Elo points per standard deviation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ratings.arrays import Codes, Floats, Mask
from ratings.errors import OptionError, VotesError
from ratings.model.design import Extra
from ratings.model.outcomes import LOG_ODDS, OUTCOMES, OutcomeRules
from ratings.votes.battles import Battles
from ratings.votes.columns import first_row


class CovariatePairs(NamedTuple):
    """Votes grouped by pair of models and values of the covariates."""

    left: Codes  # (pairs,)
    right: Codes
    counts: Floats  # (4, pairs)
    extras: list[Extra]
    of_vote: Codes  # the pair of each vote that the rules use, in the votes' order


def covariate_pairs(
    battles: Battles, rules: OutcomeRules, rated: Mask, names: Sequence[str]
) -> CovariatePairs:
    """The votes among rated models, split by their covariates.

    Raises:
        OptionError: a covariate is named twice or does not vary.
        VotesError: a value is not a finite number; names the row.
    """
    if len(set(names)) < len(names):
        raise OptionError(f"a covariate is named twice: {', '.join(names)}")
    code = np.full(len(rated), -1)
    code[rated] = np.arange(rated.sum())
    kept = (code[battles.a] >= 0) & (code[battles.b] >= 0)
    kept &= np.isin(battles.outcome, rules.used)
    rows = battles.rows[kept]
    columns = [_difference(battles.frame, name, rows) for name in names]
    scaled = []
    for name, column in zip(names, columns, strict=True):
        std = float(column.std()) if len(column) else 1.0
        if len(column) and not std > 1e-12 * float(np.abs(column).max(initial=0)):
            raise OptionError(f"{name!r} is the same in all votes, so it has no effect")
        scaled.append(column / std)
    outcome = rules.counted_as(battles.outcome[kept])
    a, b = code[battles.a[kept]], code[battles.b[kept]]
    keys = [*scaled, b, a]
    order = np.lexsort(keys)
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    pair = np.cumsum(new) - 1
    pairs = int(new.sum())
    counts: Floats = np.bincount(
        outcome[order] * pairs + pair,
        weights=battles.weight[kept][order],
        minlength=OUTCOMES * pairs,
    ).astype(np.float64)
    first = order[new]
    extras = [
        Extra(name, LOG_ODDS, column[first]) for name, column in zip(names, scaled, strict=True)
    ]
    of_vote = np.empty_like(pair)
    of_vote[order] = pair
    return CovariatePairs(a[first], b[first], counts.reshape(OUTCOMES, pairs), extras, of_vote)


def check_covariate_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Check that the columns of every covariate exist, even if there are no votes yet."""
    for name in names:
        if name not in frame and not {f"{name}_a", f"{name}_b"} <= set(frame.columns):
            raise OptionError(
                f"the votes have neither the columns '{name}_a' and '{name}_b' nor {name!r}"
            )


def _difference(frame: pd.DataFrame, name: str, rows: Codes) -> Floats:
    """Left minus right of one covariate, shape (votes,)."""
    sides = [f"{name}_a", f"{name}_b"]
    if set(sides) <= set(frame.columns):
        left, right = (_numbers(frame[side], rows) for side in sides)
        return left - right
    return _numbers(frame[name], rows)


def _numbers(column: "pd.Series[float]", rows: Codes) -> Floats:
    values: Floats = pd.to_numeric(column.iloc[rows], errors="coerce").to_numpy(
        dtype=float, na_value=np.nan
    )
    row = first_row(~np.isfinite(values), rows)
    if row is not None:
        value = column.iloc[row - 1]
        raise VotesError(f"{column.name} is {value}; a covariate must be a number", row=row)
    return values
