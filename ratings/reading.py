"""Reads a table of votes from a CSV, Parquet or JSON lines file."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from ratings.columns import LAYOUTS, READ_TOO
from ratings.errors import VotesError

_WORDS = frozenset(name for layout in LAYOUTS for name in (layout.a, layout.b, layout.winner))


def read_votes(path: str | Path, *, columns: Collection[str] = ()) -> pd.DataFrame:
    """Read the columns that ratings use, and those named in `columns` as far as they are there.

    Names and outcomes come as categories, so that no string is hashed twice; a model called
    "NA" or "7" keeps its name.

    Raises:
        VotesError: the file is missing, is of another format, or cannot be read as its own.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet", ".jsonl"}:
        raise VotesError(f"{path} is none of .csv, .parquet, .jsonl")
    wanted = _WORDS | set(READ_TOO) | set(columns)
    try:
        if suffix == ".csv":
            return _read_csv(path, wanted)
        if suffix == ".jsonl":
            return _read_json_lines(path)
        # Only the names and outcomes are worth a dictionary; the reader ignores absent columns.
        return pd.read_parquet(path, engine="pyarrow", read_dictionary=sorted(_WORDS))
    except FileNotFoundError:
        raise VotesError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # pandas' and Arrow's own errors are ValueErrors
        reason = str(error).strip().splitlines()
        raise VotesError(
            f"{path} cannot be read as {suffix}: {reason[0] if reason else 'unreadable'}"
        ) from error


def _read_csv(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    return pd.read_csv(
        path,
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(_WORDS, "category"),
        keep_default_na=False,
        na_values=[""],
    )


def _read_json_lines(path: Path) -> pd.DataFrame:
    return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
