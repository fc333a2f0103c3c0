"""Resample sound and normalize its loudness (EBU R 128) with FFmpeg's filters."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.error import BlockingIOError as FilterIsEmpty
from av.error import EOFError as FilterIsDone
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.spec import AUDIO_RATE

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # FFmpeg's names by channel count

TARGET_LUFS = -23.0  # EBU R 128, as is the ceiling
CEILING_DBTP = -1.0
# Quieter sound is a noise floor, which a gain of 37 dB or more would make audible.
SILENCE_LUFS = -60.0
SILENCE = 1e-4  # root mean square, 80 dB below full scale
# Limiting a transient by more changes how it sounds; the clip stays quieter instead.
MAX_LIMITING_DB = 12.0
PASSES = 5  # each pass corrects the loudness lost by limiter and codec; 2 or 3 are enough
TOLERANCE_LU = 0.1

Sound = NDArray[np.float32]  # (channels, N)


def to_stereo_48k(audio: Sound, *, sample_rate: int) -> Sound:
    """Convert sound to (2, N) float32 at 48 kHz.

    Raises:
        ClipError: A sample is NaN or infinite, or the number of channels is not supported.
    """
    channels = audio.shape[0]
    if channels not in LAYOUTS:
        known = ", ".join(str(count) for count in LAYOUTS)
        raise ClipError(f"The sound has {channels} channels; supported are {known}.")
    if not np.isfinite(audio).all():
        raise ClipError("The sound contains NaN or infinity; generate it again.")
    if channels == 2 and sample_rate == AUDIO_RATE:
        return np.ascontiguousarray(audio, dtype=np.float32)
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=AUDIO_RATE)
    frame = sound_frame(audio, sample_rate=sample_rate)
    parts = [part for each in (frame, None) for part in resampler.resample(each)]
    if not parts:
        return np.zeros((2, 0), np.float32)
    return np.concatenate([part.to_ndarray() for part in parts], axis=1).astype(np.float32)


def measure_loudness(audio: Sound) -> tuple[float, float]:
    """Return integrated loudness in LUFS and true peak in dBTP of (2, N) samples at 48 kHz.

    Less than 400 ms cannot be measured and returns -70 LUFS, the gate of the standard.
    """
    integrated, peak = "-70.0", "0.0"
    for frame in _filtered(audio, ("ebur128", "metadata=1:peak=true")):
        integrated = frame.metadata.get("lavfi.r128.I", integrated)
        peak = frame.metadata.get("lavfi.r128.true_peak", peak)
    amplitude = float(peak)
    return float(integrated), 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def normalize_loudness(
    audio: Sound, *, codec: Callable[[Sound], Sound] = lambda audio: audio
) -> tuple[Sound, tuple[str, ...]]:
    """Normalize (2, N) samples at 48 kHz to -23 LUFS and at most -1 dBTP after the codec.

    Gain alone is used if the peaks allow it, else a limiter. If that would reduce peaks by more
    than `MAX_LIMITING_DB`, the sound stays quieter than the target. Silence is not changed.

    Args:
        audio: The samples.
        codec: Encodes and decodes sound, because a codec changes loudness and peaks.

    Returns:
        The samples, and descriptions of the changes for the provenance.
    """
    loudness, peak = measure_loudness(audio)
    if loudness < SILENCE_LUFS:
        return audio, ("left silent sound as it is",)
    max_gain = CEILING_DBTP + MAX_LIMITING_DB - peak
    gain, ceiling = min(TARGET_LUFS - loudness, max_gain), CEILING_DBTP
    for _ in range(PASSES):
        adjusted = audio * np.float32(10 ** (gain / 20))
        limited = peak + gain > ceiling
        if limited:
            adjusted = _limit(adjusted, ceiling)
        decoded_loudness, decoded_peak = measure_loudness(codec(adjusted))
        missing = TARGET_LUFS - decoded_loudness
        excess = decoded_peak - CEILING_DBTP
        if excess <= 0 and (abs(missing) <= TOLERANCE_LU or (gain == max_gain and missing > 0)):
            break
        gain = min(gain + missing, max_gain)
        ceiling -= max(0.0, excess)
    suffix = " and limited its peaks" if limited else ""
    return adjusted, (f"changed the sound's loudness by {gain:+.1f} dB{suffix}",)


def _limit(audio: Sound, ceiling_dbtp: float) -> Sound:
    limit = 10 ** (ceiling_dbtp / 20)
    # Oversampling by four approximates true peaks. The fast release keeps the level of the sound
    # that follows a short transient.
    chain = (
        ("aresample", str(4 * AUDIO_RATE)),
        ("alimiter", f"limit={limit:.6f}:level=false:latency=true:attack=1:release=10"),
        ("aresample", str(AUDIO_RATE)),
        ("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
    )
    parts = [frame.to_ndarray() for frame in _filtered(audio, *chain)]
    return np.concatenate(parts, axis=1)[:, : audio.shape[1]].astype(np.float32)


def _filtered(audio: Sound, *filters: tuple[str, str]) -> Iterator[av.AudioFrame]:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_abuffer(sample_rate=AUDIO_RATE, format="fltp", layout="stereo")
    steps = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(source, *steps, graph.add("abuffersink")).configure()
    graph.push(sound_frame(audio, sample_rate=AUDIO_RATE))
    graph.push(None)
    while True:
        try:
            frame = graph.pull()
        except (FilterIsEmpty, FilterIsDone):
            return
        if isinstance(frame, av.AudioFrame):
            yield frame


def root_mean_square(audio: Sound) -> float:
    """Return the root mean square of samples (channels, N), full scale 1."""
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def sound_frame(audio: Sound, *, sample_rate: int) -> av.AudioFrame:
    """Wrap samples in one frame that starts at time 0."""
    samples = np.ascontiguousarray(audio, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[len(samples)])
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = 0
    return frame
