"""How far a command is: bars on a terminal, plain lines elsewhere."""

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

LINE_EVERY_S = 10.0  # how often progress is said where there is no terminal
MINUTE_S, HOUR_S = 60, 3600
WAVE = 1.25  # of the time to the first step: what comes by then was begun before anything was done
RECENT_S = 600.0  # clips differ by entrant: how fast a run is shows over minutes


class Throughput:
    """Steps a second, without the start: a model's loading says nothing of the clips to come.

    The first steps of workers that run side by side come together, and would look like a great
    speed: the count begins after them. Until something comes later, it is the mean since the start.

    Args:
        started: when the work began, in seconds of the clock that `step` is given too.
    """

    def __init__(self, started: float) -> None:
        self.started = self.last = started
        self.done = 0
        self._wave_ends: float | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def step(self, now: float, steps: int = 1) -> None:
        """So many steps are done since the last call."""
        self.done, self.last = self.done + steps, now
        if self._wave_ends is None:
            self._wave_ends = self.started + WAVE * (now - self.started)
        if now <= self._wave_ends:
            self._seen.clear()
        self._seen.append((now, self.done))
        while len(self._seen) > 2 and self._seen[1][0] < now - RECENT_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float | None:
        """Steps a second; None before the first."""
        if self.done == 0:
            return None
        since, before = self._seen[0]
        if self.last == since:
            since, before = self.started, 0
        passed = self.last - since
        return (self.done - before) / passed if passed > 0 else None

    def left_s(self, total: int, now: float) -> float | None:
        """Seconds until `total` steps are done; None before the first."""
        pace = self.per_s
        return None if pace is None else max((total - self.done) / pace - (now - self.last), 0.0)


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _PaceColumn(),
        TimeElapsedColumn(),
        _LeftColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=err) as bar:
        whole = bar.add_task(what, total=total, note="", pace=Throughput(bar.get_time()))
        tasks = {
            name: bar.add_task(f"  {name}", total=steps, note="", pace=None, start=False)
            for name, steps in (parts or {}).items()
        }
        by_id = {task.id: task for task in bar.tasks}

        def advance(steps: int = 1, *, note: str = "") -> None:
            part, now, all_of_it = tasks.get(note), bar.get_time(), by_id[whole].fields["pace"]
            if part is not None:
                shown = by_id[part]
                if shown.fields["pace"] is None:  # begun when the step before it was done
                    shown.fields["pace"], shown.start_time = (
                        Throughput(all_of_it.last),
                        all_of_it.last,
                    )
                shown.fields["pace"].step(now, steps)
                bar.update(part, advance=steps)
            all_of_it.step(now, steps)
            bar.update(whole, advance=steps, note=note if part is None else "")

        yield advance


class _PaceColumn(ProgressColumn):
    """Steps a minute."""

    def render(self, task: Task) -> Text:
        pace = task.fields["pace"]
        return Text(_a_minute(pace.per_s) + "/min" if pace and pace.per_s else "")


class _LeftColumn(ProgressColumn):
    """How long it will take, as hours, minutes and seconds."""

    def render(self, task: Task) -> Text:
        pace: Throughput | None = task.fields["pace"]
        left = None if pace is None else pace.left_s(int(task.total or 0), task.get_time())
        told = "-:--:--" if left is None else str(timedelta(seconds=round(left)))
        return Text(told, style="progress.remaining")


class _Lines:
    """Progress in plain lines: the beginning, the first step, one every few seconds, the last."""

    def __init__(self, what: str, total: int, parts: Mapping[str, int]) -> None:
        self.what, self.total, self.parts = what, total, parts
        self.done_by_part = Counter[str]()
        self.started = time.monotonic()
        self.pace = Throughput(self.started)
        self.said = -LINE_EVERY_S
        err.print(f"{what}: 0 of {total:,}")

    def __call__(self, steps: int = 1, *, note: str = "") -> None:
        now = time.monotonic()
        self.pace.step(now, steps)
        self.done_by_part[note] += steps
        elapsed, done = now - self.started, self.pace.done
        if elapsed - self.said < LINE_EVERY_S and done < self.total:
            return
        self.said = elapsed
        told = [f"{self.what}: {done:,} of {self.total:,}", f"{in_words(elapsed)}"]
        left = self.pace.left_s(self.total, now)
        if self.pace.per_s is not None and left is not None:
            told.append(f"{_a_minute(self.pace.per_s)} a minute")
            if done < self.total:
                told.append(f"about {in_words(left)} left")
        err.print(", ".join(told) + self._note(note))

    def _note(self, note: str) -> str:
        if note in self.parts:
            note = f"{note} {self.done_by_part[note]:,} of {self.parts[note]:,}"
        return f" ({note})" if note else ""


def in_words(seconds: float) -> str:
    """A time as one says it: "48 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"


def _a_minute(per_s: float) -> str:
    pace = per_s * MINUTE_S
    return f"{pace:,.0f}" if pace >= 100 else f"{pace:.3g}"
