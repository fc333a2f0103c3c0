"""Writes and reads tables as Parquet, CSV and JSON Lines with the same content and types.

CSV has quotes only where needed, numbers with all their digits, and an empty cell for null. A copy
of it for spreadsheets has an apostrophe in front of every text that a spreadsheet would run as a
formula. Control characters, which CSV readers treat differently, become spaces when a table is
made.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from arena.errors import ReleaseError
from arena.release.schema import ColumnType, TableSchema
from ratings.csv_cells import escape_cell, unescape_cell

FORMATS = ("parquet", "csv", "jsonl")
SPREADSHEET = ".spreadsheet.csv"
ROWS_PER_BATCH = 10_000  # limits the memory for writing text
_CONTROL = re.compile(r"\r\n?|[\x00-\x08\x0b-\x1f\x7f]")


def make_table(schema: TableSchema, rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return an Arrow table with the schema's columns; empty texts become null."""
    cleaned = [{name: _clean(value) for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(cleaned, schema=schema.arrow_schema)


def _clean(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str) -> str | None:
    """Return a text as the tables of a release have it: no control characters, null for none."""
    return _CONTROL.sub(" ", text) or None


def columns_of(table: Any) -> list[list[Any]]:
    """Return the cells of an Arrow table as Python values, by column."""
    return [_cells(column) for column in table.columns]


def _cells(column: Any) -> list[Any]:
    """The values of a column; by way of numpy where that keeps them, which is far faster."""
    if pa.types.is_string(column.type) or (
        column.null_count == 0 and pa.types.is_primitive(column.type)
    ):
        cells: list[Any] = column.to_numpy().tolist()
        return cells
    return list(column.to_pylist())


def rows_of(table: Any, columns: Sequence[list[Any]]) -> list[dict[str, Any]]:
    """Return the rows of an Arrow table whose cells are these; faster than `Table.to_pylist`."""
    names = table.column_names
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def spreadsheet_name(table: str) -> str:
    """Return the name of a table's CSV file for spreadsheets."""
    return f"{table}{SPREADSHEET}"


def write_table(table: Any, path: Path) -> None:
    """Write the table in the format of the path's name; `.spreadsheet.csv` is for spreadsheets."""
    if path.name.endswith(SPREADSHEET):
        _write_csv(table, path, text_cell=escape_cell)
    else:
        _WRITERS[path.suffix.removeprefix(".")](table, path)


def read_table(path: Path, schema: TableSchema) -> Any:
    """Read a file as an Arrow table.

    Raises:
        ReleaseError: names the file and, where known, the row or column that differs from `schema`.
    """
    try:
        return _READERS[path.suffix.removeprefix(".")](path, schema)
    except FileNotFoundError as error:
        raise ReleaseError(f"{path.name} is missing from the release {path.parent}.") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise ReleaseError(f"{path.name} cannot be read as {path.suffix[1:]}: {reason}") from error


def _check_columns(path: Path, columns: list[str], schema: TableSchema) -> None:
    if columns == schema.names:
        return
    for name in schema.names:
        if name not in columns:
            raise ReleaseError(f"{path.name} has no column '{name}'.")
    for name in columns:
        if name not in schema.names:
            raise ReleaseError(f"{path.name} has an unknown column '{name}'.")
    raise ReleaseError(f"{path.name} has its columns in the wrong order.")


def _write_parquet(table: Any, path: Path) -> None:
    pq.write_table(table, path)


def _read_parquet(path: Path, schema: TableSchema) -> Any:
    table = pq.read_table(path, partitioning=None)
    _check_columns(path, table.column_names, schema)
    return table.cast(schema.arrow_schema)


def _write_csv(table: Any, path: Path, *, text_cell: Callable[[str], str] = str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.column_names)
        for batch in table.to_batches(max_chunksize=ROWS_PER_BATCH):
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                writer.writerow([_csv_cell(cell, text_cell) for cell in row])


def _csv_cell(cell: Any, text_cell: Callable[[str], str]) -> Any:
    if isinstance(cell, str):
        return text_cell(cell)
    return str(cell).lower() if isinstance(cell, bool) else cell


def _read_csv(path: Path, schema: TableSchema) -> Any:
    with path.open(encoding="utf-8", newline="") as file:
        _check_columns(path, next(csv.reader(file), []), schema)
    table = pa_csv.read_csv(
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
    for index, column in enumerate(schema.columns if path.name.endswith(SPREADSHEET) else ()):
        if column.type is ColumnType.TEXT:
            texts = table.column(index).to_pylist()
            if any(text is not None and text.startswith("'") for text in texts):
                cells = [text if text is None else unescape_cell(text) for text in texts]
                table = table.set_column(index, column.name, pa.array(cells, pa.string()))
    return table


def _write_json_lines(table: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=ROWS_PER_BATCH):
            for row in batch.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read_json_lines(path: Path, schema: TableSchema) -> Any:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ReleaseError(f"{path.name}, row {number}: not a JSON object.")
            _check_columns(path, list(row), schema)
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
