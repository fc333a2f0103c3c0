"""Reads a table of votes from a CSV, Parquet or JSON lines file."""

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

_BYTES_AT_ONCE = 1 << 20
_RECORDS_AT_ONCE = 100_000
# Read as numbers; all else is text, so that no voter 007 becomes 7 and no id a rounded number.
_NUMBERS = ("weight", "tstamp", "decided_ms", "probability")
# Another in every row, so that codes would only be one more copy.
_NEVER_AGAIN = ("battle_id", "timestamp")
_WORDS = frozenset(name for layout in LAYOUTS for name in (layout.a, layout.b, layout.winner))
_CODED = (_WORDS | set(READ_TOO) | set(USED)) - {*_NUMBERS, *_NEVER_AGAIN}


def read_votes(
    path: str | Path, *, columns: Collection[str] = (), progress: Progress | None = None
) -> pd.DataFrame:
    """Read the columns that ratings use, as far as they are there, and those named in `columns`.

    Names, outcomes and other texts that come again and again are categories, so that no string is
    hashed twice and none is held twice; a model called "NA" or "7" keeps its name.

    Args:
        path: a .csv, .parquet or .jsonl file.
        columns: more columns that are wanted, such as "language", or those of a covariate.
        progress: called with the bytes read so far and the bytes of the file; not for Parquet,
            which takes no time.

    Raises:
        VotesError: the file is missing, is of another format, or cannot be read as its own; a row
            of another length than the header; a column of `columns` that is not there.
    """
    frame = read_columns(path, {*USED, *columns}, progress=progress)
    missing = [name for name in columns if name not in frame]
    if missing and len(frame.columns):
        raise VotesError(f"{path} has no column {missing[0]!r}")
    return frame


def read_columns(
    path: str | Path, wanted: Collection[str], *, progress: Progress | None = None
) -> pd.DataFrame:
    """The columns that make a vote and those that are wanted, as far as they are there.

    What `read_votes` does, but with nothing more than is asked for: the command line knows what its
    report needs. A file without a byte is a table without columns and votes.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet", ".jsonl"}:
        raise VotesError(f"{path} is none of .csv, .parquet, .jsonl")
    wanted = _WORDS | set(READ_TOO) | set(wanted)
    try:
        if suffix == ".parquet":
            return _read_parquet(path, wanted)
        lengths = RowLengths() if suffix == ".csv" else None
        read = _read_csv if suffix == ".csv" else _read_json_lines
        told = _Told(path, progress or (lambda done, size: None), lengths)
        with io.BufferedReader(told, _BYTES_AT_ONCE) as file:
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
    strings = [
        name
        for name in columns
        if str(schema.field(name).type) in text and name not in _NEVER_AGAIN
    ]
    table = pq.read_table(path, columns=columns, read_dictionary=strings)
    whole = table.unify_dictionaries().combine_chunks()  # else pandas translates each chunk
    del table
    frame: pd.DataFrame = whole.to_pandas(
        ignore_metadata=True, split_blocks=True, self_destruct=True
    )
    return frame


def _read_csv(file: "io.BufferedReader[_Told]", wanted: Collection[str]) -> pd.DataFrame:
    head = io.BytesIO(file.peek())
    # As data: pandas would rename a name that is there twice.
    names = pd.read_csv(head, header=None, nrows=1, dtype="str", keep_default_na=False)
    header = pd.DataFrame(columns=[name for name in names.iloc[0] if name])
    find_layout(header)
    text: list[str] = [name for name in header.columns if name in wanted and name not in _NUMBERS]
    frame = pd.read_csv(
        file,
        index_col=False,  # a row that is too long never shifts the others
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(text, "str"),  # "category" would make 7 of both 7 and 007
        keep_default_na=False,
        na_values=[""],
    )
    return _as_categories(frame)


def _as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """The texts that come again and again by codes, in the order in which they are met."""
    coded = {}
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name].dtype) and name in _CODED:
            try:
                codes, values = factorize(frame[name])
            except VotesError:  # lists, which are no mistake where nothing looks at them
                continue
            coded[name] = pd.Categorical.from_codes(codes, values, validate=False)
    return frame.assign(**coded)


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
            if isinstance(error, UnicodeDecodeError):
                raise
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
    whole = pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)
    return _as_categories(whole)


class _Told(io.RawIOBase):
    """A file that tells how far it has been read, and what was."""

    def __init__(self, path: Path, tell: Progress, lengths: RowLengths | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._tell, self._done, self._size = tell, 0, path.stat().st_size
        self._lengths = lengths

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer) or 0
        self._done += count
        if self._lengths is not None:
            self._lengths.feed(buffer[:count])
        self._tell(self._done, self._size)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
