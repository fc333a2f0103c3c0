"""Tables in files: the same content as Parquet, CSV and JSON lines, read back typed.

Written for other programs: no quotes in CSV but where they are needed, numbers with all their
digits, an empty cell for what is not known. Control characters, which CSV readers disagree about,
become spaces when a table is made.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from arena.errors import ReleaseError
from arena.release.schema import TableSchema

FORMATS = ("parquet", "csv", "jsonl")
ROWS_AT_ONCE = 10_000  # bounds the memory that writing text takes
_CONTROL = re.compile(r"\r\n?|[\x00-\x08\x0b-\x1f\x7f]")


def make_table(schema: TableSchema, rows: Iterable[Mapping[str, Any]]) -> Any:
    """An Arrow table of the schema's columns; empty texts become null."""
    cleaned = [{name: _clean(value) for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(cleaned, schema=schema.arrow_schema)


def _clean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(" ", value) or None


def write_table(table: Any, path: Path) -> None:
    """Write the table in the format of the path's suffix."""
    _WRITERS[path.suffix.removeprefix(".")](table, path)


def read_table(path: Path, schema: TableSchema) -> Any:
    """The Arrow table of a file.

    Raises:
        ReleaseError: naming the file, and the row or column where it is not as `schema` says.
    """
    try:
        return _READERS[path.suffix.removeprefix(".")](path, schema)
    except FileNotFoundError as error:
        raise ReleaseError(f"{path.name} is missing from the release {path.parent}.") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise ReleaseError(f"{path.name} cannot be read as {path.suffix[1:]}: {reason}") from error


def _refuse_columns(path: Path, found: list[str], schema: TableSchema) -> None:
    if found == schema.names:
        return
    for name in schema.names:
        if name not in found:
            raise ReleaseError(f"{path.name} has no column '{name}'.")
    for name in found:
        if name not in schema.names:
            raise ReleaseError(f"{path.name} has a column '{name}' that no release has.")
    raise ReleaseError(f"{path.name} has its columns in another order than the data dictionary.")


def _write_parquet(table: Any, path: Path) -> None:
    pq.write_table(table, path)


def _read_parquet(path: Path, schema: TableSchema) -> Any:
    table = pq.read_table(path, partitioning=None)
    _refuse_columns(path, table.column_names, schema)
    return table.cast(schema.arrow_schema)


def _write_csv(table: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                writer.writerow([_word(cell) for cell in row])


def _word(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else cell


def _read_csv(path: Path, schema: TableSchema) -> Any:
    with path.open(encoding="utf-8", newline="") as file:
        _refuse_columns(path, next(csv.reader(file), []), schema)
    return pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema.arrow_schema,
            strings_can_be_null=True,
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
        ),
    )


def _write_json_lines(table: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read_json_lines(path: Path, schema: TableSchema) -> Any:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ReleaseError(f"{path.name}, row {number}: this is no JSON object.")
            _refuse_columns(path, list(row), schema)
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema.arrow_schema)


_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "jsonl": _write_json_lines,
}
_READERS: dict[str, Callable[[Path, TableSchema], Any]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "jsonl": _read_json_lines,
}
