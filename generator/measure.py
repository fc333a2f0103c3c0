"""Measured quality of clips, by whatever measures are installed."""

import logging
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generator.spec import RawClip

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


def measure_clip(raw: RawClip, *, prompt: str) -> dict[str, float] | None:
    """What the first measure that knows such prompts says of a clip; None if none does."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        measure: Measure = point.load()
        try:
            figures = measure(
                raw.frames,
                fps=float(raw.fps),
                audio=raw.audio,
                sample_rate=raw.sample_rate,
                prompt=prompt,
            )
        except ValueError as error:  # a clip that cannot be judged is a clip nonetheless
            logger.warning("The measure %s does not judge a clip: %s", point.name, error)
            continue
        if figures is not None:
            return figures
    return None
