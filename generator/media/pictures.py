"""Decode the pictures of an untrusted file one after another, as they are shown."""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import BlockingIOError as FilterIsEmpty
from av.error import EOFError as FilterIsDone
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.media.colour import Colour, read_colour, to_rgb
from generator.media.geometry import Geometry, read_geometry
from generator.media.headers import read_cropping
from generator.media.probe import Limits, MediaInfo
from generator.media.streams import choose_video

# FFmpeg's own decoders of these codecs leave out the transparency that Matroska stores beside.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class Conversion:
    """How the pictures of a file are shown."""

    geometry: Geometry
    colour: Colour
    reformatter: VideoReformatter


@dataclass(frozen=True)
class Picture:
    """A decoded picture; `pixels` converts it, so that pictures that are not shown cost less."""

    time: float  # in seconds, from the first picture
    frame: VideoFrame = field(repr=False)
    conversion: Conversion = field(repr=False)

    def pixels(self) -> NDArray[np.uint8]:
        """Return the picture as shown, sRGB of shape (H, W, 3)."""
        how = self.conversion
        pixels = to_rgb(how.reformatter, self.frame, how.colour, how.geometry)
        return how.geometry.orientation.turn(pixels)


class PictureReader:
    """Decodes the video of an open file.

    After the first picture, `notes` are known; after the last, `end` is.

    Attributes:
        start: Time of the first picture in the file, in seconds.
        end: When the last picture ends, in seconds from the first.
        notes: What was changed to show the pictures, for the provenance.
    """

    def __init__(
        self,
        name: str,
        container: InputContainer,
        data: bytes,
        info: MediaInfo,
        *,
        limits: Limits,
        box: tuple[int, int] | None = None,
    ) -> None:
        self.name, self.info, self.limits, self.box = name, info, limits, box
        self._container, self._data = container, data
        self.stream, self.notes = choose_video(name, container)
        self.start = self.end = 0.0
        self._size: tuple[int, int] | None = None
        self._last_frame_s = 0.0

    def __iter__(self) -> Iterator[Picture]:
        last = None
        conversion: Conversion | None = None
        for count, (frame, time) in enumerate(self._progressive(self._timed_frames())):
            if conversion is None or last is None:
                self.start = time
                conversion = self._read_tags(frame)
            elif time <= last:
                if time < last - 1e-3:
                    raise ClipError(
                        f"{self.name} goes back in time at {last - self.start:.2f} s; "
                        "encode it again."
                    )
                continue  # two pictures of one time: the second is never seen
            if count >= self.limits.frames:
                raise ClipError(
                    f"{self.name} has more than {self.limits.frames} frames; cut it or lower its "
                    "frame rate."
                )
            self._last_frame_s = self._frame_s(frame, None if last is None else time - last)
            last = time
            yield Picture(time - self.start, frame, conversion)
        if last is None:
            raise ClipError(f"{self.name} has no decodable frames; encode it again as MP4.")
        own_end = last - self.start + self._last_frame_s
        declared = self._declared_end()
        # The container knows how long the last picture stands; a nonsensical end is left out.
        self.end = own_end if declared is None or declared <= last - self.start else declared

    def _read_tags(self, frame: VideoFrame) -> Conversion:
        cropping = read_cropping(
            self._data, demuxer=self.info.demuxer, track_id=self.stream.id or self.stream.index + 1
        )
        geometry = read_geometry(
            self.name,
            frame,
            pixel_aspect=self.stream.sample_aspect_ratio,
            cropping=cropping,
            box=self.box,
        )
        colour = read_colour(self.name, frame)
        self.notes = (*self.notes, *geometry.notes, *colour.notes)
        return Conversion(geometry, colour, VideoReformatter())

    def _timed_frames(self) -> Iterator[tuple[VideoFrame, float]]:
        """Yield frames with their time in the file, in seconds."""
        tick = self.stream.time_base or Fraction(1, av.time_base)
        following = 0.0  # for frames without a time, as in AVI
        for frame in _decode(self.name, self._container, self.stream, self.limits):
            stamp = frame.pts if frame.pts is not None else frame.dts
            time = following if stamp is None else float(stamp * tick)
            if frame.is_corrupt:
                raise ClipError(f"{self.name} is damaged at {time:.2f} s; encode it again.")
            size = frame.width, frame.height
            self._size = self._size or size
            if size != self._size:
                raise ClipError(
                    f"{self.name} changes its frame size at {time:.2f} s; encode it again."
                )
            following = time + float(1 / self.info.fps)
            yield frame, time

    def _progressive(
        self, frames: Iterator[tuple[VideoFrame, float]]
    ) -> Iterator[tuple[VideoFrame, float]]:
        """Deinterlace from the first interlaced frame on."""
        deinterlacer: _Deinterlacer | None = None
        for frame, time in frames:
            if frame.interlaced_frame and deinterlacer is None:
                deinterlacer = _Deinterlacer(frame, self.stream)
                self.notes = (*self.notes, "deinterlaced")
            if deinterlacer is None:
                yield frame, time
            else:
                yield from deinterlacer.push(frame, time)
        if deinterlacer is not None:
            yield from deinterlacer.push(None, 0.0)

    def _frame_s(self, frame: VideoFrame, gap: float | None) -> float:
        """How long a frame stands if no other follows, in seconds."""
        tick = self.stream.time_base
        if frame.duration and tick:
            return float(frame.duration * tick)
        return float(1 / self.info.fps) if gap is None else gap

    def _declared_end(self) -> float | None:
        """When the video ends by the container, in seconds from the first picture."""
        stream, tick = self.stream, self.stream.time_base
        if stream.duration and tick:
            first = stream.start_time * tick if stream.start_time is not None else self.start
            return float(first + stream.duration * tick) - self.start
        if tag := _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = tag.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - self.start
        if len(self._container.streams) == 1 and self._container.duration:
            return self._container.duration / av.time_base - self.start
        return None


