"""How fast a run goes, from when its steps came."""

from collections import deque

WAVE = 1.25  # of the time to the first step: what comes by then was begun before anything was done
RECENT_S = 600.0  # clips differ by entrant: how fast a run is shows over minutes


class Pace:
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
