"""Prints messages and tables. Markup in names, prompts and reasons is shown as plain text."""

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

FILE_WIDTH = 240  # columns if standard output is not a terminal, so that no cell is folded

out = Console(
    highlight=False,
    markup=False,
    emoji=False,
    width=None if sys.stdout.isatty() else FILE_WIDTH,
)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table to standard output, with an empty cell for None."""
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        numeric = bool(rows) and all(
            isinstance(row[columns.index(column)], int | float | None) for row in rows
        )
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)
