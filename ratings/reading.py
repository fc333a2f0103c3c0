"""Reads a table of votes from a CSV, Parquet or JSON lines file."""

import io
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from ratings.columns import LAYOUTS, READ_TOO, find_layout
from ratings.errors import VotesError

Progress = Callable[[int, int], None]

_BYTES_AT_ONCE = 1 << 20
_RECORDS_AT_ONCE = 100_000
# Read as numbers; all else is text, so that no voter 007 becomes 7 and no id a rounded number.
_NUMBERS = ("weight", "tstamp", "decided_ms")
_WORDS = frozenset(name for layout in LAYOUTS for name in (layout.a, layout.b, layout.winner))


def read_votes(
    path: str | Path, *, columns: Collection[str] = (), progress: Progress | None = None
) -> pd.DataFrame:
    """Read the columns that ratings use, and those named in `columns` as far as they are there.

    Names and outcomes come as categories, so that no string is hashed twice; a model called
    "NA" or "7" keeps its name.

    Args:
        path: a .csv, .parquet or .jsonl file.
        columns: more columns that are wanted.
        progress: called with the bytes read so far and the bytes of the file; not for Parquet,
            which takes no time.

    Raises:
        VotesError: the file is missing, is of another format, or cannot be read as its own.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet", ".jsonl"}:
        raise VotesError(f"{path} is none of .csv, .parquet, .jsonl")
    wanted = _WORDS | set(READ_TOO) | set(columns)
    try:
        if suffix == ".parquet":
            return _read_parquet(path, wanted)
        read = _read_csv if suffix == ".csv" else _read_json_lines
        told = _Told(path, progress or (lambda done, size: None))
        with io.BufferedReader(told, _BYTES_AT_ONCE) as file:
            return read(file, wanted)
    except VotesError as error:
        raise VotesError(f"{path}: {error}") from None
    except pd.errors.EmptyDataError:
        raise VotesError(f"{path} is empty") from None
    except FileNotFoundError:
        raise VotesError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # pandas' and Arrow's own errors are ValueErrors
        reason = str(error).strip().splitlines()
        raise VotesError(
            f"{path} cannot be read as {suffix}: {reason[0] if reason else 'unreadable'}"
        ) from error


def _read_parquet(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    """Strings come as the file's own dictionaries, which are never spelt out."""
    import pyarrow.parquet as pq  # not needed for what is no Parquet file

    schema = pq.read_schema(path)
    columns = [name for name in schema.names if name in wanted]
    find_layout(pd.DataFrame(columns=schema.names))
    text = {"string", "large_string"}
    strings = [name for name in columns if str(schema.field(name).type) in text]
    table = pq.read_table(path, columns=columns, read_dictionary=strings)
    whole = table.unify_dictionaries().combine_chunks()  # else pandas translates each chunk
    del table
    frame: pd.DataFrame = whole.to_pandas(
        ignore_metadata=True, split_blocks=True, self_destruct=True
    )
    return frame


def _read_csv(file: "io.BufferedReader[_Told]", wanted: Collection[str]) -> pd.DataFrame:
    header = pd.read_csv(io.BytesIO(file.peek()), nrows=0)
    find_layout(header)
    text: list[str] = [name for name in header.columns if name in wanted and name not in _NUMBERS]
    frame = pd.read_csv(
        file,
        index_col=False,  # cells beyond the header's are left out, and never shift the others
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(text, "str"),  # "category" would make 7 of both 7 and 007
        keep_default_na=False,
        na_values=[""],
    )
    return frame.astype({name: "category" for name in frame.columns if name in _WORDS})


def _read_json_lines(file: "io.BufferedReader[_Told]", wanted: Collection[str]) -> pd.DataFrame:
    """Line by line, so that an error names its row; empty lines are none."""
    tables: list[pd.DataFrame] = []
    records: list[dict[str, Any]] = []
    row = 0
    for line in filter(bytes.strip, file):
        row += 1
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested too deep
            raise ValueError(f"row {row}: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"row {row} is no JSON object")
        if row == 1:
            find_layout(pd.DataFrame(columns=list(record)))
        records.append({name: value for name, value in record.items() if name in wanted})
        if len(records) == _RECORDS_AT_ONCE:
            tables.append(pd.DataFrame.from_records(records))
            records.clear()
    tables.append(pd.DataFrame.from_records(records))
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


class _Told(io.RawIOBase):
    """A file that tells how far it has been read."""

    def __init__(self, path: Path, tell: Progress) -> None:
        self._file = path.open("rb", buffering=0)
        self._tell, self._done, self._size = tell, 0, path.stat().st_size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self._done += count
        self._tell(self._done, self._size)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
