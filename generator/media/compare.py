"""Compare two generations of one clip."""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from generator.media.decode import read_audio, read_pictures


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
    one, other = read_audio(before)[0], read_audio(after)[0]
    if one is None or other is None:
        sound = None if one is other else 0.0
    elif one.shape != other.shape:
        sound = 0.0
    else:
        sound = _psnr_db(_squared_error(one, other), one.size, peak=1.0)
    return Difference(before == after, _picture_db(before, after), sound)


def _picture_db(before: bytes, after: bytes) -> float:
    error, size = 0.0, 0
    for one, other in zip_longest(read_pictures(before), read_pictures(after)):
        if one is None or other is None:
            return 0.0
        pixels = one.pixels(), other.pixels()
        if pixels[0].shape != pixels[1].shape:
            return 0.0
        error += _squared_error(*pixels)
        size += pixels[0].size
    return _psnr_db(error, size, peak=255.0)


def _squared_error(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    difference = np.subtract(one, other, dtype=np.float32)
    return float(np.sum(np.square(difference, dtype=np.float64)))


def _psnr_db(error: float, size: int, *, peak: float) -> float:
    return float("inf") if error == 0 else float(10 * np.log10(peak * peak * size / error))
