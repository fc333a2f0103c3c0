"""Convert a raw clip to a track's size, frame rate, length and sound, recording every change."""

import math
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.buffers import allocate_frames, each_frame
from generator.media.sound import to_stereo_48k
from generator.media.timing import sample
from generator.printable import pluralize
from generator.spec import AUDIO_RATE, TrackSettings

OVER_FULL_SCALE = 1.01  # codecs exceed 1 by less
MENTIONED_S = 0.1  # a codec's padding and the decoder's margin are shorter


def fit_to_track(raw: RawClip, track: TrackSettings) -> tuple[RawClip, tuple[str, ...]]:
    """Convert a clip to a track's format.

    Frames are the nearest in time, scaled with the aspect ratio kept and letterboxed. Sound becomes
    48 kHz stereo of the video's length. Loudness is normalized by `encode`, not here.

    Returns:
        The clip, and descriptions of the changes for the provenance.

    Raises:
        ClipError: The clip is shorter than the track, or lacks the sound that the track needs.
    """
    _check_frames(raw.frames)
    frames, time_changes = _fit_time(raw, track)
    frames, size_changes = _fit_size(frames, track)
    audio, sound_changes = _fit_sound(raw, track)
    fitted = replace(
        raw,
        frames=frames,
        fps=track.fps,
        audio=audio,
        sample_rate=None if audio is None else AUDIO_RATE,
        times=None,
        end_s=None,
        adapted=(),
    )
    return fitted, (*raw.adapted, *time_changes, *size_changes, *sound_changes)


def needed_frames(track: TrackSettings, *, fps: Fraction) -> int:
    """Number of frames at `fps` that cover the track's duration."""
    return math.ceil(track.frames / track.fps * fps)


def _check_frames(frames: NDArray[np.uint8]) -> None:
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ClipError(
            f"The frames are {frames.dtype} of shape {frames.shape}; "
            "a backend must return uint8 of shape (frames, height, width, 3)."
        )


def _fit_time(raw: RawClip, track: TrackSettings) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    frames, fps = raw.frames, raw.fps
    if raw.times is not None and raw.end_s is not None:
        return _sample_times(raw, raw.times, raw.end_s, track)
    if len(frames) < needed_frames(track, fps=fps):
        raise _too_short(float(len(frames) / fps), raw, track)
    # Round half up to the later frame, and clamp to the last one.
    nearest = (int(i * fps / track.fps + Fraction(1, 2)) for i in range(track.frames))
    indices = [min(index, len(frames) - 1) for index in nearest]
    changes: list[str] = []
    if fps != track.fps:
        changes.append(f"changed {float(fps):g} to {float(track.fps):g} frames/s by nearest frame")
    if indices[-1] + 1 < len(frames):
        changes.append(f"cut {len(frames)} to {indices[-1] + 1} frames")
    if indices == list(range(len(indices))):
        return frames[: len(indices)], tuple(changes)  # not copied
    return frames[indices], tuple(changes)


def _sample_times(
    raw: RawClip, times: tuple[float, ...], end_s: float, track: TrackSettings
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    indices, even = sample(times, end_s, fps=track.fps, count=track.frames)
    if len(indices) < track.frames:
        raise _too_short(end_s, raw, track)
    rates = f"(mean {float(raw.fps):.4g}/s) at {float(track.fps):g} frames/s"
    changes = [] if even else [f"sampled frames at uneven times {rates}"]
    if indices[-1] + 1 < len(times):
        changes.append(f"cut {len(times)} to {indices[-1] + 1} frames")
    return raw.frames[indices], tuple(changes)


def _too_short(seconds: float, raw: RawClip, track: TrackSettings) -> ClipError:
    return ClipError(
        f"The clip lasts {seconds:.2f} s, {pluralize(len(raw.frames), 'frame')} at "
        f"{float(raw.fps):.4g}/s, and the track {track.name} needs {track.duration_s:.2f} s; "
        "generate longer clips."
    )


def _fit_size(
    frames: NDArray[np.uint8], track: TrackSettings
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    height, width = frames.shape[1:3]
    if (width, height) == (track.width, track.height):
        return np.ascontiguousarray(frames), ()
    scale = min(Fraction(track.width, width), Fraction(track.height, height))
    inner_width = min(track.width, max(1, round(width * scale)))
    inner_height = min(track.height, max(1, round(height * scale)))
    changes: list[str] = []
    if (inner_width, inner_height) != (width, height):
        changes.append(f"scaled {width}x{height} to {inner_width}x{inner_height}")
    if (inner_width, inner_height) != (track.width, track.height):
        changes.append(f"letterboxed to {track.width}x{track.height}")
    fitted = allocate_frames((len(frames), track.height, track.width, 3))
    top, left = (track.height - inner_height) // 2, (track.width - inner_width) // 2
    # Area averaging avoids flicker of small details in downscaling; Lanczos keeps edges sharp.
    interpolation = Interpolation.AREA if scale < 1 else Interpolation.LANCZOS
    for target, frame in zip(each_frame(fitted), each_frame(frames), strict=True):
        scaled = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
            inner_width, inner_height, "rgb24", interpolation=interpolation
        )
        target[top : top + inner_height, left : left + inner_width] = scaled.to_ndarray()
    return fitted, tuple(changes)


def _fit_sound(
    raw: RawClip, track: TrackSettings
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    has_sound = raw.audio is not None and raw.audio.size > 0
    if not track.audio:
        return None, ("dropped the sound",) if has_sound else ()
    if raw.audio is None or raw.sample_rate is None or not has_sound:
        raise ClipError(
            f"The clip has no sound and the track {track.name} needs sound; use a track without "
            "sound, or generate clips with sound."
        )
    audio = to_stereo_48k(raw.audio, sample_rate=raw.sample_rate)
    changes: list[str] = []
    peak = float(np.abs(raw.audio).max())
    if np.isfinite(peak) and peak > OVER_FULL_SCALE:
        changes.append(f"the sound's peaks are {20 * math.log10(peak):.1f} dB over full scale")
    if raw.sample_rate != AUDIO_RATE:
        changes.append(f"resampled {raw.sample_rate} to {AUDIO_RATE} Hz")
    if raw.audio.shape[0] != 2:
        changes.append(f"mixed {raw.audio.shape[0]} channels to stereo")
    missing = track.audio_samples - audio.shape[1]
    if missing > 0:
        audio = np.pad(audio, ((0, 0), (0, missing)))
        changes.append(f"padded the sound with {missing / AUDIO_RATE:.3f} s of silence")
    elif missing < 0:
        audio = audio[:, : track.audio_samples]
        if -missing > MENTIONED_S * AUDIO_RATE:
            changes.append(f"cut {-missing / AUDIO_RATE:.3f} s of sound")
    return np.ascontiguousarray(audio), tuple(changes)
