"""Which picture is shown at each instant of a track, by the pictures' own times."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

# A picture is shown at most this long before its time: half a period of the slowest models.
MAX_EARLY_S = 1 / 16
# Times are equidistant if the gaps differ by no more than a container's rounding of both ends.
ROUNDING_S, ROUNDING_SHARE = 0.0025, 0.25


class Sampler:
    """Assigns pictures to the instants k / fps, for k from 0 on.

    An instant shows the picture nearest in time. A picture that stands longer than those before
    it is shown all that time: the next one comes no more than half a usual gap early.
    """

    def __init__(self, fps: Fraction, count: int) -> None:
        self._period, self._count = float(1 / fps), count
        self._next = 0
        self._time: float | None = None  # of the picture that is shown now
        self._gap: float | None = None  # between it and the one before
        self.pictures, self.first_gap, self.min_gap, self.max_gap = 0, 0.0, float("inf"), 0.0

    @property
    def is_full(self) -> bool:
        """Whether every instant has a picture."""
        return self._next >= self._count

    @property
    def is_even(self) -> bool:
        """Whether the pictures so far come at a constant rate."""
        tolerance = max(ROUNDING_S, ROUNDING_SHARE * self.min_gap)
        return self.pictures < 3 or self.max_gap - self.min_gap <= tolerance

    def add(self, time: float) -> int:
        """Start a picture at a time in seconds; return the instants that the one before gets."""
        self.pictures += 1
        if self._time is None:
            self._time = time
            return 0
        gap = time - self._time
        early = min(gap / 2, (gap if self._gap is None else self._gap) / 2, MAX_EARLY_S)
        self._time, self._gap = time, gap
        self.min_gap, self.max_gap = min(self.min_gap, gap), max(self.max_gap, gap)
        # Slightly more, so that rounding never decides between two equally near pictures.
        return self._take(time - early - 1e-6 * self._period)

    def finish(self, end: float) -> int:
        """End the last picture at a time in seconds; return the instants that it gets.

        An instant counts if half of its period is covered.
        """
        return self._take(end - 0.499 * self._period)

    def _take(self, until: float) -> int:
        first = self._next
        while self._next < self._count and self._next * self._period < until:
            self._next += 1
        return self._next - first


def sample(
    times: Sequence[float], end: float, *, fps: Fraction, count: int
) -> tuple[list[int], bool]:
    """Return the indices of the pictures at up to `count` instants, and whether times are even.

    Args:
        times: When each picture starts, in seconds from the first one.
        end: When the last one ends.
        fps: Instants per second.
        count: Number of instants.
    """
    sampler = Sampler(fps, count)
    return list(_indices(sampler, times, end)), sampler.is_even


def _indices(sampler: Sampler, times: Sequence[float], end: float) -> Iterator[int]:
    for index, time in enumerate(times):
        yield from [index - 1] * sampler.add(time)
    yield from [len(times) - 1] * sampler.finish(end)
