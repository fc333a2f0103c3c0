"""Which columns tell answers apart that are not independent: voters, prompts, or others by name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratings.errors import OptionError
from ratings.votes.columns import factorize

Cluster = str | Sequence[str] | None

VOTER, PROMPT = "voter", "prompt"
AUTOMATIC = "auto"
# What a release calls the columns that may be named by a plain word.
COLUMN_ALIASES = {VOTER: "evaluation_session_id", PROMPT: "prompt_id"}

NO_VOTERS = "the votes have no voter column"
_LOOKED_AT_FIRST = 1000


class Chosen(NamedTuple):
    """Columns of independent answers, and why not those that were asked for; None: no reason."""

    columns: tuple[str, ...]
    note: str | None


def find_column(frame: pd.DataFrame, name: str) -> str | None:
    """The column of this name, or else the one that stands in for it; None if there is neither."""
    names = (name, COLUMN_ALIASES.get(name, name))
    return next((each for each in names if each in frame), None)


def find_cluster_columns(frame: pd.DataFrame, cluster: Cluster) -> tuple[str, ...]:
    """The columns that `cluster` names: at most two; none where every vote is by itself.

    Args:
        frame: the votes.
        cluster: one or two names; None for none; "auto" for voters where a column tells them.

    Raises:
        OptionError: no such column, or more than two names.
    """
    if cluster is None:
        return ()
    if cluster == AUTOMATIC:
        voter = find_column(frame, VOTER)
        return () if voter is None else (voter,)
    asked = [cluster] if isinstance(cluster, str) else list(dict.fromkeys(cluster))
    if not 1 <= len(asked) <= 2:
        raise OptionError(f"cluster takes one or two columns, not {len(asked)}")
    found = []
    for name in asked:
        column = find_column(frame, name)
        if column is None:
            other = f", nor {COLUMN_ALIASES[name]!r}" if name in COLUMN_ALIASES else ""
            raise OptionError(f"the votes have no column {name!r} to cluster by{other}")
        found.append(column)
    return tuple(dict.fromkeys(found))


def find_cluster_column(frame: pd.DataFrame, cluster: str | None) -> str | None:
    """The same where one column is all that can be used."""
    columns = find_cluster_columns(frame, cluster)
    return columns[0] if columns else None


def choose_clusters(frame: pd.DataFrame, rows: NDArray[Any] | None, cluster: Cluster) -> Chosen:
    """The columns that `cluster` names and in which the votes at these rows differ.

    One cluster has nothing to vary against: intervals by the only voter would be guesses.
    """
    columns = find_cluster_columns(frame, cluster)
    if not columns:
        return Chosen((), NO_VOTERS if cluster == AUTOMATIC else None)
    varied = tuple(name for name in columns if _is_varied(frame[name], rows))
    same = [f"all votes are of one {name}" for name in columns if name not in varied]
    return Chosen(varied, " and ".join(same) or None)


def _is_varied(column: "pd.Series[Any]", rows: NDArray[Any] | None) -> bool:
    """Whether there are two clusters; an empty cell is one of its own."""
    rows = np.arange(len(column)) if rows is None else rows
    if not len(rows):
        return True
    for part in (rows[:_LOOKED_AT_FIRST], rows[_LOOKED_AT_FIRST:]):
        codes = factorize(column.iloc[np.append(part, rows[0])])[0]
        if (codes < 0).any() or (codes != codes[-1]).any():
            return True
    return False
