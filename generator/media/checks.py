"""Check that a clip can be shown: it plays to the end, has moving content, and is audible."""

import numpy as np
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.buffers import each_frame
from generator.media.decode import read_audio, read_pictures
from generator.media.probe import probe
from generator.media.sound import SILENCE, root_mean_square
from generator.printable import pluralize
from generator.spec import AUDIO_RATE, TrackSettings

# In 8-bit levels. Encoded flat frames stay below the first, still clips below the second.
MIN_CONTRAST = 2.0
MIN_MOTION = 0.3
STRIDE = 4  # every fourth pixel in both directions is checked


def check_samples(raw: RawClip, shown: NDArray[np.uint8], track: TrackSettings) -> None:
    """Reject clips that must not be shown to voters.

    Args:
        raw: The clip as generated.
        shown: The frames (T, H, W, 3) that remain after fitting it to the track.
        track: The track.

    Raises:
        ClipError: All frames are of one colour, the frames never change, or the sound is silent.
    """
    frames = raw.frames[:, ::STRIDE, ::STRIDE]
    # `all` ends with the first frame that is good, so that most clips cost next to nothing.
    if all(float(frame.std(axis=(0, 1)).max()) < MIN_CONTRAST for frame in each_frame(frames)):
        content = "black" if float(frames.mean()) < 16 else "of one colour"
        raise ClipError(f"Every frame of the clip is {content}; check that the model works.")
    still = len(frames) > 1 and all(
        _change(frames[0], frame) < MIN_MOTION for frame in each_frame(frames[1:])
    )
    repeated = len(shown) > 1 and all(
        np.array_equal(shown[0], frame) for frame in each_frame(shown[1:])
    )
    if still or repeated:
        raise ClipError("The clip is frozen: all its frames are the same.")
    if track.audio and raw.audio is not None and root_mean_square(raw.audio) < SILENCE:
        raise ClipError(f"The clip is silent and the track {track.name} needs sound.")


def check_rendition(data: bytes, track: TrackSettings) -> None:
    """Decode a rendition completely and check its frames and sound.

    Raises:
        ClipError: It cannot be decoded, or its frames or sound do not match the track.
    """
    fps, frames = probe(data).fps, sum(1 for _ in read_pictures(data))
    if frames != track.frames or fps != track.fps:
        raise ClipError(
            f"The rendition has {pluralize(frames, 'frame')} at {float(fps):g}/s, not "
            f"{track.frames} at {float(track.fps):g}/s; report this clip."
        )
    audio, _, _ = read_audio(data)
    seconds = 0.0 if audio is None else audio.shape[1] / AUDIO_RATE
    if abs(seconds - (track.duration_s if track.audio else 0.0)) > 1 / float(track.fps):
        raise ClipError(
            f"The rendition has {seconds:.2f} s of sound for {track.duration_s:.2f} s of "
            "video; report this clip."
        )


def _change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())
