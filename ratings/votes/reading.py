"""Read a table of votes from a CSV, TSV, Parquet or JSON lines file."""

import io
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ratings.csv_cells import unescape_cells
from ratings.errors import VotesError
from ratings.votes.columns import LAYOUTS, READ_TOO, USED, factorize, find_layout
from ratings.votes.published import PUBLISHED_COLUMNS, as_votes, is_published
from ratings.votes.renaming import NO_RENAMES, Renames
from ratings.votes.row_lengths import RowLengths, check_row_lengths, find_other_encoding
from ratings.votes.sources import Source, open_source

Progress = Callable[[int, int], None]

_BUFFER_SIZE = 1 << 20
_RECORD_BATCH = 100_000
# Read as numbers; all other columns are text, so that voter 007 does not become 7.
_NUMBERS = ("weight", "tstamp", "decided_ms", "probability")
# Different in every row, so that categories would only add a copy.
_UNIQUE = ("id", "battle_id", "timestamp")
_WORDS = frozenset(name for layout in LAYOUTS for name in layout.columns) | PUBLISHED_COLUMNS
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_CODED = (_WORDS | set(READ_TOO) | set(USED)) - {*_NUMBERS, *_UNIQUE}


def read_votes(
    path: str | Path, *, columns: Collection[str] = (), progress: Progress | None = None
) -> pd.DataFrame:
    """Read the columns that ratings use, as far as they exist, and those named in `columns`.

    Names, outcomes and other repeated texts become categories, so that no string is hashed or
    stored twice; a model called "NA" or "7" keeps its name.

    Args:
        path: a .csv, .tsv, .jsonl, .ndjson or .parquet file, also compressed (.gz, .bz2, .xz, or
            a .zip of one file), or "-" for standard input in any of these formats.
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
    path: str | Path,
    wanted: Collection[str],
    *,
    renames: Renames = NO_RENAMES,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Read the columns that make up a vote and the requested ones, as far as they exist.

    Unlike `read_votes`, it reads no other columns: the command line knows what its report needs. A
    completely empty file is a table without columns and votes.
    """
    wanted = _WORDS | set(READ_TOO) | set(wanted)
    try:
        with open_source(path) as source:
            try:
                return as_votes(
                    renames.apply(_read_source(source, renames.sources(wanted), renames, progress))
                )
            except VotesError as error:
                name = source.name
                raise VotesError(f"{name}, {error}" if error.row else f"{name}: {error}") from None
            except pd.errors.EmptyDataError:
                return pd.DataFrame()
            except UnicodeDecodeError:
                raise VotesError(f"{source.name}: {find_other_encoding(source.path)}") from None
    except VotesError:
        raise
    except FileNotFoundError:
        raise VotesError(f"{path} does not exist") from None
    except ImportError:
        raise VotesError(
            f"{path} is a Parquet file, which needs pyarrow: pip install pyarrow"
        ) from None
    except (OSError, ValueError) as error:  # pandas' and Arrow's errors are ValueErrors
        reason = str(error).strip().splitlines()
        kind = Path(path).suffix.lower() or "a table of votes"
        raise VotesError(
            f"{path} cannot be read as {kind}: {reason[0] if reason else 'unreadable'}"
        ) from error


def _check_header(names: Iterable[str]) -> None:
    """Raise VotesError unless a table with these columns is one of votes."""
    header = list(names)
    if not is_published(header):
        find_layout(pd.DataFrame(columns=header))


def _read_source(
    source: Source, wanted: Collection[str], renames: Renames, progress: Progress | None
) -> pd.DataFrame:
    if source.kind == ".parquet":
        return _read_parquet(source.path, wanted, renames)
    delimiter = _DELIMITERS.get(source.kind)
    lengths = None if delimiter is None else RowLengths(delimiter)
    reporting = _ReportingFile(source.path, progress or (lambda done, size: None), lengths)
    with io.BufferedReader(reporting, _BUFFER_SIZE) as file:
        if delimiter is None or lengths is None:
            return _read_json_lines(file, wanted, renames)
        frame = _read_csv(file, wanted, renames, delimiter)
    lengths.finish()
    if lengths.uneven:
        check_row_lengths(source.path, delimiter)
    return frame


def _read_parquet(path: Path, wanted: Collection[str], renames: Renames) -> pd.DataFrame:
    """Strings stay encoded in the file's dictionaries."""
    import pyarrow.parquet as pq  # an optional dependency

    schema = pq.read_schema(path)
    columns = [name for name in schema.names if name in wanted]
    _check_header(renames.header(schema.names))
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


def _read_csv(
    file: "io.BufferedReader[_ReportingFile]",
    wanted: Collection[str],
    renames: Renames,
    delimiter: str,
) -> pd.DataFrame:
    head = io.BytesIO(file.peek())
    # Read as data, because pandas would rename duplicate columns.
    names = pd.read_csv(
        head, header=None, nrows=1, dtype="str", keep_default_na=False, sep=delimiter
    )
    header = [name for name in names.iloc[0] if name]
    _check_header(renames.header(header))
    text: list[str] = [
        name for name in header if name in wanted and renames.target(name) not in _NUMBERS
    ]
    frame = pd.read_csv(
        file,
        sep=delimiter,
        index_col=False,  # a row that is too long must not shift the columns
        usecols=lambda name: name in wanted,
        dtype=dict.fromkeys(text, "str"),  # "category" would turn 007 into 7
        keep_default_na=False,
        na_values=[""],
    )
    return _as_categories(frame, unescape=True)


def _as_categories(frame: pd.DataFrame, *, unescape: bool = False) -> pd.DataFrame:
    """Encode repeated texts as categories, in order of appearance; `unescape` those of CSV."""
    coded = {}
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name].dtype) and name in _CODED:
            try:
                codes, values = factorize(frame[name])
            except VotesError:  # lists, in columns that nothing uses
                continue
            if unescape:
                values = pd.Index(unescape_cells(list(values)))
            coded[name] = pd.Categorical.from_codes(codes, values, validate=False)
    return frame.assign(**coded)


def _read_json_lines(
    file: "io.BufferedReader[_ReportingFile]", wanted: Collection[str], renames: Renames
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
            _check_header(renames.header(record))
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
