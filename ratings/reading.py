"""Reads a table of votes from a CSV, Parquet or JSON lines file."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ratings.columns import LAYOUTS, READ_TOO, find_layout
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
            return _read_json_lines(path, wanted)
        return _read_parquet(path, wanted)
    except VotesError as error:
        raise VotesError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise VotesError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # pandas' and Arrow's own errors are ValueErrors
        reason = str(error).strip().splitlines()
        raise VotesError(
            f"{path} cannot be read as {suffix}: {reason[0] if reason else 'unreadable'}"
        ) from error


def _read_parquet(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    """Strings come as the file's own dictionaries, which are never spelt out."""
    schema = pq.read_schema(path)
    columns = [name for name in schema.names if name in wanted]
    find_layout(pd.DataFrame(columns=schema.names))
    strings = [name for name in columns if _is_text(schema.field(name).type)]
    table = pq.read_table(path, columns=columns, read_dictionary=strings)
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, split_blocks=True, self_destruct=True
    )
    return frame


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_csv(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    find_layout(pd.read_csv(path, nrows=0))
    return pd.read_csv(
        path,
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(_WORDS, "category"),
        keep_default_na=False,
        na_values=[""],
    )


def _read_json_lines(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    """Line by line, so that an error names its row; empty lines are none."""
    records: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"row {len(records) + 1}: {error}") from None
            if not isinstance(record, dict):
                raise ValueError(f"row {len(records) + 1} is no JSON object")
            if not records:
                find_layout(pd.DataFrame(columns=list(record)))
            records.append({name: value for name, value in record.items() if name in wanted})
    return pd.DataFrame.from_records(records)