def _decode(
    name: str, container: InputContainer, stream: VideoStream, limits: Limits
) -> Iterator[VideoFrame]:
    decoder, memory = _open_decoder(name, stream, limits), _DecoderMemory(name, limits)
    for count, packet in enumerate(container.demux()):
        if count > limits.packets:
            raise ClipError(f"{name} has more than {limits.packets} packets; encode it again.")
        if packet.stream.index != stream.index:  # (`stream_index` is 0 in the last packets)
            continue
        for frame in packet.decode() if decoder is None else decoder.decode(packet):
            if isinstance(frame, VideoFrame):
                yield frame
                memory.check(frame)
    # `packet.decode` flushes with the empty packet at the end.


def _open_decoder(name: str, stream: VideoStream, limits: Limits) -> VideoCodecContext | None:
    """Return a decoder to use in place of the stream's own, if that one would lose something."""
    options = {"max_pixels": str(limits.pixels)}
    context = stream.codec_context
    context.thread_count = 1
    context.options = options
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") != "1" or context.name not in _ALPHA_DECODERS:
        return None
    try:
        decoder = av.CodecContext.create(_ALPHA_DECODERS[context.name], "r")
    except ValueError:
        decoder = None
    if not isinstance(decoder, VideoCodecContext):
        raise ClipError(f"{name} is transparent; lay it on black and encode it again.")
    decoder.thread_count = 1
    decoder.options = options
    return decoder


class _DecoderMemory:
    """Ends the decoding of large frames whose references take too much memory.

    No header says how many frames a decoder will keep: usually 4 to 6, at most 17 of 28 MB.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name, self._limits = name, limits
        self._before = _private_bytes()

    def check(self, frame: VideoFrame) -> None:
        size = frame.width * frame.height * frame.format.padded_bits_per_pixel // 8
        if size < self._limits.frame_bytes // 2:
            return  # 17 of them are within the limit
        if _private_bytes() - self._before > self._limits.decoder_bytes:
            raise ClipError(
                f"{self._name} takes more than {self._limits.decoder_bytes // 2**20} MiB to "
                "decode; encode it again with fewer reference frames."
            )


def _private_bytes() -> int:
    """Memory of this process that is not shared or of files; 0 where the system does not say."""
    try:
        resident, shared = Path("/proc/self/statm").read_text(encoding="ascii").split()[1:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * mmap.PAGESIZE


class _Deinterlacer:
    """Makes one progressive frame of each interlaced one; its time is kept."""

    def __init__(self, frame: VideoFrame, stream: VideoStream) -> None:
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        tick = Fraction(1, av.time_base)
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=tick
        )
        steps = [self._graph.add("bwdif", "mode=send_frame:deint=interlaced")]
        self._graph.link_nodes(source, *steps, self._graph.add("buffersink")).configure()
        self._tick = tick

    def push(self, frame: VideoFrame | None, time: float) -> Iterator[tuple[VideoFrame, float]]:
        if frame is not None:
            frame.pts, frame.time_base = round(time / self._tick), self._tick
        self._graph.push(frame)
        while True:
            try:
                done = self._graph.pull()
            except (FilterIsEmpty, FilterIsDone):
                return
            if isinstance(done, VideoFrame) and done.pts is not None and done.time_base:
                yield done, float(done.pts * done.time_base)
