"""Quality measures of clips, from installed packages."""

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import first_line

logger = logging.getLogger(__name__)

GROUP = "hippodrome.measures"


class Measure(Protocol):
    """Measures a clip by its pixels and sound; returns None for prompts it does not cover."""

    def __call__(
        self,
        frames: NDArray[np.uint8],  # (T, H, W, 3)
        *,
        fps: float,
        audio: NDArray[np.float32] | None,  # (channels, N)
        sample_rate: int | None,
        prompt: str,
    ) -> dict[str, float] | None:
        """Scores from 0 to 1 by name.

        Raises:
            ValueError: the clip is too short or too small to measure.
        """


@cache  # searching all installed packages takes longer than checking a clip
def find_measures() -> tuple[tuple[str, Measure], ...]:
    """All installed measures that can be loaded, by name."""
    measures: list[tuple[str, Measure]] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            measures.append((point.name, point.load()))
        except Exception as error:  # of a third-party package; clips do not need its scores
            logger.warning("The measure %s cannot be loaded: %s", point.name, first_line(error))
    return tuple(measures)


def measure_clip(raw: RawClip, *, prompt: str) -> dict[str, float] | None:
    """The scores of the first measure that covers the prompt; None if none does."""
    for name, measure in find_measures():
        try:
            scores = measure(
                raw.frames,
                fps=float(raw.fps),
                audio=raw.audio,
                sample_rate=raw.sample_rate,
                prompt=prompt,
            )
        except Exception as error:  # the clip is valid without scores
            logger.warning("The measure %s failed on a clip: %s", name, first_line(error))
            continue
        if scores is not None:
            return scores
    return None
