"""Write an MP4 while its frames are still being computed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO

import av
import torch
from av.audio.stream import AudioStream
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from torch import Tensor

from generator.media.sound import sound_frame
from generator.spec import AUDIO_RATE

# Fast enough to keep up with a GPU on a few CPU threads.
PRESET = "veryfast"
QUALITY = "23"  # x264's own constant quality


class VideoWriter:
    """Receives a clip in chunks, in order, and encodes it on CPU threads."""

    def __init__(self, width: int, height: int, fps: int, sample_rate: int) -> None:
        self._buffer = BytesIO()
        self._container = av.open(self._buffer, "w", format="mp4")
        options = {"preset": PRESET, "crf": QUALITY}
        self._video: VideoStream = self._container.add_stream("libx264", rate=fps, options=options)
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.thread_count = 0  # one per core
        self._audio: AudioStream = self._container.add_stream(
            "aac", rate=AUDIO_RATE, layout="stereo"
        )
        self._sample_rate = sample_rate
        self._time_base = Fraction(1, fps)
        self._frames = 0
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._jobs: list[Future[None]] = []

    def add_sound(self, samples: Tensor) -> None:
        """Append stereo samples (2, N) in [-1, 1] on any device."""
        self._send(self._write_sound, samples)

    def add_frames(self, frames: Tensor) -> None:
        """Append frames (n, H, W, 3) uint8 on any device; returns before the copy has finished."""
        self._send(self._write_frames, frames)

    def close(self) -> bytes:
        """Wait for the last frame and return the file.

        Raises:
            av.FFmpegError: A frame could not be encoded.
        """
        with self._worker:
            for job in self._jobs:
                job.result()
        self._container.mux(self._video.encode(None))
        self._container.close()
        return self._buffer.getvalue()

    def _send(self, write: Callable[[Tensor], None], tensor: Tensor) -> None:
        copied = None
        if tensor.is_cuda:
            # Copies are asynchronous only into pinned memory.
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            tensor = host.copy_(tensor, non_blocking=True)
            copied = torch.cuda.current_stream().record_event()
        self._jobs.append(self._worker.submit(_write_when_copied, copied, write, tensor))

    def _write_sound(self, samples: Tensor) -> None:
        frame = sound_frame(samples.numpy(), sample_rate=self._sample_rate)
        for packet in (frame, None):
            self._container.mux(self._audio.encode(packet))

    def _write_frames(self, frames: Tensor) -> None:
        for pixels in frames.contiguous().numpy():
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base = self._frames, self._time_base
            self._frames += 1
            self._container.mux(self._video.encode(frame))


def _write_when_copied(
    copied: torch.cuda.Event | None, write: Callable[[Tensor], None], tensor: Tensor
) -> None:
    if copied is not None:
        copied.synchronize()
    write(tensor)
