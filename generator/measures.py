"""Measured quality of clips, by whatever measures are installed."""

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
    """Judges a clip by its pixels and sound, or says None where the prompt is not its matter."""

    def __call__(
        self,
        frames: NDArray[np.uint8],  # (T, H, W, 3)
        *,
        fps: float,
        audio: NDArray[np.float32] | None,  # (channels, N)
        sample_rate: int | None,
        prompt: str,
    ) -> dict[str, float] | None:
        """Figures from 0 to 1 by name; a ValueError where a clip is too short or small to judge."""


@cache  # to look through all that is installed takes longer than many a clip's checks
def find_measures() -> tuple[tuple[str, Measure], ...]:
    """All measures that are installed and can be loaded, in the order of their names."""
    found: list[tuple[str, Measure]] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.append((point.name, point.load()))
        except Exception as error:  # of somebody else's package: clips can do without its figures
            logger.warning("The measure %s cannot be loaded: %s", point.name, first_line(error))
    return tuple(found)


def measure_clip(raw: RawClip, *, prompt: str) -> dict[str, float] | None:
    """What the first measure that knows such prompts says of a clip; None if none does."""
    for name, measure in find_measures():
        try:
            figures = measure(
                raw.frames,
                fps=float(raw.fps),
                audio=raw.audio,
                sample_rate=raw.sample_rate,
                prompt=prompt,
            )
        except Exception as error:  # a clip that cannot be judged is a clip nonetheless
            logger.warning("The measure %s does not judge a clip: %s", name, first_line(error))
            continue
        if figures is not None:
            return figures
    return None
