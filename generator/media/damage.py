"""Damage a rendition so that everybody who looks sees it: the copies that honey pairs show.

The copy is encoded like every rendition of its track, so that its file has the same size, boxes and
tables as others, and only its pictures tell.
"""

from collections.abc import Callable

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.media.buffers import each_frame
from generator.media.checks import check_rendition
from generator.media.compare import compare
from generator.media.decode import decode_for_track
from generator.media.encode import make_rendition
from generator.media.fit import fit_to_track
from generator.spec import TrackSettings

Frame = NDArray[np.uint8]  # (H, W, 3)

# Of the shorter side: edge of the blocks, width of the blur, and grain of the noise.
BLOCK, BLUR, GRAIN = 1 / 8, 1 / 7, 1 / 16
NOISE_LEVELS = 50.0  # standard deviation, of 255: more does not fit into a low bit rate
# The ratio of signal to noise of a copy against its clip. Encoding alone leaves more than 30 dB.
MAX_PICTURE_DB = 28.0


def damage_rendition(rendition: bytes, track: TrackSettings, *, kind: str, seed: int) -> bytes:
    """Return the rendition of a damaged copy; the same arguments give the same bytes.

    Args:
        rendition: of the clip.
        track: of the clip.
        kind: one of `DAMAGES`.
        seed: of the noise.

    Raises:
        ClipError: the rendition cannot be read, or this kind hardly changes its pictures.
    """
    fitted, _ = fit_to_track(decode_for_track(rendition, track), track)
    random = np.random.default_rng(seed)
    for frame in each_frame(fitted.frames):
        frame[:] = DAMAGES[kind](frame, random)
    damaged = make_rendition(fitted, track).data
    check_rendition(damaged, track)
    ratio = compare(rendition, damaged).picture_db
    if ratio > MAX_PICTURE_DB:
        raise ClipError(
            f"The damage {kind!r} hardly changes this clip ({ratio:.0f} dB); use another kind."
        )
    return damaged


def _blocks(frame: Frame, _random: np.random.Generator) -> Frame:
    return _coarse(frame, _edge(frame, BLOCK), Interpolation.POINT)


def _blur(frame: Frame, _random: np.random.Generator) -> Frame:
    return _coarse(frame, _edge(frame, BLUR), Interpolation.BICUBIC)


def _noise(frame: Frame, random: np.random.Generator) -> Frame:
    height, width = frame.shape[:2]
    edge = _edge(frame, GRAIN)
    shape = (-(-height // edge), -(-width // edge), 1)
    grains = random.normal(0, NOISE_LEVELS, shape).repeat(edge, axis=0).repeat(edge, axis=1)
    noisy: Frame = np.clip(frame + grains[:height, :width], 0, 255).astype(np.uint8)
    return noisy


def _coarse(frame: Frame, edge: int, enlarge: Interpolation) -> Frame:
    """Average squares of pixels, and enlarge the result to the same size."""
    height, width = frame.shape[:2]
    small = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
        max(2, width // edge), max(2, height // edge), "rgb24", interpolation=Interpolation.AREA
    )
    large = small.reformat(width, height, "rgb24", interpolation=enlarge)
    return np.asarray(large.to_ndarray(), np.uint8)


def _edge(frame: Frame, share: float) -> int:
    height, width, _ = frame.shape
    return max(2, int(min(height, width) * share))


# Blur and blocks hardly change a flat picture; noise changes every one.
DAMAGES: dict[str, Callable[[Frame, np.random.Generator], Frame]] = {
    "blocks": _blocks,
    "blur": _blur,
    "noise": _noise,
}
