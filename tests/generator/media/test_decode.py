"""Files are judged by what they hold, within limits, before anything is decoded."""

import os
import struct
import sys
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, ball_frames, small_track

from generator.errors import ClipError
from generator.media import Limits, decode, encode_master, encode_rendition, probe
from generator.media.probe import MediaInfo

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nneighbour.ts\n#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def rendition() -> bytes:
    return encode_rendition(ball_clip(), small_track(audio=True))


def film(frames: np.ndarray, times: list[int], *, codec: str = "ffv1") -> bytes:
    """Frames at times in 1/24 s, in Matroska."""
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


def test_headers_are_told(rendition: bytes) -> None:
    info = probe(rendition)
    assert (info.width, info.height, info.fps, info.frames) == (WIDTH, HEIGHT, 24, FRAMES)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert (info.sample_rate, info.channels) == (48_000, 2)
    assert info.duration_s == pytest.approx(1.0, abs=0.05)


def test_the_file_as_it_came_is_kept(rendition: bytes) -> None:
    raw = decode(rendition)
    assert (raw.original, raw.original_suffix) == (rendition, ".mp4")
    assert decode(encode_master(raw)).original_suffix == ".mkv"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", PLAYLIST, b"ffconcat version 1.0\nfile neighbour.ts\n", b"\x89PNG\r\n\x1a\n"],
)
def test_what_is_no_video_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"clip\.mp4 is no MP4"):
        decode(path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.03])
def test_a_file_cut_short_is_refused(rendition: bytes, share: float) -> None:
    with pytest.raises(ClipError):
        decode(rendition[: int(len(rendition) * share)])


def test_a_playlist_behind_the_first_bytes_of_an_mp4_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "neighbour.ts").write_bytes(b"secret")
    path = tmp_path / "clip.mp4"
    path.write_bytes(struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0" + PLAYLIST)
    with pytest.raises(ClipError, match="does not decode"):
        decode(path)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(file_bytes=1000), "MiB"),
        (Limits(pixels=WIDTH * HEIGHT - 1), "pictures of 96x64"),
        (Limits(seconds=0.5), "cut it to"),
        (Limits(frames=FRAMES - 1), "cut it to"),
        (Limits(streams=1), "2 streams"),
        (Limits(sample_rate=44_100), "48000 Hz"),
    ],
)
def test_limits_hold_before_anything_is_decoded(
    rendition: bytes, limits: Limits, reason: str
) -> None:
    for look in (probe, decode):
        with pytest.raises(ClipError, match=reason):
            look(rendition, limits=limits)


def test_decoded_frames_are_limited_in_all(rendition: bytes) -> None:
    room = Limits(decoded_bytes=WIDTH * HEIGHT * 3 * (FRAMES - 1))
    with pytest.raises(ClipError, match="more than 23 frames"):
        decode(rendition, limits=room)


def test_a_small_file_with_a_huge_picture_is_refused() -> None:
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 6000, 4000, "yuv420p"
        black = av.VideoFrame(6000, 4000, "yuv420p")
        for plane in black.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(black))
        container.mux(stream.encode(None))
    with pytest.raises(ClipError, match="picture"):
        decode(buffer.getvalue())


def test_a_file_longer_than_asked_for_is_read_as_far_as_needed(rendition: bytes) -> None:
    raw = decode(rendition, until_s=0.5, limits=Limits(seconds=0.6))
    assert 12 <= len(raw.frames) <= 14


def test_damaged_frames_are_refused(rendition: bytes) -> None:
    damaged = bytearray(rendition)
    start = damaged.index(b"mdat") + 4
    damaged[start + 200 : start + 20_000] = bytes(19_800)
    with pytest.raises(ClipError):
        decode(bytes(damaged))


def test_a_varying_frame_rate_becomes_regular() -> None:
    frames = ball_frames(12)
    times = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]
    raw = decode(film(frames, times))
    assert raw.fps == 24
    assert len(raw.frames) == 18
    assert np.array_equal(raw.frames[:6], frames[:6])
    assert np.array_equal(raw.frames[7], frames[5])
    assert np.array_equal(raw.frames[11], frames[6])
    assert np.array_equal(raw.frames[12:], frames[6:])


def test_a_rate_that_no_limit_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["generator.media.decode"]  # the package has a function of this name
    told = module.inspect

    def lie(*words: object, **more: object) -> MediaInfo:
        return replace(told(*words, **more), fps=Fraction(30_000))  # type: ignore[arg-type]

    monkeypatch.setattr(module, "inspect", lie)
    with pytest.raises(ClipError, match="30000 frames a second, more than"):
        decode(film(ball_frames(12), list(range(12))), until_s=5)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", Path("/dev/zero"), tmp_path):
        with pytest.raises(ClipError, match="is no file"):
            decode(path)


def test_a_file_with_sound_alone_is_refused() -> None:
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.rate = 48_000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ClipError, match="no picture"):
        decode(buffer.getvalue())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"none\.mp4 cannot be read"):
        decode(tmp_path / "none.mp4")
