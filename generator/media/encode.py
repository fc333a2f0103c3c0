"""Encode frames and sound: the rendition that voters get, and the lossless master."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.aac import fill_frame
from generator.media.buffers import each_frame
from generator.media.equal_pictures import (
    Layout,
    Picture,
    configure,
    encode_pictures,
    make_layout,
    x264_options,
)
from generator.media.fit import fit_to_track
from generator.media.mp4 import equalize_size
from generator.media.sound import LAYOUTS, Sound, normalize_loudness, sound_frame
from generator.spec import AUDIO_RATE, TrackSettings

AUDIO_BPS = 128_000  # AAC-LC stereo is transparent for most sounds from about this rate
AAC_SAMPLES = 1024  # of a frame
# Every frame of sound has this size, if that is not more than this share of the track's bytes.
# Frames of transients take up to 850 bytes at 128 kbit/s.
SOUND_FRAME_BYTES = 864
MAX_SOUND_SHARE = 1 / 2
SOUND_KBPS = (128, 112, 96, 80, 64, 48, 40, 32, 24, 16)
# Pictures are encoded several times over. Slower presets take about three to five times as long and
# gain 0.1 dB at equal sizes (tests/benchmarks/bench_encoding.py).
PRESET = "veryfast"
GOP_S = 1  # one keyframe per second, so that two players can be synchronized by seeking
HD_MACROBLOCKS = 8704  # maximum of level 4.2: 2048x1088
# Upper bounds of what the MP4 boxes take; the rest of the file is filled with zeros.
BOX_BYTES, BOX_BYTES_PER_PICTURE, BOX_BYTES_PER_SOUND_FRAME = 2048, 24, 16
MIN_KBPS = 8

MASTER_SUFFIX = ".mkv"
# Counts changes of the encoding: files of different versions can be distinguished.
ENCODING = 2

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

    All files of a track have the same size, boxes, frame types, sizes of pictures and AAC frames,
    and headers, whatever their content, and do not name the encoder. Encoding uses one thread and
    is deterministic.

    Raises:
        ClipError: The track's number of bytes is too small even at the lowest bitrate.
    """
    adapted: tuple[str, ...] = ()
    sound: list[AnyPacket] = []
    if fitted.audio is not None:
        audio, adapted = normalize_loudness(fitted.audio, codec=_aac_round_trip)
        fitted = replace(fitted, audio=audio)
    plan = plan_file(track)
    kbps = round(plan.picture_bytes * 8 / 1000 / track.duration_s)
    if kbps < MIN_KBPS:
        raise _too_few_bytes(track)
    if kbps < track.video_kbps:
        adapted = (*adapted, f"encoded at {kbps} instead of {track.video_kbps} kbit/s")
    if fitted.audio is not None:
        sound, audio_kbps = _encode_equal_sound(fitted.audio, plan.sound_frame_bytes, track)
        if audio_kbps < AUDIO_BPS // 1000:
            adapted = (*adapted, f"encoded the sound at {audio_kbps} kbit/s")
    data = _encode_mp4(fitted, plan=plan, sound=sound)
    equalized = equalize_size(
        data, size=track.bytes, video_bps=track.video_kbps * 1000, audio_bps=AUDIO_BPS
    )
    if equalized is None:
        raise _too_few_bytes(track)
    return Rendition(equalized, adapted)


@dataclass(frozen=True)
class FilePlan:
    """How a track's bytes are divided; it depends on the track alone."""

    layout: Layout
    picture_bytes: int
    sound_frame_bytes: int  # 0 without sound


