"""Whether a clip can be shown: it plays to its end, shows something that moves, and is heard."""

import numpy as np
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media import decode
from generator.spec import AUDIO_RATE, TrackSettings

# In levels of 255. A coded flat picture stays under the first, a still one under the second.
MIN_CONTRAST = 2.0
MIN_MOTION = 0.3
SILENCE = 1e-4  # root mean square, 80 dB under full scale
EVERY = 4  # pixels, either way, are looked at


def check_samples(raw: RawClip, shown: NDArray[np.uint8], track: TrackSettings) -> None:
    """Refuse what no voter should be shown, from the samples as the model made them.

    `shown` are the frames that the clip is left with (T, H, W, 3): of a slow or long one only some.

    Raises:
        ClipError: The pictures are of one colour each, never change, or the sound is silent.
    """
    frames = raw.frames[:, ::EVERY, ::EVERY]
    if max(float(frame.std(axis=(0, 1)).max()) for frame in frames) < MIN_CONTRAST:
        level = "black" if float(frames.mean()) < 16 else "of one colour"
        raise ClipError(f"Every picture of the clip is {level}; see whether the model runs.")
    still = len(frames) > 1 and max(_change(frames[0], frame) for frame in frames[1:]) < MIN_MOTION
    repeated = len(shown) > 1 and all(np.array_equal(shown[0], frame) for frame in shown[1:])
    if still or repeated:
        raise ClipError("The clip is frozen: its pictures are all the same.")
    if track.audio and raw.audio is not None and _rms(raw.audio) < SILENCE:
        raise ClipError(f"The clip is silent, and the track {track.name} is heard.")


def check_rendition(data: bytes, track: TrackSettings) -> None:
    """Play a finished file to its end, as a browser will.

    Raises:
        ClipError: It does not decode, or has not the track's frames or sound.
    """
    played = decode(data)
    if len(played.frames) != track.frames or played.fps != track.fps:
        raise ClipError(
            f"The finished file has {len(played.frames)} frames at {float(played.fps):g}/s, not "
            f"{track.frames} at {float(track.fps):g}/s; report this clip."
        )
    seconds = 0.0 if played.audio is None else played.audio.shape[1] / AUDIO_RATE
    if abs(seconds - (track.duration_s if track.audio else 0.0)) > 1 / float(track.fps):
        raise ClipError(
            f"The finished file has {seconds:.2f} s of sound for {track.duration_s:.2f} s of "
            "pictures; report this clip."
        )


def _change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def _rms(audio: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
