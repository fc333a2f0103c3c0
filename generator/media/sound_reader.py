"""Decode the sound of an untrusted file, in step with its pictures."""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.media.probe import Limits
from generator.media.sound import LAYOUTS, SILENCE, root_mean_square

# Times in containers jitter by a millisecond or two; more than this is a gap.
MAX_JITTER_S = 0.03
KNOWN_LAYOUTS = frozenset({"mono", "stereo", "5.1", "5.1(side)", "7.1"})


@dataclass
class SoundReader:
    """Collects the sound between two times of a file, each frame at its own time.

    Attributes:
        name: The file's name in error messages.
        start: Time in the file at which the first picture is shown, in seconds.
        seconds: Length of the sound that is kept.
        max_bytes: Limit of the samples in memory.
        notes: What was changed, for the provenance.
    """

    name: str
    start: float
    seconds: float
    max_bytes: int
    rate: int = 0
    notes: list[str] = field(default_factory=list)
    _parts: list[NDArray[np.float32]] = field(default_factory=list)
    _position: int = 0  # samples so far
    _resampler: av.AudioResampler | None = None
    _form: tuple[int, int] | None = None
    _dropped_s: float = 0.0
    _following: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether everything that is wanted has been read."""
        return self.rate > 0 and self._position >= self._wanted

    @property
    def _wanted(self) -> int:
        return round(self.seconds * self.rate)

    def add(self, frame: av.AudioFrame, tick: Fraction) -> None:
        """Put a decoded frame at its time."""
        form = frame.sample_rate, frame.layout.nb_channels
        self._resampler = resampler = self._resampler or self._start(frame)
        self._form = self._form or form
        if form != self._form:
            raise ClipError(f"{self.name} changes the format of its sound; encode it again.")
        samples = [part.to_ndarray() for part in resampler.resample(frame)]
        time = self._following if frame.pts is None else float(frame.pts * tick)
        self._following = time + frame.samples / frame.sample_rate
        for part in samples:
            self._place(part.astype(np.float32, copy=False), time)

    def result(self) -> NDArray[np.float32] | None:
        """Return the samples (channels, N); None if there are none."""
        if not self._parts:
            return None
        if self._dropped_s > MAX_JITTER_S:
            self.notes.append(f"cut {self._dropped_s:.3f} s of sound before the first frame")
        audio = np.concatenate(self._parts, axis=1)
        return np.ascontiguousarray(audio[:, : self._wanted])

    def _start(self, frame: av.AudioFrame) -> av.AudioResampler:
        self.rate = frame.sample_rate
        channels, layout = frame.layout.nb_channels, frame.layout.name
        if layout == f"{channels} channels":  # not said: the usual order of that many
            layout = LAYOUTS.get(channels, layout)
        if layout not in KNOWN_LAYOUTS:
            # Not a known arrangement of loudspeakers: FFmpeg mixes what it can.
            self.notes.append(f"mixed {channels} channels ({layout}) to stereo")
            layout = "stereo"
        layout = LAYOUTS[6] if layout == "5.1(side)" else layout
        return av.AudioResampler(format="fltp", layout=layout, rate=self.rate)

    def _place(self, samples: NDArray[np.float32], time: float) -> None:
        offset = round((time - self.start) * self.rate) - self._position
        if self._position == 0 and offset < 0:
            self._dropped_s += min(-offset, samples.shape[1]) / self.rate
            samples = samples[:, -offset:]
        elif offset > (0 if self._position == 0 else MAX_JITTER_S * self.rate):
            what = "delayed the sound by" if self._position == 0 else "filled a gap in the sound of"
            silence = min(offset, self._wanted - self._position)
            if silence > MAX_JITTER_S * self.rate:
                self.notes.append(f"{what} {silence / self.rate:.3f} s")
            self._append(np.zeros((len(samples), silence), np.float32))
        elif offset < -MAX_JITTER_S * self.rate:
            samples = samples[:, -offset:]
        if samples.shape[1]:
            self._append(samples)

    def _append(self, samples: NDArray[np.float32]) -> None:
        self._position += samples.shape[1]
        if self._position * len(samples) * 4 > self.max_bytes:
            raise ClipError(
                f"{self.name} has more than {self.max_bytes // (4 * len(samples))} audio samples "
                "of each channel; cut it."
            )
        self._parts.append(samples)


def read_sound(
    name: str,
    container: InputContainer,
    stream: AudioStream,
    *,
    start: float,
    seconds: float,
    limits: Limits,
) -> SoundReader:
    """Read the sound of a stream from the time `start` of the file on, at its own rate.

    Raises:
        ClipError: The sound is damaged or too long.
    """
    reader = SoundReader(name, start, seconds, limits.sound_bytes)
    stream.codec_context.thread_count = 1
    tick = stream.time_base or Fraction(1, av.time_base)
    for count, packet in enumerate(container.demux()):
        if count > limits.packets:
            raise ClipError(f"{name} has more than {limits.packets} packets; encode it again.")
        if packet.stream.index != stream.index:  # (`stream_index` is 0 in the last packets)
            continue
        for frame in packet.decode():
            if isinstance(frame, av.AudioFrame):
                reader.add(frame, tick)
        if reader.is_full:
            break
    return reader


def is_silent(audio: NDArray[np.float32] | None) -> bool:
    """Whether samples (channels, N) cannot be heard."""
    return audio is None or audio.size == 0 or root_mean_square(audio) < SILENCE
