"""Peak memory and time of reading odd, large and hostile media files.

Run: python tests/benchmarks/bench_media_memory.py

Each file is read in a process of its own, in the way of `arena import`: decoded for a track of the
shipped size (1280x720, 120 frames) and fitted to it. The limit is 512 MiB.
"""

import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from peak_memory import run_and_measure

LIMIT_MIB = 512
SECONDS, FPS = 6, 24
VIDEO = """
import sys
from fractions import Fraction
from pathlib import Path
from generator.errors import ClipError
from generator.media import decode_for_track, fit_to_track
from generator.spec import TrackSettings
track = TrackSettings(
    name="t", modality="text-to-video", audio=False, width=1280, height=720, fps=Fraction(24),
    frames=120, video_kbps=4000, bytes=4000000,
)
try:
    frames = fit_to_track(decode_for_track(Path(sys.argv[1]), track), track)[0].frames
    print("read")
except ClipError as error:
    print("refused:", str(error).replace(sys.argv[1], "the file"))
"""
IMAGE = """
import sys
from pathlib import Path
from generator.errors import ClipError
from generator.media.images import load_image
try:
    load_image(Path(sys.argv[1]), (1280, 720))
    print("read")
except ClipError as error:
    print("refused:", str(error).replace(sys.argv[1], "the file"))
"""


def write_video(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
    """Write six seconds of 4096x2304 with a moving bar."""
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 4096, 2304, pix_fmt
        for index in range(SECONDS * FPS):
            frame = av.VideoFrame(4096, 2304, pix_fmt)
            deep = frame.format.components[0].bits > 8
            for plane in frame.planes:
                size = plane.height, plane.line_size // (2 if deep else 1)
                rows = np.full(size, 360 if deep else 90, np.uint16 if deep else np.uint8)
                rows[8 * index : 8 * index + 64] //= 4
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def write_gif(path: Path, frames: int) -> None:
    """Write a GIF of single pixels."""
    header = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(6)
    image = b"\x21\xf9\x04\x00\x05\x00\x00\x00\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00"
    path.write_bytes(header + (image + b"\x02\x02\x44\x01\x00") * frames + b";")


def main() -> None:
    """Write the files, read them, and print a table."""
    fast = {"preset": "ultrafast"}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder / "h264-8-bit.mp4", "libx264", "yuv420p", fast)
        many = fast | {"x264-params": "ref=16:bframes=3"}
        write_video(folder / "h264-10-bit-16-references.mp4", "libx264", "yuv420p10le", many)
        write_video(folder / "h264-10-bit-444.mp4", "libx264", "yuv444p10le", fast)
        write_video(
            folder / "vp9.webm", "libvpx-vp9", "yuv420p", {"cpu-used": "8", "deadline": "1"}
        )
        write_gif(folder / "frames.gif", 100_000)
        Image.new("RGBA", (4096, 4096)).save(folder / "largest.png")
        Image.new("RGB", (9000, 7000)).save(folder / "largest.jpg", progressive=True)
        Image.new("RGB", (13_000, 13_000)).save(folder / "bomb.png")
        table = Table("file", "KiB", "peak MiB", "s", "outcome")
        for path in sorted(folder.iterdir()):
            started = time.monotonic()
            code = IMAGE if path.suffix in (".png", ".jpg") else VIDEO
            outcome, peak = run_and_measure(code, path)
            seconds, kib = time.monotonic() - started, path.stat().st_size / 1024
            over = "" if peak <= LIMIT_MIB else " (over the limit)"
            cells = f"{kib:.0f}", f"{peak:.0f}{over}", f"{seconds:.1f}", outcome
            table.add_row(path.name, *cells)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
