"""Files as phones, editors, screen recorders and downloaders write them, for the tests of media."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO

import av
import numpy as np

RED, BLUE, GREY = (220, 30, 30), (30, 30, 200), (128, 128, 128)


def corner_frames(count: int = 24, *, width: int = 96, height: int = 64) -> np.ndarray:
    """Grey frames with a red upper left corner and a blue bar that moves down at the right edge."""
    frames = np.full((count, height, width, 3), GREY, np.uint8)
    frames[:, : height // 4, : width // 4] = RED
    for index in range(count):
        top = index * (height - 8) // max(1, count - 1)
        frames[index, top : top + 8, -8:] = BLUE
    return frames


def video(
    frames: np.ndarray,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[Fraction | float] | None = None,
    durations: Sequence[float] | None = None,
    fps: int = 24,
    options: dict[str, str] | None = None,
    setup: Callable[[av.VideoStream], None] | None = None,
    tag: Callable[[av.VideoFrame], None] | None = None,
    sounds: Sequence[tuple[np.ndarray, int, float]] = (),
    sound_codec: str = "aac",
    finish: Callable[[av.container.OutputContainer], None] | None = None,
    source_format: str = "rgb24",
) -> bytes:
    """Encode frames (T, H, W, C), and sounds given as (samples, rate, start in seconds).

    Args:
        frames: The frames, in `source_format`.
        container, codec, pix_fmt, options: FFmpeg's names.
        times: When each frame starts, in seconds; equidistant at `fps` by default.
        durations: How long each frame stands, in seconds, if the container is to say so.
        fps: The declared rate.
        setup: Sets up the video stream.
        tag: Sets tags of each frame that is encoded.
        sounds: Sound streams.
        sound_codec: Their codec.
        finish: Called with the container once all streams are added.
        source_format: FFmpeg's name of the frames' pixel format.
    """
    buffer = BytesIO()
    lossless = {"libx264": {"qp": "0", "preset": "ultrafast"}}.get(codec, {})
    # Some formats count in coarse units.
    tick = {"gif": Fraction(1, 100), "avi": Fraction(1, fps)}.get(container, Fraction(1, 90_000))
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=fps, options=lossless | (options or {}))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = tick
        if setup is not None:
            setup(stream)
        tracks = []
        for samples, rate, _ in sounds:
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
            tracks.append(output.add_stream(sound_codec, rate=rate, layout=layout))
        if finish is not None:
            finish(output)
        packets = []
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source_format)
            if source_format != pix_fmt:
                frame = frame.reformat(format=pix_fmt)
            if tag is not None:
                tag(frame)
            time = Fraction(index, fps) if times is None else Fraction(times[index])
            frame.pts, frame.time_base = round(time / tick), tick
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if durations is not None:  # encoders do not pass them on
            order = sorted(packets, key=lambda packet: packet.pts)
            for packet, duration in zip(order, durations, strict=True):
                packet.duration = round(Fraction(duration) / packet.time_base)
        for track, (samples, rate, start) in zip(tracks, sounds, strict=True):
            wave = np.ascontiguousarray(samples, dtype=np.float32)
            layout = track.codec_context.layout.name
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start * rate)
            packets += track.encode(frame)
            packets += track.encode(None)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            output.mux(packet)
    return buffer.getvalue()
