"""Small files that declare or hold too much are refused in bounded memory and time."""

import pickle
import struct
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from odd_videos import corner_frames, video
from peak_memory import run_and_measure
from small_clips import ball_frames, small_track, tone

from generator.errors import ClipError
from generator.media import Limits, decode
from generator.media.buffers import allocate_frames, release_frames
from generator.media.decode import decode_for_track

TRACK = small_track(audio=False)
MAX_MIB = 512
DECODE = """
import sys
from fractions import Fraction
from pathlib import Path
from generator.errors import ClipError
from generator.media import decode, fit_to_track
from generator.media.decode import decode_for_track
from generator.spec import TrackSettings
way, path, width, height, frames = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
track = TrackSettings(
    name="t", modality="text-to-video", audio=False, width=width, height=height,
    fps=Fraction(24), frames=frames, video_kbps=2000, bytes=9000000,
)
try:
    raw = decode_for_track(path, track) if way == "track" else decode(path, until_s=3.0)
    print(fit_to_track(raw, track)[0].frames.shape)
except ClipError as error:
    print(error)
"""


def large_video(path: Path, frames: int) -> None:
    """Write a small file of 4096x2304."""
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 4096, 2304, "yuv420p"
        frame = av.VideoFrame(4096, 2304, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([90]) * plane.buffer_size)
        for index in range(frames):
            frame.pts, frame.time_base = index, Fraction(1, 24)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.mark.parametrize(("way", "size"), [("track", (1280, 720, 24)), ("whole", (256, 256, 24))])
def test_large_frames_are_scaled_in_decoding(
    tmp_path: Path, way: str, size: tuple[int, int, int]
) -> None:
    large_video(tmp_path / "large.mp4", 30)
    assert (tmp_path / "large.mp4").stat().st_size < 60_000
    printed, peak = run_and_measure(DECODE, way, tmp_path / "large.mp4", *size)
    assert printed == str((size[2], size[1], size[0], 3))
    assert peak < MAX_MIB


def test_frames_of_many_bits_are_refused_before_decoding() -> None:
    data = video(corner_frames(2), container="matroska", codec="ffv1", pix_fmt="yuv444p10le")
    with pytest.raises(ClipError, match=r"frames of 96x64 in yuv444p10le.*4:2:0"):
        decode(data, limits=Limits(frame_bytes=96 * 64 * 4))


def forged(data: bytes, kind: bytes, offset: int, value: int) -> bytes:
    """Write another number into a box of an MP4."""
    changed = bytearray(data)
    struct.pack_into(">I", changed, data.index(kind) + offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (b"stsz", {8: 100_000_000, 4: 1}),
        (b"elst", {8: 100_000}),
        (b"ctts", {12: 2_000_000_000}),
    ],
)
def test_tables_that_declare_too_much_are_refused_before_opening(
    kind: bytes, changes: dict[int, int]
) -> None:
    options = {"bf": "2", "preset": "medium", "qp": "1"} if kind == b"ctts" else {}
    data = video(corner_frames(8), options=options)
    for offset, value in changes.items():
        # Offsets count from the type; versions and flags are its next four bytes.
        data = forged(data, kind, offset + (4 if kind == b"stsz" else 0), value)
    with pytest.raises(ClipError, match=r"declares \d+ samples|edit list of \d+ parts"):
        decode(data)


def test_uncompressed_sound_is_not_taken_for_too_much() -> None:
    sound = (tone(10.0), 48_000, 0.0)  # 480,000 samples in its tables
    data = video(corner_frames(), container="mov", sounds=[sound], sound_codec="pcm_s16le")
    track = small_track(audio=True)
    assert decode_for_track(data, track).audio is not None


def test_a_gif_of_too_many_frames_is_refused() -> None:
    data = bytearray(video(corner_frames(2), container="gif", codec="gif", pix_fmt="rgb8", fps=20))
    assert data[-1:] == b";"
    control = b"\x21\xf9\x04\x00\x00\x00\x00\x00"
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    many = bytes(data[:-1]) + (control + image) * 100_000 + b";"
    with pytest.raises(ClipError, match="more than 7200 frames"):
        decode_for_track(many, TRACK)


