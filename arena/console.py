"""What commands show: tables, and progress as a bar on a terminal and plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

FILE_WIDTH = 240  # columns where nobody's terminal sets a width: no cell is folded in a pipe
LINE_EVERY_S = 10.0  # how often progress is said where there is no terminal

out = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Advance(Protocol):
    """Called as work gets done: how many steps, and what is at hand."""

    def __call__(self, steps: int = 1, *, note: str = "") -> None: ...


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show how far `what` is, out of `total` steps."""
    if err.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=err) as bar:
            task = bar.add_task(what, total=total, note="")
            yield lambda steps=1, *, note="": bar.update(task, advance=steps, note=note)
        return
    yield _Lines(what, total)


class _Lines:
    """Progress in plain lines: the first step, one every few seconds, and the last."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.started = time.monotonic()
        self.said = -LINE_EVERY_S

    def __call__(self, steps: int = 1, *, note: str = "") -> None:
        self.done += steps
        elapsed = time.monotonic() - self.started
        if elapsed - self.said < LINE_EVERY_S and self.done < self.total:
            return
        self.said = elapsed
        left = elapsed / max(self.done, 1) * (self.total - self.done)
        err.print(
            f"{self.what}: {self.done} of {self.total}, {elapsed:.0f} s, about {left:.0f} s left"
            + (f" ({note})" if note else "")
        )


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; empty cells for None."""
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        numeric = bool(rows) and all(
            isinstance(row[columns.index(column)], int | float | None) for row in rows
        )
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(table)
