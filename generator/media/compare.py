"""Compare two generations of one clip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.media import decode


@dataclass(frozen=True)
class Difference:
    """The difference between two clips; an infinite ratio means that they are equal.

    Attributes:
        same: Whether the files are byte-identical.
        picture_db: Peak signal-to-noise ratio over all frames, in decibels.
        sound_db: The same for the sound, with full scale 1; None if neither clip has sound.
    """

    same: bool
    picture_db: float
    sound_db: float | None


def compare(before: bytes, after: bytes) -> Difference:
    """Decode and compare two masters of one clip.

    Raises:
        ClipError: One of them cannot be decoded.
    """
    one, other = decode(before), decode(after)
    if one.audio is None or other.audio is None:
        sound = None if one.audio is other.audio else 0.0
    else:
        sound = _psnr_db(one.audio, other.audio, peak=1.0)
    video = _psnr_db(one.frames, other.frames, peak=255.0)
    return Difference(before == after, video, sound)


def _psnr_db(one: NDArray[np.generic], other: NDArray[np.generic], *, peak: float) -> float:
    if one.shape != other.shape:
        return 0.0
    error = float(np.mean(np.square(np.subtract(one, other, dtype=np.float32), dtype=np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(peak * peak / error))
