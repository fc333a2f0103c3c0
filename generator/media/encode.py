"""Encode frames and sound: the rendition that voters get, and the lossless master."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.buffers import each_frame
from generator.media.fit import fit_to_track
from generator.media.mp4 import equalize_size
from generator.media.sound import LAYOUTS, Sound, normalize_loudness, sound_frame
from generator.spec import AUDIO_RATE, TrackSettings

AUDIO_BPS = 128_000  # AAC-LC stereo is transparent for most sounds from about this rate
# Length of x264's rate-control buffer: a longer one gives complex frames more bits.
BUFFER_S = 0.5
GOP_S = 1  # one keyframe per second, so that two players can be synchronized by seeking
BFRAMES = 2
HD_MACROBLOCKS = 8704  # maximum of level 4.2: 2048x1088
# A clip larger than the track's bytes is encoded again, aiming slightly below the target.
SHRINK_MARGIN = 0.99
SHRINK_PASSES = 8
MIN_KBPS = 8

MASTER_SUFFIX = ".mkv"

if TYPE_CHECKING:  # PyAV's compiled class cannot be subscripted at run time
    AnyPacket = Packet[VideoStream] | Packet[AudioStream]
else:
    AnyPacket = Packet


@dataclass(frozen=True, eq=False)
class Rendition:
    """The normalized file, and how the fitted clip was changed, for the provenance."""

    data: bytes
    adapted: tuple[str, ...] = ()


def encode_rendition(raw: RawClip, track: TrackSettings) -> bytes:
    """Return a clip's rendition, a file of exactly `track.bytes` bytes.

    Raises:
        ClipError: The clip does not fit the track or its number of bytes.
    """
    fitted, _ = fit_to_track(raw, track)
    return make_rendition(fitted, track).data


def make_rendition(fitted: RawClip, track: TrackSettings) -> Rendition:
    """Encode a clip returned by `fit_to_track` as H.264 and AAC in MP4.

    All files of a track have the same size, boxes, frame types, rates and headers, whatever their
    content, and do not name the encoder. Encoding uses one thread and is deterministic.

    Raises:
        ClipError: The track's number of bytes is too small even at the lowest bitrate.
    """
    adapted: tuple[str, ...] = ()
    if fitted.audio is not None:
        audio, adapted = normalize_loudness(fitted.audio, codec=_aac_round_trip)
        fitted = replace(fitted, audio=audio)
    kbps = track.video_kbps
    for _ in range(SHRINK_PASSES):
        data = _encode_mp4(fitted, kbps=kbps)
        equalized = equalize_size(
            data, size=track.bytes, video_bps=track.video_kbps * 1000, audio_bps=AUDIO_BPS
        )
        if equalized is not None:
            if kbps < track.video_kbps:
                adapted = (*adapted, f"encoded at {kbps} instead of {track.video_kbps} kbit/s")
            return Rendition(equalized, adapted)
        # Only the video can shrink: sound and headers keep their size.
        excess_kbps = (len(data) - track.bytes) * 8 / 1000 / track.duration_s
        kbps = int(min(kbps - excess_kbps, kbps - 1) * SHRINK_MARGIN)
        if kbps < MIN_KBPS:
            break
    raise ClipError(
        f"{track.duration_s:g} s do not fit into the {track.bytes} bytes of the track "
        f"{track.name}; increase its bytes or lower its video_kbps."
    )


def encode_master(raw: RawClip) -> bytes:
    """Encode a clip as generated, in Matroska: lossless RGB H.264 and FLAC."""
    height, width = raw.frames.shape[1:3]
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream(
            "libx264rgb", rate=raw.fps, options={"preset": "veryfast", "qp": "0"}
        )
        video.width, video.height, video.pix_fmt = width, height, "rgb24"
        video.codec_context.thread_count = 1
        streams: list[Iterator[AnyPacket]] = [_encode_frames(video, raw, pixel_format="rgb24")]
        if raw.audio is not None and raw.sample_rate is not None:
            layout = LAYOUTS[raw.audio.shape[0]]
            audio = container.add_stream("flac", rate=raw.sample_rate, layout=layout, format="s32")
            streams.append(_encode_sound(audio, raw.audio, raw.sample_rate))
        _mux(container, streams)
    return buffer.getvalue()


def _encode_mp4(fitted: RawClip, *, kbps: int) -> bytes:
    height, width = fitted.frames.shape[1:3]
    macroblocks = -(-width // 16) * -(-height // 16)
    gop = max(1, round(fitted.fps * GOP_S))
    options = {
        "preset": "medium",
        "profile": "high",
        "x264-params": ":".join(
            (
                # Frame types depend on time only, never on the content.
                f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={BFRAMES}:b-adapt=0",
                # Filler data keeps the bitrate constant without HRD messages, removed below.
                f"filler=1:vbv-maxrate={kbps}:vbv-bufsize={int(kbps * BUFFER_S)}",
                f"level={'42' if macroblocks <= HD_MACROBLOCKS else '52'}",
                "threads=1:lookahead-threads=1:sliced-threads=0",
                *_deterministic_options(),
            )
        ),
    }
    muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
    # With +faststart the muxer reopens the file on closing, so it needs a path.
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        path = Path(folder) / "clip.mp4"
        with av.open(path, "w", format="mp4", options=muxing) as container:
            video = container.add_stream("libx264", rate=fitted.fps, options=options)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            context = video.codec_context
            context.bit_rate = kbps * 1000
            context.thread_count = 1
            context.flags |= Flags.bitexact
            context.color_range = ColorRange.MPEG
            context.colorspace = Colorspace.ITU709
            context.color_primaries = ColorPrimaries.BT709
            context.color_trc = ColorTrc.BT709
            frames = _encode_frames(video, fitted, pixel_format="yuv420p")
            streams = [_strip_sei(video, frames)]
            if fitted.audio is not None:
                streams.append(_encode_sound(_add_aac(container), fitted.audio, AUDIO_RATE))
            _mux(container, streams)
        return path.read_bytes()


@cache
def _deterministic_options() -> tuple[str, ...]:
    """Return x264 options that disable AVX-512.

    With AVX-512 the lookahead reads beyond frames of some widths (such as 160 x 96), and the output
    is not deterministic.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return ("asm=AVX2",) if cpuinfo.exists() and " avx512" in cpuinfo.read_text() else ()


