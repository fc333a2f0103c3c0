"""Frames and sound as files: the rendition that voters get, the master that is kept."""

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
from generator.media.fit import fit_to_track
from generator.media.mp4 import equalize_size
from generator.media.sound import LAYOUTS, Sound, normalize_loudness, sound_frame
from generator.spec import AUDIO_RATE, TrackSettings

AUDIO_BPS = 128_000  # AAC-LC stereo is transparent for most sounds from about this rate
# x264 may run this far from its rate; a shorter buffer spends less on the pictures that need it.
BUFFER_S = 0.5
GOP_S = 1  # a keyframe a second, so that two players can be brought in step by seeking
BFRAMES = 2
HD_MACROBLOCKS = 8704  # what level 4.2 holds: 2048x1088
# A clip above the track's bytes is encoded again; each pass aims this much under its share.
SHRINK_MARGIN = 0.99
SHRINK_PASSES = 8
MIN_KBPS = 8

MASTER_SUFFIX = ".mkv"

if TYPE_CHECKING:  # a class of the compiled library takes no subscript when it runs
    Stamped = Packet[VideoStream] | Packet[AudioStream]
else:
    Stamped = Packet


@dataclass(frozen=True, eq=False)
class Rendition:
    """The normalised file, and what was changed on the way from the fitted clip, in words."""

    data: bytes
    adapted: tuple[str, ...] = ()


def encode_rendition(raw: RawClip, track: TrackSettings) -> bytes:
    """The file of exactly `track.bytes` bytes that voters get of a clip.

    Raises:
        ClipError: The clip does not fit the track, or the track's bytes cannot hold it.
    """
    fitted, _ = fit_to_track(raw, track)
    return make_rendition(fitted, track).data


def make_rendition(fitted: RawClip, track: TrackSettings) -> Rendition:
    """A clip that `fit_to_track` gave, as H.264 and AAC in MP4.

    Whatever the content, files of one track have the same bytes in number, the same boxes, frame
    types, rates and headers, and no word of what wrote them. One thread: the same clip gives the
    same bytes.
    """
    adapted: tuple[str, ...] = ()
    if fitted.audio is not None:
        audio, adapted = normalize_loudness(fitted.audio, heard=_aac_round_trip)
        fitted = replace(fitted, audio=audio)
    kbps = track.video_kbps
    for _ in range(SHRINK_PASSES):
        data = _encode_mp4(fitted, kbps=kbps)
        evened = equalize_size(
            data, size=track.bytes, video_bps=track.video_kbps * 1000, audio_bps=AUDIO_BPS
        )
        if evened is not None:
            if kbps < track.video_kbps:
                adapted = (*adapted, f"encoded at {kbps} instead of {track.video_kbps} kbit/s")
            return Rendition(evened, adapted)
        # What is not video keeps its size, so the surplus comes off the video's share alone.
        excess_kbps = (len(data) - track.bytes) * 8 / 1000 / track.duration_s
        kbps = int(min(kbps - excess_kbps, kbps - 1) * SHRINK_MARGIN)
        if kbps < MIN_KBPS:
            break
    raise ClipError(
        f"{track.duration_s:g} s do not fit into the {track.bytes} bytes of the track "
        f"{track.name}; give the track more bytes or a lower video_kbps."
    )


def encode_master(raw: RawClip) -> bytes:
    """A clip as generated, in Matroska: frames without loss as RGB H.264, sound as FLAC."""
    height, width = raw.frames.shape[1:3]
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream(
            "libx264rgb", rate=raw.fps, options={"preset": "veryfast", "qp": "0"}
        )
        video.width, video.height, video.pix_fmt = width, height, "rgb24"
        video.codec_context.thread_count = 1
        streams: list[Iterator[Stamped]] = [_encode_frames(video, raw, pixels="rgb24")]
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
                # Frame types follow the clock and never the content.
                f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={BFRAMES}:b-adapt=0",
                # Filler keeps the rate constant without HRD messages, which are filtered out below.
                f"filler=1:vbv-maxrate={kbps}:vbv-bufsize={int(kbps * BUFFER_S)}",
                f"level={'42' if macroblocks <= HD_MACROBLOCKS else '52'}",
                "threads=1:lookahead-threads=1:sliced-threads=0",
                *_deterministic_options(),
            )
        ),
    }
    muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
    # A fast start reads the file again while it is closed: the muxer needs a file with a name.
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
            streams = [_strip_sei(video, _encode_frames(video, fitted, pixels="yuv420p"))]
            if fitted.audio is not None:
                streams.append(_encode_sound(_add_aac(container), fitted.audio, AUDIO_RATE))
            _mux(container, streams)
        return path.read_bytes()


@cache
def _deterministic_options() -> tuple[str, ...]:
    """What keeps x264 from AVX-512, whose lookahead reads beside pictures of some widths.

    With it the same frames of, say, 160 x 96 give another file every time.
    """
    told = Path("/proc/cpuinfo")
    return ("asm=AVX2",) if told.exists() and " avx512" in told.read_text() else ()


def _mux(container: OutputContainer, streams: Iterable[Iterable[Stamped]]) -> None:
    # All packets in order of time, so that the interleaving is the same for every clip.
    packets = [packet for stream in streams for packet in stream]
    container.mux(sorted(packets, key=_decoding_time))


def _decoding_time(packet: Stamped) -> Fraction:
    if packet.dts is None or packet.time_base is None:
        raise ValueError("the encoder gave a packet without a time")
    return packet.dts * packet.time_base


def _encode_frames(stream: VideoStream, raw: RawClip, *, pixels: str) -> Iterator[Stamped]:
    for index, pixels_rgb in enumerate(raw.frames):
        frame = av.VideoFrame.from_ndarray(pixels_rgb, format="rgb24")
        if pixels != "rgb24":
            frame = frame.reformat(
                format=pixels,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        frame.pts, frame.time_base = index, 1 / raw.fps
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _strip_sei(stream: VideoStream, packets: Iterable[Stamped]) -> Iterator[Stamped]:
    """The packets without NAL units of type 6 (SEI), in which x264 names itself and its options."""
    keep = BitStreamFilterContext("filter_units=remove_types=6", "h264")
    for packet in (*packets, None):
        for kept in keep.filter(packet):
            kept.stream = stream
            yield kept


def _add_aac(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
    stream.codec_context.bit_rate = AUDIO_BPS
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _encode_sound(stream: AudioStream, audio: Sound, sample_rate: int) -> Iterator[Stamped]:
    yield from stream.encode(sound_frame(audio, sample_rate=sample_rate))
    yield from stream.encode(None)


def _aac_round_trip(audio: Sound) -> Sound:
    """What is heard of (2, N) samples at 48 kHz after the rendition's encoder."""
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="adts") as container:
        container.mux(list(_encode_sound(_add_aac(container), audio, AUDIO_RATE)))
    buffer.seek(0)
    with av.open(buffer, mode="r", format="aac") as written:
        parts = [frame.to_ndarray() for frame in written.decode(audio=0)]
    return np.concatenate(parts, axis=1).astype(np.float32)