def plan_file(track: TrackSettings) -> FilePlan:
    """Divide a track's bytes between its pictures, its sound and the MP4 boxes."""
    boxes = BOX_BYTES + BOX_BYTES_PER_PICTURE * track.frames
    sound_frame, sound = 0, 0
    if track.audio:
        count = -(-track.audio_samples // AAC_SAMPLES) + 2  # the encoder's delay, and its end
        sound_frame = min(SOUND_FRAME_BYTES, int(track.bytes * MAX_SOUND_SHARE) // count)
        sound = sound_frame * count
        boxes += BOX_BYTES_PER_SOUND_FRAME * count
    nominal = track.video_kbps * 1000 / 8 * track.duration_s
    picture_bytes = max(0, int(min(nominal, track.bytes - boxes - sound)))
    layout = make_layout(
        width=track.width,
        height=track.height,
        fps=track.fps,
        gop=max(2, round(track.fps * GOP_S)),
        frames=track.frames,
        size=picture_bytes,
    )
    return FilePlan(layout, picture_bytes, sound_frame)


def _too_few_bytes(track: TrackSettings) -> ClipError:
    return ClipError(
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
        streams: list[Iterator[AnyPacket]] = [_encode_frames(video, raw)]
        if raw.audio is not None and raw.sample_rate is not None:
            layout = LAYOUTS[raw.audio.shape[0]]
            audio = container.add_stream("flac", rate=raw.sample_rate, layout=layout, format="s32")
            streams.append(_encode_sound(audio, raw.audio, raw.sample_rate))
        _mux(container, streams)
    return buffer.getvalue()


def _encode_mp4(fitted: RawClip, *, plan: FilePlan, sound: list[AnyPacket]) -> bytes:
    layout = plan.layout
    macroblocks = -(-layout.width // 16) * -(-layout.height // 16)
    params = x264_options(
        layout,
        f"level={'42' if macroblocks <= HD_MACROBLOCKS else '52'}",
        "threads=1:lookahead-threads=1:sliced-threads=0",
        *_deterministic_options(),
    )
    pictures = encode_pictures(_yuv_frames(fitted), layout, preset=PRESET, options=params)
    muxing = {"movflags": "+faststart", "fflags": "+bitexact"}
    # With +faststart the muxer reopens the file on closing, so it needs a path.
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        path = Path(folder) / "clip.mp4"
        with av.open(path, "w", format="mp4", options=muxing) as container:
            # The stream's own encoder writes the headers only.
            options = {"preset": PRESET, "profile": "high", "x264-params": params}
            video = container.add_stream("libx264", rate=layout.fps, options=options)
            configure(video.codec_context, layout)
            streams: list[Iterable[AnyPacket]] = [_picture_packets(video, pictures)]
            if fitted.audio is not None:
                stream = _add_aac(container)
                streams.append(_on_stream(stream, sound))
            _mux(container, streams)
        return path.read_bytes()


def _picture_packets(stream: VideoStream, pictures: Iterable[Picture]) -> Iterator[AnyPacket]:
    for picture in pictures:
        packet = av.Packet(picture.data)
        packet.pts, packet.dts, packet.duration = picture.pts, picture.dts, 1
        packet.time_base, packet.is_keyframe = (
            1 / stream.codec_context.framerate,
            picture.is_keyframe,
        )
        packet.stream = stream
        yield cast("AnyPacket", packet)


def _on_stream(stream: AudioStream, packets: Iterable[AnyPacket]) -> Iterator[AnyPacket]:
    for packet in packets:
        packet.stream = stream
        yield packet


def _encode_equal_sound(
    audio: Sound, frame_bytes: int, track: TrackSettings
) -> tuple[list[AnyPacket], int]:
    """Encode sound as AAC frames of one size; return them and the bit rate in kbit/s.

    A transient can take more than a frame's bytes; then all of the sound gets a lower rate.
    """
    for kbps in SOUND_KBPS:
        packets: list[AnyPacket] = []
        for packet in _encode_aac(audio, kbps=kbps):
            filled = fill_frame(bytes(packet), frame_bytes)
            if filled is None:
                break
            equal = av.Packet(filled)
            equal.pts, equal.dts, equal.duration = packet.pts, packet.dts, packet.duration
            equal.time_base, equal.is_keyframe = packet.time_base, True
            packets.append(cast("AnyPacket", equal))
        else:
            return packets, kbps
    raise _too_few_bytes(track)


def _encode_aac(audio: Sound, *, kbps: int) -> list[AnyPacket]:
    with av.open(BytesIO(), mode="w", format="mp4") as container:
        return list(_encode_sound(_add_aac(container, kbps=kbps), audio, AUDIO_RATE))


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


def _encode_frames(stream: VideoStream, raw: RawClip) -> Iterator[AnyPacket]:
    for index, pixels in enumerate(each_frame(raw.frames)):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = index, 1 / raw.fps
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _yuv_frames(raw: RawClip) -> Iterator[av.VideoFrame]:
    for pixels in each_frame(raw.frames):
        yield av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )


def _add_aac(container: OutputContainer, *, kbps: int = AUDIO_BPS // 1000) -> AudioStream:
    stream = container.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
    stream.codec_context.bit_rate = kbps * 1000
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
