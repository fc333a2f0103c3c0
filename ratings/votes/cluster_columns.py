"""The columns that votes are clustered by: voters, prompts, or any column by name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.errors import OptionError
from ratings.schema import AUTOMATIC, COLUMN_ALIASES, OTHER_VOTERS, VOTER, column_word
from ratings.votes.columns import factorize

Cluster = str | Sequence[str] | None

NO_VOTERS = "the votes have no voter column"
_FIRST_ROWS = 1000


class Chosen(NamedTuple):
    """Cluster columns, and why a requested one is not used; None: all requested ones are."""

    columns: tuple[str, ...]
    note: str | None


def find_column(frame: pd.DataFrame, name: str) -> str | None:
    """The column of this name, or one of its aliases; None if the frame has none of them."""
    others = OTHER_VOTERS if name == VOTER else ()
    names = (name, COLUMN_ALIASES.get(name, name), *others)
    return next((each for each in names if each in frame), None)


def find_cluster_columns(frame: pd.DataFrame, cluster: Cluster) -> tuple[str, ...]:
    """The columns named by `cluster`, at most two; none if every vote is independent.

    Args:
        frame: the votes.
        cluster: one or two names; None for none; "auto" for the voter column, if there is one.

    Raises:
        OptionError: a column is missing, or there are more than two names.
    """
    if cluster is None:
        return ()
    if cluster == AUTOMATIC:
        voter = find_column(frame, VOTER)
        return () if voter is None else (voter,)
    names = [cluster] if isinstance(cluster, str) else list(dict.fromkeys(cluster))
    if not 1 <= len(names) <= 2:
        raise OptionError(f"cluster accepts one or two columns, not {len(names)}")
    columns = []
    for name in names:
        column = find_column(frame, name)
        if column is None:
            other = f", nor {COLUMN_ALIASES[name]!r}" if name in COLUMN_ALIASES else ""
            raise OptionError(f"the votes have no column {name!r} to cluster by{other}")
        columns.append(column)
    return tuple(dict.fromkeys(columns))


def find_cluster_column(frame: pd.DataFrame, cluster: str | None) -> str | None:
    """The column named by `cluster`, at most one; None if every vote is independent."""
    columns = find_cluster_columns(frame, cluster)
    return columns[0] if columns else None


def choose_clusters(
    frame: pd.DataFrame,
    rows: NDArray[Any] | None,
    cluster: Cluster,
    *,
    used: str = "all votes used",
) -> Chosen:
    """The columns named by `cluster`, without those that have the same value in all these rows.

    No variance can be estimated from a single cluster.

    Args:
        frame: the votes.
        rows: of the votes used; None: all.
        cluster: see `find_cluster_columns`.
        used: what the note calls these rows where other rows have other values.
    """
    columns = find_cluster_columns(frame, cluster)
    if not columns:
        return Chosen((), NO_VOTERS if cluster == AUTOMATIC else None)
    varied = tuple(name for name in columns if _is_varied(frame[name], rows))
    same = [
        f"{used if _is_varied(frame[name], None) else 'all votes'} are of one {column_word(name)}"
        for name in columns
        if name not in varied
    ]
    return Chosen(varied, " and ".join(same) or None)


def _is_varied(column: "pd.Series[Any]", rows: NDArray[Any] | None) -> bool:
    """Whether there are at least two clusters; each empty cell is a cluster by itself."""
    rows = np.arange(len(column)) if rows is None else rows
    if not len(rows):
        return True
    for part in (rows[:_FIRST_ROWS], rows[_FIRST_ROWS:]):
        codes = factorize(column.iloc[np.append(part, rows[0])])[0]
        if (codes < 0).any() or (codes != codes[-1]).any():
            return True
    return False
