"""How far two makings of one clip are apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.media import decode


@dataclass(frozen=True)
class Difference:
    """Of two clips; infinite decibels are no difference.

    Attributes:
        same: whether the files have the same bytes.
        picture_db: peak signal-to-noise ratio of all pictures, decibels.
        sound_db: the same of the sound, whose full scale is 1; None where neither has sound.
    """

    same: bool
    picture_db: float
    sound_db: float | None


def compare(before: bytes, after: bytes) -> Difference:
    """Compare two masters of one clip, decoded.

    Raises:
        ClipError: one of them does not decode.
    """
    one, other = decode(before), decode(after)
    if one.audio is None or other.audio is None:
        sound = None if one.audio is other.audio else 0.0
    else:
        sound = _psnr_db(one.audio, other.audio, peak=1.0)
    picture = _psnr_db(one.frames, other.frames, peak=255.0)
    return Difference(before == after, picture, sound)


def _psnr_db(one: NDArray[np.generic], other: NDArray[np.generic], *, peak: float) -> float:
    if one.shape != other.shape:
        return 0.0
    error = float(np.mean(np.square(np.subtract(one, other, dtype=np.float32), dtype=np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(peak * peak / error))
