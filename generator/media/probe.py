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
from generator.media.headers import check_tables, count_gif_frames
from generator.media.streams import choose_video, sound_candidates

MEBIBYTE = 2**20
MAX_FPS = 480  # of high-speed cameras in phones
UNKNOWN_FPS = 24


@dataclass(frozen=True)
class Limits:
    """Limits above which a file is rejected."""

    file_bytes: int = 128 * MEBIBYTE
    streams: int = 8  # cameras add streams with time codes and positions
    pixels: int = 4096 * 2304
    seconds: float = 120.0
    frames: int = 7_200
    frame_bytes: int = 32 * MEBIBYTE  # of a decoded frame: 4:2:0 in 10 bits, 4:4:4 in 8 bits
    decoder_bytes: int = 320 * MEBIBYTE  # of the frames that a decoder keeps
    decoded_bytes: int = 192 * MEBIBYTE  # of the frames that `decode` returns
    sound_bytes: int = 64 * MEBIBYTE  # of decoded sound: 170 s of stereo at 48 kHz
    sample_rate: int = 192_000
    longest_s: float = 600.0  # also of files that are cut to a track
    samples: int = 300_000  # frames of video and sound that the tables of an MP4 declare
    packets: int = 200_000


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
        ClipError: The file is not MP4, QuickTime, Matroska, AVI or GIF, has no video, or exceeds a
            limit.
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
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    raise ClipError(
        f"{name} is not an MP4, QuickTime, Matroska, AVI or GIF file; convert it to MP4."
    )


def open_container(name: str, data: bytes, limits: Limits) -> InputContainer:
    """Open a file with the demuxer that its first bytes indicate."""
    demuxer = _demuxer(name, data)
    if demuxer == "mov":
        check_tables(name, data, samples=limits.samples)
    elif demuxer == "gif" and count_gif_frames(data, limit=limits.frames) > limits.frames:
        raise ClipError(f"{name} has more than {limits.frames} frames; cut it.")
    # The pixel limit also applies while FFmpeg probes the streams for their codecs.
    # (PyAV accepts a list of dictionaries, although its type stubs say strings.)
    stream_options: Any = [{"max_pixels": str(limits.pixels)}] * (limits.streams + 1)
    try:
        return av.open(
            BytesIO(data),
            mode="r",
            format=demuxer,
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
    video, _ = choose_video(name, container)
    audio = next(iter(sound_candidates(container)), None)
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
    _check_frame_bytes(name, video, limits)
    fps = _frame_rate(video)
    seconds, longest_s = _duration_s(container, video)
    frames = max(video.frames, round(seconds * float(fps)))
    if until_s is None and (seconds > limits.seconds or frames > limits.frames):
        raise ClipError(
            f"{name} lasts {seconds:.0f} s and has {frames} frames; "
            f"cut it to {limits.seconds:.0f} s and {limits.frames} frames or less."
        )
    if longest_s > limits.longest_s:
        raise ClipError(
            f"{name} lasts {longest_s:.0f} s; cut it to {limits.longest_s:.0f} s or less."
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


def _frame_rate(video: VideoStream) -> Fraction:
    """Return the declared rate; frames are shown at their own times, whatever it is.

    Without a declaration FFmpeg guesses from the first packets, and may find tens of thousands.
    """
    for rate in (video.average_rate, video.guessed_rate, video.base_rate):
        if rate and 0 < rate <= MAX_FPS:
            return Fraction(rate)
    return Fraction(UNKNOWN_FPS)


def _check_frame_bytes(name: str, video: VideoStream, limits: Limits) -> None:
    """Check the size of a decoded frame in memory, of which decoders keep up to 17."""
    context = video.codec_context
    if context.format is None:
        return
    size = context.width * context.height * context.format.padded_bits_per_pixel // 8
    if size > limits.frame_bytes:
        raise ClipError(
            f"{name} has frames of {context.width}x{context.height} in {context.format.name}, "
            f"{size / MEBIBYTE:.0f} MiB each; scale it down or encode it in 8 bits and 4:2:0."
        )


def _duration_s(container: InputContainer, video: VideoStream) -> tuple[float, float]:
    """Return the length of the video, and of the longest stream, in seconds."""
    start_s = max(0, container.start_time or 0) / av.time_base
    container_s = (container.duration or 0) / av.time_base
    if container.format.name.startswith("matroska"):
        container_s = max(0.0, container_s - start_s)  # counted from 0 there
    stream_s = float((video.duration or 0) * (video.time_base or 0))
    longest_s = max(container_s, stream_s)
    return stream_s or container_s, longest_s


def decode_error(name: str, error: FFmpegError) -> ClipError:
    """Convert an error of FFmpeg."""
    return ClipError(f"{name} cannot be decoded ({error.strerror}); encode it again as MP4.")
