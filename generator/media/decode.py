"""The samples of a media file, opened as `probe` does: by its first bytes, within limits."""

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.probe import (
    DEFAULT_LIMITS,
    Limits,
    MediaInfo,
    decode_error,
    inspect,
    open_container,
    read_source,
)
from generator.media.sound import LAYOUTS
from generator.spec import TrackSettings

# Decode this much past the end of a track, to include the frame nearest to its last one.
MARGIN_S = 1.0


def decode(
    source: Path | bytes, *, limits: Limits = DEFAULT_LIMITS, until_s: float | None = None
) -> RawClip:
    """The samples of a file's first picture and sound; `original` holds the file as it came.

    Frames come at one rate: those of a file with a varying one are the nearest in time. Sound
    keeps its rate and starts with the picture. `until_s` leaves out what comes after it.

    Raises:
        ClipError: The file is no MP4, QuickTime or Matroska, exceeds a limit or does not decode.
    """
    name, data = read_source(source, limits)
    try:
        with open_container(name, data, limits) as container:
            info = inspect(name, container, data, limits, until_s=until_s)
            return _decode_streams(name, container, data, info, limits=limits, until_s=until_s)
    except FFmpegError as error:
        raise decode_error(name, error) from None


def decode_for_track(
    source: Path | bytes, track: TrackSettings, *, limits: Limits = DEFAULT_LIMITS
) -> RawClip:
    """Decode as much of a file as a clip of the track can need; see `decode`."""
    return decode(source, limits=limits, until_s=track.duration_s + MARGIN_S)


def _decode_streams(
    name: str,
    container: InputContainer,
    data: bytes,
    info: MediaInfo,
    *,
    limits: Limits,
    until_s: float | None,
) -> RawClip:
    video = container.streams.video[0]
    sound = container.streams.audio[0] if container.streams.audio else None
    for stream in (video, sound):
        if stream is not None:
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(limits.pixels)}
    most_frames = min(limits.frames, limits.decoded_bytes // (info.width * info.height * 3))
    pictures = _DecodedFrames(name, info, most_frames)
    heard = _DecodedSound(name, most_samples=int(limits.seconds * limits.sample_rate))
    waiting = {stream.index for stream in (video, sound) if stream is not None}
    for packet in container.demux([stream for stream in (video, sound) if stream is not None]):
        for frame in packet.decode():
            if not isinstance(frame, av.VideoFrame | av.AudioFrame):
                continue
            time = pictures.next_time if frame.time is None else frame.time
            if until_s is not None and time > until_s:
                waiting.discard(packet.stream.index)
            elif isinstance(frame, av.VideoFrame):
                pictures.add(frame, time)
            else:
                heard.add(frame, time)
        if not waiting:
            break
    frames, start_s = pictures.at_constant_rate()
    audio, sample_rate = heard.from_time(start_s)
    suffix = ".mkv" if info.demuxer.startswith("matroska") else ".mp4"
    return RawClip(frames, info.fps, audio, sample_rate, original=data, original_suffix=suffix)


@dataclass
class _DecodedFrames:
    """Decoded pictures with their times."""

    name: str
    info: MediaInfo
    most: int
    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def next_time(self) -> float:
        return len(self.times) / float(self.info.fps)

    def add(self, frame: av.VideoFrame, time: float) -> None:
        if frame.is_corrupt:
            raise ClipError(f"{self.name} is damaged at {time:.2f} s; encode it again.")
        if len(self.frames) >= self.most:
            raise ClipError(
                f"{self.name} has more than {self.most} frames of {frame.width}x{frame.height}; "
                "cut it or scale it down."
            )
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            raise ClipError(f"{self.name} changes its size at {time:.2f} s; encode it again.")
        self.frames.append(_rgb_pixels(frame))
        self.times.append(time)

    def at_constant_rate(self) -> tuple[NDArray[np.uint8], float]:
        """Frames (T, H, W, 3) at the file's mean rate, and the time of the first in seconds."""
        if not self.frames:
            raise ClipError(f"{self.name} has no frame that decodes; encode it again as MP4.")
        times = np.array(self.times) - self.times[0]
        period = 1 / float(self.info.fps)
        count = round(times[-1] / period) + 1
        if count > self.most:
            raise ClipError(
                f"{self.name} has {float(self.info.fps):g} frames a second, more than {self.most} "
                "in all; encode it again at a lower rate."
            )
        grid = np.arange(count) * period
        if len(grid) == len(times) and np.abs(times - grid).max() <= period / 2:
            return np.stack(self.frames), self.times[0]
        later = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
        earlier_is_nearer = grid - times[later - 1] <= times[later % len(times)] - grid
        return np.stack([self.frames[i] for i in later - earlier_is_nearer]), self.times[0]


def _rgb_pixels(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """A decoded picture as (H, W, 3)."""
    pixels = frame.reformat(format="rgb24", threads=1).to_ndarray()
    return pixels.astype(np.uint8, copy=False)


@dataclass
class _DecodedSound:
    """Decoded sound as it comes, in one layout."""

    name: str
    most_samples: int
    parts: list[NDArray[np.float32]] = field(default_factory=list)
    start_s: float = 0.0
    sample_rate: int | None = None
    resampler: av.AudioResampler | None = None

    def add(self, frame: av.AudioFrame, time: float) -> None:
        if self.resampler is None:
            layout = frame.layout.name if frame.layout.nb_channels in LAYOUTS else "stereo"
            self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=frame.sample_rate)
            self.start_s, self.sample_rate = time, frame.sample_rate
        self._take(self.resampler.resample(frame))

    def from_time(self, start_s: float) -> tuple[NDArray[np.float32] | None, int | None]:
        """Samples (channels, N) from a time on, in seconds, with silence before the first."""
        if self.resampler is None or self.sample_rate is None:
            return None, None
        self._take(self.resampler.resample(None))
        if not self.parts:
            return None, None
        audio = np.concatenate(self.parts, axis=1)
        late = round((self.start_s - start_s) * self.sample_rate)
        if late > self.most_samples:
            raise ClipError(f"{self.name} has sound that starts long after its picture; cut it.")
        audio = np.pad(audio, ((0, 0), (late, 0))) if late > 0 else audio[:, -late:]
        return audio, self.sample_rate

    def _take(self, parts: list[av.AudioFrame]) -> None:
        self.parts += [part.to_ndarray().astype(np.float32) for part in parts]
        if sum(part.shape[1] for part in self.parts) > self.most_samples:
            raise ClipError(f"{self.name} has more sound than picture; cut it.")