def test_a_file_of_hours_is_refused() -> None:
    hours = video(corner_frames(2), times=[0, 3 * 3600])
    with pytest.raises(ClipError, match=r"lasts 1080\d s; cut it to 600 s or less"):
        decode_for_track(hours, TRACK)


def test_sound_of_hours_is_refused() -> None:
    quiet = np.zeros((1, 700 * 8000), np.float32)
    data = video(corner_frames(), container="matroska", sounds=[(quiet, 8000, 0)])
    with pytest.raises(ClipError, match=r"lasts 700 s; cut it to 600 s or less"):
        decode_for_track(data, small_track(audio=True))


def test_a_change_of_the_frame_size_is_refused() -> None:
    first = video(corner_frames(12), container="matroska", codec="mjpeg", pix_fmt="yuvj420p")
    other = video(
        corner_frames(12, width=1024, height=768),
        container="matroska",
        codec="mjpeg",
        pix_fmt="yuvj420p",
    )
    buffer = BytesIO()
    with av.open(BytesIO(first)) as one, av.open(BytesIO(other)) as two:
        with av.open(buffer, "w", format="matroska") as output:
            stream = output.add_stream_from_template(one.streams.video[0])
            for shift, source in ((0, one), (500, two)):
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        output.mux(packet)
    with pytest.raises(ClipError, match=r"changes its frame size at 0\.5\d s"):
        decode(buffer.getvalue())


def test_a_file_of_too_many_packets_ends() -> None:
    sound = (tone(2.0), 48_000, 0.0)
    data = video(corner_frames(48), container="matroska", sounds=[sound])
    with pytest.raises(ClipError, match="more than 20 packets"):
        decode_for_track(data, TRACK, limits=Limits(packets=20))


def test_pictures_that_go_back_in_time_are_refused() -> None:
    buffer = BytesIO()
    data = video(corner_frames(12), container="matroska", codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(BytesIO(data)) as source, av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None:
                packet.pts = 40 * number if number < 8 else 40 * (number - 6)
                packet.dts = number
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(ClipError, match=r"goes back in time at 0\.2\d s"):
        decode(buffer.getvalue())


def test_large_buffers_keep_their_content_when_their_memory_is_released() -> None:
    frames = allocate_frames((26, 720, 1280, 3))
    assert not frames.any()
    frames[3], frames[25] = 7, 9
    view = frames[:20]
    release_frames(view)
    assert frames[3].min() == frames[3].max() == 7
    assert frames[25].min() == 9
    # As a message to another process.
    assert np.array_equal(pickle.loads(pickle.dumps(view[3])), frames[3])  # noqa: S301


def test_a_full_disk_is_not_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    frames = allocate_frames((26, 720, 1280, 3))
    frames[:] = 3
    release_frames(frames)
    assert frames.max() == 3


RENDER = """
import sys
from fractions import Fraction
from pathlib import Path
from generator.clips import ClipRequest
from generator.engine import import_clip
from generator.spec import BackendSpec, Entrant, TrackSettings
track = TrackSettings(
    name="t", modality="text-to-video", audio=False, width=1280, height=720, fps=Fraction(24),
    frames=120, video_kbps=4000, bytes=4000000,
)
entrant = Entrant(
    name="A", creator="B", licence="C", tracks=("t",), backend=BackendSpec(kind="folder")
)
clip = import_clip(Path(sys.argv[1]), ClipRequest(entrant, track, "p1", "rain", seed=0))
print(len(clip.rendition))
"""


def test_a_large_clip_is_imported_within_the_memory(tmp_path: Path) -> None:
    frames = ball_frames(121, 1280, 720)
    (tmp_path / "clip.mp4").write_bytes(video(frames))
    del frames
    printed, peak = run_and_measure(RENDER, tmp_path / "clip.mp4")
    assert printed == "4000000"
    assert peak < MAX_MIB


def test_a_decoder_that_keeps_too_many_frames_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = iter(range(0, 1 << 40, 100 << 20))
    monkeypatch.setattr("generator.media.pictures._private_bytes", lambda: next(memory))
    limits = Limits(frame_bytes=96 * 64 * 2)
    with pytest.raises(ClipError, match="takes more than 320 MiB to decode"):
        decode(video(corner_frames()), limits=limits)
    assert len(decode(video(corner_frames())).frames) == 24  # small frames are not counted
