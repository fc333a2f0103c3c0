"""What a media file says of itself, without trusting it.

The demuxer follows from the first bytes and is forced, the data is read from memory and limits are
checked before anything is decoded: a playlist named .mp4 opens no other file, a small file that
declares hours or huge pictures is refused. Not covered: a fault in the decoder itself.
"""

import stat
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from generator.errors import ClipError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What a file may hold before it is refused."""

    file_bytes: int = 512 * MEBIBYTE
    streams: int = 8  # cameras add time codes and positions to picture and sound
    pixels: int = 4096 * 2304
    seconds: float = 120.0
    frames: int = 7_200
    decoded_bytes: int = 4096 * MEBIBYTE  # 4K at 24 frames/s for 7 seconds
    sample_rate: int = 192_000


@dataclass(frozen=True)
class MediaInfo:
    """What the headers of a media file say."""

    demuxer: str
    file_bytes: int
    width: int
    height: int
    fps: Fraction
    frames: int
    duration_s: float
    video_codec: str
    audio_codec: str | None
    sample_rate: int | None
    channels: int | None


DEFAULT_LIMITS = Limits()


def probe(source: Path | bytes, *, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """What a file's headers say, if they stay within the limits; nothing is decoded.

    Raises:
        ClipError: The file is no MP4, QuickTime or Matroska, has no picture or exceeds a limit.
    """
    name, data = read_source(source, limits)
    try:
        with open_container(name, data, limits) as container:
            return inspect(name, container, data, limits)
    except FFmpegError as error:
        raise decode_error(name, error) from None


def read_source(source: Path | bytes, limits: Limits) -> tuple[str, bytes]:
    """What to call a source in messages, and its bytes."""
    if isinstance(source, bytes):
        name, size = "The file", len(source)
    else:
        name = str(source)
        try:
            told = source.stat()
        except OSError as error:
            raise ClipError(f"{name} cannot be read: {error.strerror}.") from None
        if not stat.S_ISREG(told.st_mode):
            raise ClipError(f"{name} is no file; give a video file.")
        size = told.st_size
    if size > limits.file_bytes:
        raise ClipError(
            f"{name} has {size // MEBIBYTE} MiB; make it {limits.file_bytes // MEBIBYTE} or less."
        )
    if isinstance(source, bytes):
        return name, source
    try:
        return name, source.read_bytes()
    except OSError as error:
        raise ClipError(f"{name} cannot be read: {error.strerror}.") from None


def _demuxer(name: str, data: bytes) -> str:
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return "mov"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    raise ClipError(f"{name} is no MP4, QuickTime or Matroska file; convert it to MP4.")


def open_container(name: str, data: bytes, limits: Limits) -> InputContainer:
    """The file, opened by the demuxer that its first bytes call for."""
    # The limit on pixels also holds while FFmpeg looks into the streams to tell their codecs.
    # (PyAV takes a list of dictionaries, though its stubs say strings.)
    stream_options: Any = [{"max_pixels": str(limits.pixels)}] * (limits.streams + 1)
    try:
        return av.open(
            BytesIO(data),
            mode="r",
            format=_demuxer(name, data),
            stream_options=stream_options,
        )
    except FFmpegError:
        raise
    except ValueError:  # PyAV's word for a file whose headers list no stream
        raise ClipError(f"{name} has no picture; give a video file.") from None


def inspect(
    name: str,
    container: InputContainer,
    data: bytes,
    limits: Limits,
    *,
    until_s: float | None = None,
) -> MediaInfo:
    """The headers of an open file, within the limits; with `until_s` it may last longer."""
    if len(container.streams) > limits.streams:
        raise ClipError(
            f"{name} has {len(container.streams)} streams; keep one picture and one sound."
        )
    if not container.streams.video:
        raise ClipError(f"{name} has no picture; give a video file.")
    video = container.streams.video[0]
    audio = container.streams.audio[0] if container.streams.audio else None
    if any(stream is not None and stream.codec_context is None for stream in (video, audio)):
        raise ClipError(f"{name} is coded in a way that is not known here; encode it again as MP4.")
    width, height = video.codec_context.width, video.codec_context.height
    if width < 1 or height < 1:
        raise ClipError(f"{name} does not say how large its picture is; encode it again.")
    if width * height > limits.pixels:
        raise ClipError(
            f"{name} has pictures of {width}x{height}; scale it to {limits.pixels} pixels or less."
        )
    fps = video.average_rate or video.guessed_rate
    if not fps or fps <= 0:
        raise ClipError(f"{name} does not say how many frames it has a second; encode it again.")
    seconds = _duration_s(container, video)
    frames = max(video.frames, round(seconds * float(fps)))
    if until_s is None and (seconds > limits.seconds or frames > limits.frames):
        raise ClipError(
            f"{name} lasts {seconds:.0f} s with {frames} frames; "
            f"cut it to {limits.seconds:.0f} s and {limits.frames} frames or less."
        )
    if audio is not None and not 0 < audio.rate <= limits.sample_rate:
        raise ClipError(f"{name} has sound at {audio.rate} Hz; resample it to 48000.")
    return MediaInfo(
        demuxer=container.format.name,
        file_bytes=len(data),
        width=width,
        height=height,
        fps=Fraction(fps),
        frames=frames,
        duration_s=seconds,
        video_codec=video.codec_context.name,
        audio_codec=None if audio is None else audio.codec_context.name,
        sample_rate=None if audio is None else audio.rate,
        channels=None if audio is None else audio.channels,
    )


def _duration_s(container: InputContainer, video: VideoStream) -> float:
    of_file = (container.duration or 0) / av.time_base
    of_video = float((video.duration or 0) * (video.time_base or 0))
    return max(of_file, of_video)


def decode_error(name: str, error: FFmpegError) -> ClipError:
    """The error to raise for what FFmpeg says."""
    return ClipError(f"{name} does not decode ({error.strerror}); encode it again as MP4.")
