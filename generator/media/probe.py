"""Read the headers of an untrusted media file.

The demuxer is chosen by the first bytes and forced, data is read from memory, and limits are
checked before decoding: a playlist named .mp4 cannot open other files, and a small file that
declares hours of video or huge frames is rejected. Not covered: vulnerabilities in the decoder.
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
    """Limits above which a file is rejected."""

    file_bytes: int = 512 * MEBIBYTE
    streams: int = 8  # cameras add streams with time codes and positions
    pixels: int = 4096 * 2304
    seconds: float = 120.0
    frames: int = 7_200
    decoded_bytes: int = 4096 * MEBIBYTE  # 4K at 24 frames/s for 7 seconds
    sample_rate: int = 192_000


@dataclass(frozen=True)
class MediaInfo:
    """Properties of a media file, read from its headers."""

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
    """Read a file's headers and check them against the limits, without decoding frames.

    Raises:
        ClipError: The file is not MP4, QuickTime or Matroska, has no video, or exceeds a limit.
    """
    name, data = read_source(source, limits)
    try:
        with open_container(name, data, limits) as container:
            return inspect(name, container, data, limits)
    except FFmpegError as error:
        raise decode_error(name, error) from None


def read_source(source: Path | bytes, limits: Limits) -> tuple[str, bytes]:
    """Return a name for error messages, and the file's bytes."""
    if isinstance(source, bytes):
        name, size = "The file", len(source)
    else:
        name = str(source)
        try:
            status = source.stat()
        except OSError as error:
            raise ClipError(f"{name} cannot be read: {error.strerror}.") from None
        if not stat.S_ISREG(status.st_mode):
            raise ClipError(f"{name} is not a regular file; use a video file.")
        size = status.st_size
    if size > limits.file_bytes:
        raise ClipError(
            f"{name} has {size // MEBIBYTE} MiB; reduce it to {limits.file_bytes // MEBIBYTE} MiB "
            "or less."
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
    raise ClipError(f"{name} is not an MP4, QuickTime or Matroska file; convert it to MP4.")


def open_container(name: str, data: bytes, limits: Limits) -> InputContainer:
    """Open a file with the demuxer that its first bytes indicate."""
    # The pixel limit also applies while FFmpeg probes the streams for their codecs.
    # (PyAV accepts a list of dictionaries, although its type stubs say strings.)
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
    except ValueError:  # raised by PyAV if the headers list no stream
        raise ClipError(f"{name} has no video; use a video file.") from None


def inspect(
    name: str,
    container: InputContainer,
    data: bytes,
    limits: Limits,
    *,
    until_s: float | None = None,
) -> MediaInfo:
    """Read the headers of an open file and check the limits.

    Args:
        name: The file's name in error messages.
        container: The open file.
        data: The file's bytes.
        limits: The limits to check.
        until_s: If set, the duration is not limited, because decoding will stop there.
    """
    if len(container.streams) > limits.streams:
        raise ClipError(
            f"{name} has {len(container.streams)} streams; keep one video and one audio stream."
        )
    if not container.streams.video:
        raise ClipError(f"{name} has no video; use a video file.")
    video = container.streams.video[0]
    audio = container.streams.audio[0] if container.streams.audio else None
    if any(stream is not None and stream.codec_context is None for stream in (video, audio)):
        raise ClipError(f"{name} uses an unknown codec; encode it again as MP4.")
    width, height = video.codec_context.width, video.codec_context.height
    if width < 1 or height < 1:
        # FFmpeg hides sizes above `max_pixels`.
        raise ClipError(
            f"{name} has no usable frame size; scale it to {limits.pixels} pixels or less, or "
            "encode it again."
        )
    if width * height > limits.pixels:
        raise ClipError(
            f"{name} has frames of {width}x{height}; scale them to {limits.pixels} pixels or less."
        )
    fps = video.average_rate or video.guessed_rate
    if not fps or fps <= 0:
        raise ClipError(f"{name} does not declare its frame rate; encode it again.")
    seconds = _duration_s(container, video)
    frames = max(video.frames, round(seconds * float(fps)))
    if until_s is None and (seconds > limits.seconds or frames > limits.frames):
        raise ClipError(
            f"{name} lasts {seconds:.0f} s and has {frames} frames; "
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
    container_s = (container.duration or 0) / av.time_base
    stream_s = float((video.duration or 0) * (video.time_base or 0))
    return max(container_s, stream_s)


def decode_error(name: str, error: FFmpegError) -> ClipError:
    """Convert an error of FFmpeg."""
    return ClipError(f"{name} cannot be decoded ({error.strerror}); encode it again as MP4.")
