"""Read tables of prompts and manifests strictly: a cell that has moved is a wrong text or clip."""

import codecs
import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena.errors import ArenaError
from arena.text import pluralize

MAX_BYTES = 256 * 2**20
# Control characters except tab and line ends, and the marks that reorder the text around them on a
# screen. The marks of right-to-left text without that effect are allowed.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WHOLE_NUMBER = re.compile(r"([0-9]{1,18})(?:\.0{1,18})?")  # pandas writes 7.0 beside empty cells
_OTHER_DELIMITERS = ";\t|"


@dataclass(frozen=True)
class Table:
    """The columns and rows of a table; rows are numbered from 1, without empty ones."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


def read_csv_table(path: Path, *, error: type[ArenaError]) -> Table:
    """Read a CSV table: UTF-8, or UTF-16 with a byte order mark, with any line ends.

    Args:
        path: of the file.
        error: the class of errors.

    Raises:
        ArenaError: of the class `error`; names the file and the row.
    """
    text = _read_text(path, error)
    rows: list[dict[str, str]] = []
    header: tuple[str, ...] | None = None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells) and len(cells) < 2:
                continue
            if header is None:
                header = _checked_header(cells, path, error)
                continue
            number = len(rows) + 1
            if len(cells) != len(header):
                raise error(
                    f"{path}, row {number}: {pluralize(len(cells), 'cell')}, the header has "
                    f"{len(header)}; put cells that contain commas in double quotes "
                    "and leave no cell out."
                )
            rows.append(dict(zip(header, (cell.strip() for cell in cells), strict=True)))
            _check_cells(rows[-1], path, number, error)
    except csv.Error as problem:
        raise error(f"{path}, row {len(rows) + 1}: not a row of a CSV table ({problem}).") from None
    return Table(header or (), tuple(rows))


def read_json_lines(path: Path, *, error: type[ArenaError]) -> Table:
    """Read a table with one JSON object in each line; errors are as of `read_csv_table`."""
    rows: list[dict[str, Any]] = []
    columns: dict[str, None] = {}
    for line in _LINE_END.split(_read_text(path, error)):
        if not line.strip():
            continue
        number = len(rows) + 1
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as problem:
            reason = str(problem).partition(":")[0]
            raise error(f"{path}, row {number}: not a JSON object ({reason}).") from None
        if not isinstance(row, dict):
            raise error(f"{path}, row {number}: not a JSON object.")
        _check_cells(row, path, number, error)
        columns |= dict.fromkeys(row)
        rows.append(row)
    return Table(tuple(columns), tuple(rows))


def parse_whole_number(text: str) -> int | None:
    """The number of a cell such as 7 or 7.0; None for anything else, such as a superscript."""
    match = _WHOLE_NUMBER.fullmatch(text.strip())
    return None if match is None else int(match[1])


def describe_forbidden(text: str) -> str | None:
    """Why a text may not be shown, as a part of a sentence; None if it may."""
    match = _FORBIDDEN.search(text)
    if match is not None:
        kind = "direction mark" if match[0] > "\u2000" else "control character"
        return f"it contains the {kind} U+{ord(match[0]):04X}; remove it"
    return "it contains half of a character; repair it" if _SURROGATE.search(text) else None


def _read_text(path: Path, error: type[ArenaError]) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise error(f"{path} is larger than {MAX_BYTES // 2**20} MiB; split it.")
        data = path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or "no such file"
        raise error(f"{path} cannot be read: {reason}.") from problem
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as problem:
        line = len(data[: problem.start].splitlines()) or 1
        raise error(
            f"{path}, line {line}: not UTF-8 text; save the file with the encoding UTF-8."
        ) from None


def _checked_header(cells: list[str], path: Path, error: type[ArenaError]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if len(names) == 1 and any(mark in names[0] for mark in _OTHER_DELIMITERS):
        raise error(f"{path} has one column, {names[0]!r}: separate its cells by commas.")
    if "" in names:
        raise error(f"{path}: column {names.index('') + 1} has no name; name or remove it.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise error(f"{path} has two columns '{twice}'; remove one.")
    return names


def _check_cells(row: dict[str, Any], path: Path, number: int, error: type[ArenaError]) -> None:
    for name, value in row.items():
        for text in value if isinstance(value, list) else [value]:
            problem = describe_forbidden(text) if isinstance(text, str) else None
            if problem is not None:
                raise error(f"{path}, row {number}, column '{name}': {problem}.")
