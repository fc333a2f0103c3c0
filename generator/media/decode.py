"""Decode an untrusted media file to raw samples, within the limits of `probe`."""

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
    """Decode the first video and audio stream of a file; `original` of the result is the file.

    A variable frame rate is converted to a constant one by taking the nearest frames. Sound keeps
    its sample rate and starts with the first frame.

    Args:
        source: A path or the bytes of a file.
        limits: Limits above which the file is rejected.
        until_s: Stop decoding at this time, in seconds.

    Raises:
        ClipError: The file is not MP4, QuickTime or Matroska, exceeds a limit, or is damaged.
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
    max_frames = min(limits.frames, limits.decoded_bytes // (info.width * info.height * 3))
    decoded_frames = _DecodedFrames(name, info, max_frames)
    decoded_sound = _DecodedSound(name, max_samples=int(limits.seconds * limits.sample_rate))
    unfinished = {stream.index for stream in (video, sound) if stream is not None}
    for packet in container.demux([stream for stream in (video, sound) if stream is not None]):
        for frame in packet.decode():
            if not isinstance(frame, av.VideoFrame | av.AudioFrame):
                continue
            time = decoded_frames.next_time if frame.time is None else frame.time
            if until_s is not None and time > until_s:
                unfinished.discard(packet.stream.index)
            elif isinstance(frame, av.VideoFrame):
                decoded_frames.add(frame, time)
            else:
                decoded_sound.add(frame, time)
        if not unfinished:
            break
    frames, start_s = decoded_frames.at_constant_rate()
    audio, sample_rate = decoded_sound.from_time(start_s)
    suffix = ".mkv" if info.demuxer.startswith("matroska") else ".mp4"
    return RawClip(frames, info.fps, audio, sample_rate, original=data, original_suffix=suffix)


@dataclass
class _DecodedFrames:
    """Decoded frames and their timestamps in seconds."""

    name: str
    info: MediaInfo
    max_frames: int
    frames: list[NDArray[np.uint8]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def next_time(self) -> float:
        return len(self.times) / float(self.info.fps)

    def add(self, frame: av.VideoFrame, time: float) -> None:
        if frame.is_corrupt:
            raise ClipError(f"{self.name} is damaged at {time:.2f} s; encode it again.")
        if len(self.frames) >= self.max_frames:
            raise ClipError(
                f"{self.name} has more than {self.max_frames} frames of "
                f"{frame.width}x{frame.height}; cut it or scale it down."
            )
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            raise ClipError(f"{self.name} changes its frame size at {time:.2f} s; encode it again.")
        self.frames.append(_rgb_pixels(frame))
        self.times.append(time)

    def at_constant_rate(self) -> tuple[NDArray[np.uint8], float]:
        """Return frames (T, H, W, 3) at the file's mean rate, and the start time in seconds."""
        if not self.frames:
            raise ClipError(f"{self.name} has no decodable frames; encode it again as MP4.")
        times = np.array(self.times) - self.times[0]
        period = 1 / float(self.info.fps)
        count = round(times[-1] / period) + 1
        if count > self.max_frames:
            raise ClipError(
                f"{self.name} has {float(self.info.fps):g} frames per second, more than "
                f"{self.max_frames} in total; encode it again at a lower rate."
            )
        grid = np.arange(count) * period
        if len(grid) == len(times) and np.abs(times - grid).max() <= period / 2:
            return np.stack(self.frames), self.times[0]
        later = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
        earlier_is_nearer = grid - times[later - 1] <= times[later % len(times)] - grid
        return np.stack([self.frames[i] for i in later - earlier_is_nearer]), self.times[0]


def _rgb_pixels(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Convert a decoded frame to (H, W, 3)."""
    pixels = frame.reformat(format="rgb24", threads=1).to_ndarray()
    return pixels.astype(np.uint8, copy=False)


@dataclass
class _DecodedSound:
    """Decoded sound, converted to one channel layout."""

    name: str
    max_samples: int
    parts: list[NDArray[np.float32]] = field(default_factory=list)
    start_s: float = 0.0
    sample_rate: int | None = None
    resampler: av.AudioResampler | None = None

    def add(self, frame: av.AudioFrame, time: float) -> None:
        if self.resampler is None:
            layout = frame.layout.name if frame.layout.nb_channels in LAYOUTS else "stereo"
            self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=frame.sample_rate)
            self.start_s, self.sample_rate = time, frame.sample_rate
        self._append(self.resampler.resample(frame))

    def from_time(self, start_s: float) -> tuple[NDArray[np.float32] | None, int | None]:
        """Return samples (channels, N) from a time in seconds on, padded with silence, and rate."""
        if self.resampler is None or self.sample_rate is None:
            return None, None
        self._append(self.resampler.resample(None))
        if not self.parts:
            return None, None
        audio = np.concatenate(self.parts, axis=1)
        delay = round((self.start_s - start_s) * self.sample_rate)
        if delay > self.max_samples:
            raise ClipError(f"{self.name} has sound that starts long after the video; cut it.")
        audio = np.pad(audio, ((0, 0), (delay, 0))) if delay > 0 else audio[:, -delay:]
        return audio, self.sample_rate

    def _append(self, parts: list[av.AudioFrame]) -> None:
        self.parts += [part.to_ndarray().astype(np.float32) for part in parts]
        if sum(part.shape[1] for part in self.parts) > self.max_samples:
            raise ClipError(f"{self.name} has more than {self.max_samples} audio samples; cut it.")
