"""What commands show: tables, and progress as a bar on a terminal and plain lines elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

FILE_WIDTH = 240  # columns where nobody's terminal sets a width: no cell is folded in a pipe
LINE_EVERY_S = 10.0  # how often progress is said where there is no terminal

out = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)


SPEED_OVER_S = 600.0  # clips differ by entrant: how fast a run is shows over minutes


class Advance(Protocol):
    """Called as work gets done: how many steps, and what is at hand."""

    def __call__(self, steps: int = 1, *, note: str = "") -> None: ...


@contextmanager
def progress(what: str, total: int, parts: Mapping[str, int] | None = None) -> Iterator[Advance]:
    """Show how far `what` is, out of `total` steps, how fast it goes and how long it will take.

    With `parts`, the steps of each by name, `note` names the part that a step belongs to, and each
    part has a line of its own.
    """
    if not err.is_terminal:
        yield _Lines(what, total, parts or {})
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _PaceColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err, speed_estimate_period=SPEED_OVER_S) as bar:
        whole = bar.add_task(what, total=total, note="")
        tasks = {
            name: bar.add_task(f"  {name}", total=steps, note="", start=False)
            for name, steps in (parts or {}).items()
        }

        def advance(steps: int = 1, *, note: str = "") -> None:
            part = tasks.get(note)
            bar.update(whole, advance=steps, note=note if part is None else "")
            if part is not None:
                bar.start_task(part)
                bar.update(part, advance=steps)

        yield advance


class _PaceColumn(ProgressColumn):
    """Steps a minute."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed * 60:.3g}/min")


class _Lines:
    """Progress in plain lines: the first step, one every few seconds, and the last."""

    def __init__(self, what: str, total: int, parts: Mapping[str, int]) -> None:
        self.what, self.total, self.parts = what, total, parts
        self.done, self.done_by_part = 0, Counter[str]()
        self.started = time.monotonic()
        self.said = -LINE_EVERY_S

    def __call__(self, steps: int = 1, *, note: str = "") -> None:
        self.done += steps
        self.done_by_part[note] += steps
        elapsed = time.monotonic() - self.started
        if elapsed - self.said < LINE_EVERY_S and self.done < self.total:
            return
        self.said = elapsed
        left = elapsed / max(self.done, 1) * (self.total - self.done)
        pace = self.done / max(elapsed, 1e-3) * 60
        err.print(
            f"{self.what}: {self.done} of {self.total}, {elapsed:.0f} s, {pace:.3g} a minute, "
            f"about {left:.0f} s left" + self._note(note)
        )

    def _note(self, note: str) -> str:
        if note in self.parts:
            note = f"{note} {self.done_by_part[note]} of {self.parts[note]}"
        return f" ({note})" if note else ""


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
