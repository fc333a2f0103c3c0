"""Progress of long work: bars on a terminal, plain lines elsewhere."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from arena.commands.output import err
from ratings.printable import printable

LINE_EVERY_S = 10.0  # between two lines, if standard error is not a terminal
MINUTE_S, HOUR_S = 60, 3600
FIRST_WAVE = 1.25  # times the time of the first step: workers that started together end in this
WINDOW_S = 600.0  # clips differ by entrant, so the rate is that of the last minutes
BASIS = 4  # steps after the first wave, before which a rate would be a guess


class Throughput:
    """Steps per second, without the start-up: loading a model says nothing about later clips.

    The first steps of workers that run side by side include that start-up and finish together, so
    the measurement starts after them. Until `BASIS` more steps are done, the rate is unknown: a
    guess from the first clip can be wrong by a factor of ten.

    Args:
        started: time at which the work started, in seconds of the clock used for `step`.
    """

    def __init__(self, started: float) -> None:
        self.started = self.last = started
        self.done = 0
        self._first_wave_ends: float | None = None
        self._history: deque[tuple[float, int]] = deque()  # (time, steps done until then)

    def step(self, now: float, steps: int = 1) -> None:
        """Record that `steps` more steps are done at the time `now`."""
        self.done, self.last = self.done + steps, now
        if self._first_wave_ends is None:
            self._first_wave_ends = self.started + FIRST_WAVE * (now - self.started)
        if now <= self._first_wave_ends:
            self._history.clear()
        self._history.append((now, self.done))
        while len(self._history) > BASIS + 1 and self._history[1][0] < now - WINDOW_S:
            self._history.popleft()

    @property
    def per_s(self) -> float | None:
        """Steps per second; None until enough steps are done to know."""
        if not self._history:
            return None
        start, done_before = self._history[0]
        elapsed, steps = self.last - start, self.done - done_before
        return steps / elapsed if steps >= BASIS and elapsed > 0 else None

    def left_s(self, total: int, now: float) -> float | None:
        """Seconds until `total` steps are done; None until the rate is known."""
        rate = self.per_s
        return None if rate is None else max((total - self.done) / rate - (now - self.last), 0.0)


class Advance(Protocol):
    """Called as steps are done; `note` says which entrant or part they belong to."""

    def __call__(self, steps: int = 1, *, note: str = "") -> None: ...


@contextmanager
def progress(title: str, total: int, parts: Mapping[str, int] | None = None) -> Iterator[Advance]:
    """Show how many of `total` steps are done, steps per minute and the remaining time.

    With `parts` (number of steps by name), the `note` of a step names its part, and each part has
    a bar of its own.
    """
    if not err.is_terminal:
        yield _Lines(title, total, parts or {})
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _ThroughputColumn(),
        TimeElapsedColumn(),
        _RemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=err) as bar:
        total_task = bar.add_task(
            title, total=total, note="", throughput=Throughput(bar.get_time())
        )
        part_tasks = {
            name: bar.add_task(
                printable(f"  {name}"), total=steps, note="", throughput=None, start=False
            )
            for name, steps in (parts or {}).items()
        }
        tasks = {task.id: task for task in bar.tasks}

        def advance(steps: int = 1, *, note: str = "") -> None:
            overall, now = tasks[total_task].fields["throughput"], bar.get_time()
            part = part_tasks.get(note)
            if part is not None:
                task = tasks[part]
                if task.fields["throughput"] is None:  # started when the previous step was done
                    task.fields["throughput"] = Throughput(overall.last)
                    task.start_time = overall.last
                task.fields["throughput"].step(now, steps)
                bar.update(part, advance=steps)
            overall.step(now, steps)
            bar.update(total_task, advance=steps, note=printable(note) if part is None else "")

        yield advance


class _ThroughputColumn(ProgressColumn):
    """Steps per minute."""

    def render(self, task: Task) -> Text:
        throughput: Throughput | None = task.fields["throughput"]
        rate = None if throughput is None else throughput.per_s
        return Text(f"{_per_minute(rate)}/min" if rate else "")


class _RemainingColumn(ProgressColumn):
    """The remaining time, as hours, minutes and seconds."""

    def render(self, task: Task) -> Text:
        throughput: Throughput | None = task.fields["throughput"]
        left = None
        if throughput is not None:
            left = throughput.left_s(int(task.total or 0), task.get_time())
        text = "-:--:--" if left is None else str(timedelta(seconds=round(left)))
        return Text(text, style="progress.remaining")


class _Lines:
    """Progress in plain lines: at the start, the first step, every few seconds, and the end."""

    def __init__(self, title: str, total: int, parts: Mapping[str, int]) -> None:
        self.title, self.total, self.parts = title, total, parts
        self.done_by_part = Counter[str]()
        self.started = time.monotonic()
        self.throughput = Throughput(self.started)
        self.last_line = -LINE_EVERY_S
        err.print(f"{title}: 0 of {total:,}")

    def __call__(self, steps: int = 1, *, note: str = "") -> None:
        now = time.monotonic()
        self.throughput.step(now, steps)
        self.done_by_part[note] += steps
        elapsed, done = now - self.started, self.throughput.done
        if elapsed - self.last_line < LINE_EVERY_S and done < self.total:
            return
        self.last_line = elapsed
        parts = [f"{self.title}: {done:,} of {self.total:,}", format_duration(elapsed)]
        rate, left = self.throughput.per_s, self.throughput.left_s(self.total, now)
        if rate is not None and left is not None:
            parts.append(f"{_per_minute(rate)} per minute")
            if done < self.total:
                parts.append(f"about {format_duration(left)} left")
        err.print(", ".join(parts) + self._note(note))

    def _note(self, note: str) -> str:
        if note in self.parts:
            note = f"{note} {self.done_by_part[note]:,} of {self.parts[note]:,}"
        return f" ({note})" if note else ""


def format_duration(seconds: float) -> str:
    """Format a duration as "48 s", "3 min 20 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def _per_minute(per_s: float) -> str:
    rate = per_s * MINUTE_S
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
