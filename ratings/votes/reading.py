"""Read a table of votes from a CSV, Parquet or JSON lines file."""

import io
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from ratings.errors import VotesError
from ratings.votes.columns import LAYOUTS, READ_TOO, USED, factorize, find_layout
from ratings.votes.row_lengths import RowLengths, check_row_lengths, find_other_encoding

Progress = Callable[[int, int], None]

_BUFFER_SIZE = 1 << 20
_RECORD_BATCH = 100_000
# Read as numbers; all other columns are text, so that voter 007 does not become 7.
_NUMBERS = ("weight", "tstamp", "decided_ms", "probability")
# Different in every row, so that categories would only add a copy.
_UNIQUE = ("battle_id", "timestamp")
_WORDS = frozenset(name for layout in LAYOUTS for name in (layout.a, layout.b, layout.winner))
_CODED = (_WORDS | set(READ_TOO) | set(USED)) - {*_NUMBERS, *_UNIQUE}


def read_votes(
    path: str | Path, *, columns: Collection[str] = (), progress: Progress | None = None
) -> pd.DataFrame:
    """Read the columns that ratings use, as far as they exist, and those named in `columns`.

    Names, outcomes and other repeated texts become categories, so that no string is hashed or
    stored twice; a model called "NA" or "7" keeps its name.

    Args:
        path: a .csv, .parquet or .jsonl file.
        columns: additional columns, such as "language" or those of a covariate.
        progress: called with the bytes read so far and the size of the file; not for Parquet,
            which is fast.

    Raises:
        VotesError: the file is missing, has another format or cannot be parsed; a row has more or
            fewer cells than the header; or a column of `columns` is missing.
    """
    frame = read_columns(path, {*USED, *columns}, progress=progress)
    missing = [name for name in columns if name not in frame]
    if missing and len(frame.columns):
        raise VotesError(f"{path} has no column {missing[0]!r}")
    return frame


def read_columns(
    path: str | Path, wanted: Collection[str], *, progress: Progress | None = None
) -> pd.DataFrame:
    """Read the columns that make up a vote and the requested ones, as far as they exist.

    Unlike `read_votes`, it reads no other columns: the command line knows what its report needs. A
    completely empty file is a table without columns and votes.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet", ".jsonl"}:
        raise VotesError(f"{path} is not a .csv, .parquet or .jsonl file")
    wanted = _WORDS | set(READ_TOO) | set(wanted)
    try:
        if suffix == ".parquet":
            return _read_parquet(path, wanted)
        lengths = RowLengths() if suffix == ".csv" else None
        read = _read_csv if suffix == ".csv" else _read_json_lines
        reporting = _ReportingFile(path, progress or (lambda done, size: None), lengths)
        with io.BufferedReader(reporting, _BUFFER_SIZE) as file:
            frame = read(file, wanted)
        if lengths is not None:
            lengths.finish()
            if lengths.uneven:
                check_row_lengths(path)
        return frame
    except VotesError as error:
        raise VotesError(f"{path}, {error}" if error.row else f"{path}: {error}") from None
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except FileNotFoundError:
        raise VotesError(f"{path} does not exist") from None
    except UnicodeDecodeError:
        raise VotesError(f"{path}: {find_other_encoding(path)}") from None
    except ImportError:
        raise VotesError(
            f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow"
        ) from None
    except (OSError, ValueError) as error:  # pandas' and Arrow's errors are ValueErrors
        reason = str(error).strip().splitlines()
        raise VotesError(
            f"{path} cannot be read as {suffix}: {reason[0] if reason else 'unreadable'}"
        ) from error


def _read_parquet(path: Path, wanted: Collection[str]) -> pd.DataFrame:
    """Strings stay encoded in the file's dictionaries."""
    import pyarrow.parquet as pq  # an optional dependency

    schema = pq.read_schema(path)
    columns = [name for name in schema.names if name in wanted]
    find_layout(pd.DataFrame(columns=schema.names))
    text = {"string", "large_string"}
    strings = [
        name for name in columns if str(schema.field(name).type) in text and name not in _UNIQUE
    ]
    table = pq.read_table(path, columns=columns, read_dictionary=strings)
    whole = table.unify_dictionaries().combine_chunks()  # else pandas converts each chunk
    del table
    frame: pd.DataFrame = whole.to_pandas(
        ignore_metadata=True, split_blocks=True, self_destruct=True
    )
    return frame


def _read_csv(file: "io.BufferedReader[_ReportingFile]", wanted: Collection[str]) -> pd.DataFrame:
    head = io.BytesIO(file.peek())
    # Read as data, because pandas would rename duplicate columns.
    names = pd.read_csv(head, header=None, nrows=1, dtype="str", keep_default_na=False)
    header = pd.DataFrame(columns=[name for name in names.iloc[0] if name])
    find_layout(header)
    text: list[str] = [name for name in header.columns if name in wanted and name not in _NUMBERS]
    frame = pd.read_csv(
        file,
        index_col=False,  # a row that is too long must not shift the columns
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(text, "str"),  # "category" would turn 007 into 7
        keep_default_na=False,
        na_values=[""],
    )
    return _as_categories(frame)


def _as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Encode repeated texts as categories, in order of appearance."""
    coded = {}
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name].dtype) and name in _CODED:
            try:
                codes, values = factorize(frame[name])
            except VotesError:  # lists, in columns that nothing uses
                continue
            coded[name] = pd.Categorical.from_codes(codes, values, validate=False)
    return frame.assign(**coded)


def _read_json_lines(
    file: "io.BufferedReader[_ReportingFile]", wanted: Collection[str]
) -> pd.DataFrame:
    """Parse line by line, so that errors name their row; empty lines are skipped."""
    tables: list[pd.DataFrame] = []
    records: list[dict[str, Any]] = []
    row = 0
    for line in filter(bytes.strip, file):
        row += 1
        try:
            record = json.loads(line)
        except (
            ValueError,
            RecursionError,
        ) as error:  # invalid, or nested too deep
            if isinstance(error, UnicodeDecodeError):
                raise
            raise ValueError(f"row {row}: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"row {row} is not a JSON object")
        if row == 1:
            find_layout(pd.DataFrame(columns=list(record)))
        records.append({name: value for name, value in record.items() if name in wanted})
        if len(records) == _RECORD_BATCH:
            tables.append(pd.DataFrame.from_records(records))
            records.clear()
    tables.append(pd.DataFrame.from_records(records))
    whole = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    return _as_categories(whole)


class _ReportingFile(io.RawIOBase):
    """A file that reports how much has been read, and passes the bytes to `RowLengths`."""

    def __init__(self, path: Path, report: Progress, lengths: RowLengths | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._report, self._done, self._size = report, 0, path.stat().st_size
        self._lengths = lengths

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self._done += count
        if self._lengths is not None:
            self._lengths.feed(buffer[:count])
        self._report(self._done, self._size)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
