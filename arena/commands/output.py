"""Prints messages and tables. Markup in names, prompts and reasons is shown as plain text."""

import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ratings.printable import printable, printable_json


class SafeConsole(Console):
    """A console to which no control character gets, whatever names, prompts or errors contain."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a string into what is printed: every message and cell passes here."""
        return super().render_str(printable(text), **options)


out = SafeConsole(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())
err = SafeConsole(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

COLUMN_GAP = "  "
FORMULA = re.compile(r"'*[=+\-@]")  # as in `ratings.csv_cells`, which loads too much for a list


class TableFormat(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[TableFormat, typer.Option("--format", help="Output format.")]


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    format: TableFormat = TableFormat.TABLE,
    *,
    with_title: bool = False,
    if_empty: str = "",
) -> None:
    """Print a table to standard output, with an empty cell for None.

    A terminal gets a title and aligned columns that fold long cells; a pipe or a file gets one line
    per row, without colour or ruling, and nothing is shortened.

    Args:
        title: of the table, in `table` format.
        columns: their headings; in `csv` and `json` with underscores for spaces.
        rows: one value per column.
        format: `json` is a list of objects.
        with_title: print the title where there is no terminal as well.
        if_empty: what to print, on standard error, instead of a table without rows.
    """
    if not rows and if_empty and format is TableFormat.TABLE:
        err.print(if_empty)
        return
    match format:
        case TableFormat.JSON:
            keys = [_key(column) for column in columns]
            show_json([dict(zip(keys, row, strict=True)) for row in rows])
        case TableFormat.CSV:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow([_key(column) for column in columns])
            writer.writerows([[_csv_cell(cell) for cell in row] for row in rows])
            sys.stdout.write(text.getvalue())
        case TableFormat.TABLE if out.is_terminal:
            _show_on_terminal(title, columns, rows)
        case TableFormat.TABLE:
            heading = f"{_cell(title)}\n" if with_title else ""
            sys.stdout.write(heading + _plain_table(columns, rows))


def show_json(document: object) -> None:
    """Print a document as indented JSON."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(printable_json(text) + "\n")


def show_csv(text: str) -> None:
    """Print a CSV document; on a terminal without its control characters."""
    sys.stdout.write(printable(text) if out.is_terminal else text)


def confirm(question: str, *, yes: bool) -> None:
    """Ask once before a step that others will notice; without a terminal, go on.

    Raises:
        typer.Abort: the answer is no.
    """
    if not yes and is_interactive():
        typer.confirm(printable(question), abort=True)


def is_interactive() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def _key(column: str) -> str:
    return column.replace(" ", "_")


def _cell(value: object) -> str:
    """Return a value on one line; control characters never reach a terminal raw."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return printable(" ".join(str(value).splitlines()))


def _csv_cell(value: object) -> str:
    text = _cell(value)
    is_number = isinstance(value, int | float)
    return text if is_number or not FORMULA.match(text) else f"'{text}"


def _is_numeric(rows: Sequence[Sequence[object]], index: int) -> bool:
    return bool(rows) and all(isinstance(row[index], int | float | None) for row in rows)


def _show_on_terminal(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich.box import SIMPLE_HEAD  # not needed for help
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for index, column in enumerate(columns):
        justify = "right" if _is_numeric(rows, index) else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    out.print(table)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [
        [_cell(column) for column in columns],
        *([_cell(cell) for cell in row] for row in rows),
    ]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    numeric = [_is_numeric(rows, index) for index in range(len(columns))]
    text = ""
    for line in lines:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        text += COLUMN_GAP.join(cells).rstrip() + "\n"
    return text
