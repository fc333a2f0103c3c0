"""Files are identified by content and checked against limits before decoding."""

import os
import struct
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, ball_frames, small_track

from generator.errors import ClipError
from generator.media import Limits, decode, encode_master, encode_rendition, probe

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nneighbour.ts\n#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def rendition() -> bytes:
    return encode_rendition(ball_clip(), small_track(audio=True))


def video_file(frames: np.ndarray, times: list[int], *, codec: str = "ffv1") -> bytes:
    """Encode frames with timestamps in 1/24 s, in Matroska."""
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="matroska") as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "bgr0"
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def test_probe_returns_the_headers(rendition: bytes) -> None:
    info = probe(rendition)
    assert (info.width, info.height, info.fps, info.frames) == (WIDTH, HEIGHT, 24, FRAMES)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert (info.sample_rate, info.channels) == (48_000, 2)
    assert info.duration_s == pytest.approx(1.0, abs=0.05)


def test_the_original_file_is_kept(rendition: bytes) -> None:
    raw = decode(rendition)
    assert (raw.original, raw.original_suffix) == (rendition, ".mp4")
    assert decode(encode_master(raw)).original_suffix == ".mkv"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", PLAYLIST, b"ffconcat version 1.0\nfile neighbour.ts\n", b"\x89PNG\r\n\x1a\n"],
)
def test_other_files_are_rejected_whatever_their_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"clip\.mp4 is not an MP4"):
        decode(path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.03])
def test_a_truncated_file_is_rejected(rendition: bytes, share: float) -> None:
    with pytest.raises(ClipError):
        decode(rendition[: int(len(rendition) * share)])


def test_a_playlist_with_the_signature_of_an_mp4_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "neighbour.ts").write_bytes(b"secret")
    path = tmp_path / "clip.mp4"
    path.write_bytes(struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0" + PLAYLIST)
    with pytest.raises(ClipError, match="cannot be decoded"):
        decode(path)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(file_bytes=1000), "MiB"),
        (Limits(pixels=WIDTH * HEIGHT - 1), "frames of 96x64"),
        (Limits(seconds=0.5), "cut it to"),
        (Limits(frames=FRAMES - 1), "cut it to"),
        (Limits(streams=1), "2 streams"),
        (Limits(sample_rate=44_100), "48000 Hz"),
    ],
)
def test_limits_are_checked_before_decoding(rendition: bytes, limits: Limits, reason: str) -> None:
    for function in (probe, decode):
        with pytest.raises(ClipError, match=reason):
            function(rendition, limits=limits)


def test_the_total_size_of_decoded_frames_is_limited(rendition: bytes) -> None:
    limits = Limits(decoded_bytes=WIDTH * HEIGHT * 3 * (FRAMES - 1))
    with pytest.raises(ClipError, match="more than 23 frames"):
        decode(rendition, limits=limits)


def test_a_small_file_with_huge_frames_is_rejected() -> None:
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 6000, 4000, "yuv420p"
        black = av.VideoFrame(6000, 4000, "yuv420p")
        for plane in black.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(black))
        container.mux(stream.encode(None))
    with pytest.raises(ClipError, match="no usable frame size"):
        decode(buffer.getvalue())


def test_until_s_stops_decoding_of_a_longer_file(rendition: bytes) -> None:
    raw = decode(rendition, until_s=0.5, limits=Limits(seconds=0.6))
    assert 12 <= len(raw.frames) <= 14


def test_damaged_frames_are_rejected(rendition: bytes) -> None:
    damaged = bytearray(rendition)
    start = damaged.index(b"mdat") + 4
    damaged[start + 200 : start + 20_000] = bytes(19_800)
    with pytest.raises(ClipError):
        decode(bytes(damaged))


def test_pictures_at_uneven_times_keep_their_times() -> None:
    frames = ball_frames(12)
    times = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]
    raw = decode(video_file(frames, times))
    assert np.array_equal(raw.frames, frames)
    assert raw.times == pytest.approx([time / 24 for time in times], abs=0.001)
    assert raw.end_s == pytest.approx(18 / 24, abs=0.002)
    assert raw.fps == pytest.approx(11 / 17 * 24, rel=0.01)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", Path("/dev/zero"), tmp_path):
        with pytest.raises(ClipError, match="is not a regular file"):
            decode(path)


def test_a_file_without_video_is_rejected() -> None:
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ClipError, match="no video"):
        decode(buffer.getvalue())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"none\.mp4 cannot be read"):
        decode(tmp_path / "none.mp4")