def _mux(container: OutputContainer, streams: Iterable[Iterable[AnyPacket]]) -> None:
    # Sort all packets by time, so that the interleaving is the same for every clip.
    packets = [packet for stream in streams for packet in stream]
    container.mux(sorted(packets, key=_decoding_time))


def _decoding_time(packet: AnyPacket) -> Fraction:
    if packet.dts is None or packet.time_base is None:
        raise ValueError("the encoder returned a packet without a timestamp")
    return packet.dts * packet.time_base


def _encode_frames(stream: VideoStream, raw: RawClip, *, pixel_format: str) -> Iterator[AnyPacket]:
    for index, pixels in enumerate(each_frame(raw.frames)):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if pixel_format != "rgb24":
            frame = frame.reformat(
                format=pixel_format,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        frame.pts, frame.time_base = index, 1 / raw.fps
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _strip_sei(stream: VideoStream, packets: Iterable[AnyPacket]) -> Iterator[AnyPacket]:
    """Remove NAL units of type 6 (SEI), in which x264 writes its name and options."""
    sei_filter = BitStreamFilterContext("filter_units=remove_types=6", "h264")
    for packet in (*packets, None):
        for filtered in sei_filter.filter(packet):
            filtered.stream = stream
            yield filtered


def _add_aac(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
    stream.codec_context.bit_rate = AUDIO_BPS
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _encode_sound(stream: AudioStream, audio: Sound, sample_rate: int) -> Iterator[AnyPacket]:
    yield from stream.encode(sound_frame(audio, sample_rate=sample_rate))
    yield from stream.encode(None)


def _aac_round_trip(audio: Sound) -> Sound:
    """Encode and decode (2, N) samples at 48 kHz with the rendition's codec."""
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="adts") as container:
        container.mux(list(_encode_sound(_add_aac(container), audio, AUDIO_RATE)))
    buffer.seek(0)
    with av.open(buffer, mode="r", format="aac") as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1).astype(np.float32)
