"""Sound through FFmpeg's filters: one rate and layout, one loudness (EBU R 128)."""

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

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by channel count, in FFmpeg's words

TARGET_LUFS = -23.0  # EBU R 128, as is the ceiling
CEILING_DBTP = -1.0
# Quieter than this is silence with a noise floor: raising it 37 dB and more would be our sound.
SILENCE_LUFS = -60.0
# A limiter that takes more than this off a hit changes how the hit sounds: stay quieter instead.
MAX_LIMITING_DB = 12.0
PASSES = 5  # limiter and codec cost loudness, which the next pass gives back; 2 or 3 are enough
TOLERANCE_LU = 0.1

Sound = NDArray[np.float32]  # (channels, N)


def to_stereo_48k(audio: Sound, *, sample_rate: int) -> Sound:
    """The same sound as (2, N) float32 at 48 kHz.

    Raises:
        ClipError: The samples are not finite numbers, or so many channels have no known layout.
    """
    channels = audio.shape[0]
    if channels not in LAYOUTS:
        known = ", ".join(str(count) for count in LAYOUTS)
        raise ClipError(f"The sound has {channels} channels; give it {known} of them.")
    if not np.isfinite(audio).all():
        raise ClipError("The sound has samples that are not finite numbers; generate it again.")
    if channels == 2 and sample_rate == AUDIO_RATE:
        return np.ascontiguousarray(audio, dtype=np.float32)
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=AUDIO_RATE)
    frame = sound_frame(audio, sample_rate=sample_rate)
    parts = [part for given in (frame, None) for part in resampler.resample(given)]
    if not parts:
        return np.zeros((2, 0), np.float32)
    return np.concatenate([part.to_ndarray() for part in parts], axis=1).astype(np.float32)


def measure_loudness(audio: Sound) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP of (2, N) samples at 48 kHz.

    Less than 400 ms cannot be measured and counts as -70 LUFS, the gate of the standard.
    """
    integrated, peak = "-70.0", "0.0"
    for frame in _filtered(audio, ("ebur128", "metadata=1:peak=true")):
        integrated = frame.metadata.get("lavfi.r128.I", integrated)
        peak = frame.metadata.get("lavfi.r128.true_peak", peak)
    amplitude = float(peak)
    return float(integrated), 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def normalize_loudness(
    audio: Sound, *, heard: Callable[[Sound], Sound] = lambda audio: audio
) -> tuple[Sound, tuple[str, ...]]:
    """(2, N) samples at 48 kHz that are heard at -23 LUFS and at most -1 dBTP, and what was done.

    `heard` gives what listeners get of a sound, since a codec changes loudness and peaks. Silence
    stays as it is. Gain alone where peaks allow it, else a limiter; where that would take more
    than `MAX_LIMITING_DB` off the peaks, the sound stays quieter than the target.
    """
    loudness, peak = measure_loudness(audio)
    if loudness < SILENCE_LUFS:
        return audio, ("left silent sound as it is",)
    most_gain = CEILING_DBTP + MAX_LIMITING_DB - peak
    gain, ceiling = min(TARGET_LUFS - loudness, most_gain), CEILING_DBTP
    for _ in range(PASSES):
        louder = audio * np.float32(10 ** (gain / 20))
        limits = peak + gain > ceiling
        if limits:
            louder = _limit(louder, ceiling)
        heard_loudness, heard_peak = measure_loudness(heard(louder))
        missing = TARGET_LUFS - heard_loudness
        excess = heard_peak - CEILING_DBTP
        if excess <= 0 and (abs(missing) <= TOLERANCE_LU or (gain == most_gain and missing > 0)):
            break
        gain = min(gain + missing, most_gain)
        ceiling -= max(0.0, excess)
    how = " and limited its peaks" if limits else ""
    return louder, (f"changed the sound's loudness by {gain:+.1f} dB{how}",)


def _limit(audio: Sound, ceiling_dbtp: float) -> Sound:
    limit = 10 ** (ceiling_dbtp / 20)
    # At four times the rate the samples come close to the true peaks between them. The fast
    # release lets the body of a short hit keep its level.
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


def sound_frame(audio: Sound, *, sample_rate: int) -> av.AudioFrame:
    """All samples as one frame that starts at 0."""
    samples = np.ascontiguousarray(audio, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[len(samples)])
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = 0
    return frame
