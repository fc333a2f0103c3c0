"""Read what FFmpeg does not report, or reports too late, from the bytes of an untrusted file.

The tables of an MP4 declare numbers of samples for which FFmpeg reserves memory on opening: 60
bytes can declare two thousand million. The cropping of a track is applied by players, not by
decoders.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from generator.errors import ClipError

MAX_EDITS = 64  # of one track of an MP4; editors write one to three
# The box of a visual sample entry that declares its clean aperture lies behind these bytes.
_SAMPLE_ENTRY = 8 + 78
# FFmpeg reads these boxes wherever they stand, so they are searched for and not looked up.
_TABLE = re.compile(rb"trak|stsz|stz2|stts|ctts|stsc|stco|co64|trun|elst|cmov")
_GIF_HEADER = 13
_GIF_IMAGE, _GIF_EXTENSION, _GIF_END = 0x2C, 0x21, 0x3B

# Matroska elements (RFC 9559) on the path to a track's cropping.
_SEGMENT, _TRACKS, _TRACK, _VIDEO, _TRACK_NUMBER = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0xD7
_CROPS = {0x54CC: "left", 0x54DD: "right", 0x54BB: "top", 0x54AA: "bottom"}


class Cropping(NamedTuple):
    """Pixels to remove at each side of the decoded frames."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


def check_tables(name: str, data: bytes, *, samples: int) -> None:
    """Check the number of samples that the tables of an MP4 declare.

    Args:
        name: The file's name in error messages.
        data: The file.
        samples: Maximum number of samples of all tracks.

    Raises:
        ClipError: The tables declare more samples, or more edits, than any real clip has.
    """
    declared, track = 0, _TrackTables()
    for start, end in _header_boxes(data):
        for match in _TABLE.finditer(data, start, end):
            kind, at = match.group(), match.end()
            if kind == b"cmov":
                raise ClipError(f"{name} has compressed headers; encode it again as MP4.")
            if kind == b"elst" and _uint32(data, at + 4) > MAX_EDITS:
                raise ClipError(
                    f"{name} has an edit list of {_uint32(data, at + 4)} parts; encode it again "
                    "as one part."
                )
            if kind == b"trun":
                declared += _uint32(data, at + 4)
            elif kind == b"trak":
                declared += track.samples
                track = _TrackTables()
            else:
                track.read(data, kind, at)
            if declared + track.samples > samples:
                raise ClipError(
                    f"{name} declares {declared + track.samples} samples, more than {samples}; "
                    "cut it and encode it again."
                )


class _TrackTables:
    """The numbers of entries that the sample tables of one track declare."""

    def __init__(self) -> None:
        self.sizes = self.chunks = self.samples_per_chunk = self.offsets = 0
        self.is_uncompressed = False

    @property
    def samples(self) -> int:
        """Entries of the index that FFmpeg builds: uncompressed sound has one per 1024 samples."""
        if self.is_uncompressed:
            return self.chunks * (1 + self.samples_per_chunk // 1024)
        return max(self.sizes, self.offsets)

    def read(self, data: bytes, kind: bytes, at: int) -> None:
        if kind in (b"stsz", b"stz2"):
            self.sizes = max(self.sizes, _uint32(data, at + 8))
            return
        count = _uint32(data, at + 4)
        if kind in (b"stco", b"co64"):
            self.chunks = max(self.chunks, count)
        elif kind == b"stts":
            self.is_uncompressed = count == 1 and _uint32(data, at + 12) == 1
        elif kind == b"stsc":
            entries = range(at + 12, min(at + 12 + 12 * count, len(data)), 12)
            self.samples_per_chunk = max([0, *(_uint32(data, each) for each in entries)])
        elif kind == b"ctts":
            entries = range(at + 8, min(at + 8 + 8 * count, len(data)), 8)
            self.offsets = sum(_uint32(data, each) for each in entries)


def _header_boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of all boxes of the top level but those of media data."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind != b"mdat":
            yield start, end


def count_gif_frames(data: bytes, *, limit: int) -> int:
    """Return the number of images in a GIF, counting no further than one above `limit`."""
    if len(data) < _GIF_HEADER:
        return 0
    at, count = _GIF_HEADER + _colour_table(data[10]), 0
    while at < len(data) and count <= limit:
        kind = data[at]
        if kind == _GIF_IMAGE and at + 10 <= len(data):
            count += 1
            at = _skip_blocks(data, at + 11 + _colour_table(data[at + 9]))
        elif kind == _GIF_EXTENSION:
            at = _skip_blocks(data, at + 2)
        else:
            break
    return count


def read_cropping(data: bytes, *, demuxer: str, track_id: int) -> Cropping:
    """Return the cropping that the container declares for a video track, if it declares one.

    Args:
        data: The file.
        demuxer: FFmpeg's name of the file's format.
        track_id: The track's number in the file.
    """
    if demuxer.startswith("matroska"):
        return _matroska_cropping(data, track_id)
    if demuxer.startswith("mov"):
        return _mp4_cropping(data, track_id)
    return Cropping()


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of the content of the boxes of one level of an MP4."""
    at = start
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        content = at + 8
        if size == 1 and at + 16 <= end:
            size, content = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        # A size of 0 means up to the end; other impossible sizes are treated alike.
        stop = min(at + size, end) if size >= 8 else end
        yield kind, content, stop
        at = stop


def _inside(data: bytes, start: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of every box on a path of types."""
    for kind, first, last in _boxes(data, start, end):
        if kind == path[0]:
            if len(path) == 1:
                yield first, last
            else:
                yield from _inside(data, first, last, *path[1:])


def _mp4_cropping(data: bytes, track_id: int) -> Cropping:
    for start, end in _inside(data, 0, len(data), b"moov", b"trak"):
        numbers = [
            _uint32(data, at + (20 if data[at] == 1 else 12))
            for at, _ in _inside(data, start, end, b"tkhd")
        ]
        if numbers[:1] == [track_id]:
            for at, stop in _inside(data, start, end, b"mdia", b"minf", b"stbl", b"stsd"):
                return _clean_aperture(data, at + 8, stop)
    return Cropping()


def _clean_aperture(data: bytes, entry: int, end: int) -> Cropping:
    """Return the cropping of the box `clap` in a visual sample entry (ISO/IEC 14496-12, 12.1.4)."""
    for kind, at, stop in _boxes(data, entry + _SAMPLE_ENTRY, end):
        if kind == b"clap" and stop - at >= 32:
            coded = struct.unpack_from(">HH", data, entry + 32)
            return _from_aperture(coded, struct.unpack_from(">IIIIiIiI", data, at))
    return Cropping()


def _from_aperture(coded: tuple[int, int], values: tuple[int, ...]) -> Cropping:
    sides: list[tuple[int, int]] = []
    for length, (n, d), (offset_n, offset_d) in zip(
        coded, (values[0:2], values[2:4]), (values[4:6], values[6:8]), strict=True
    ):
        if not d or not offset_d:
            return Cropping()
        kept, offset = n / d, offset_n / offset_d
        first = round((length - kept) / 2 + offset)
        last = length - first - round(kept)
        if kept < 1 or first < 0 or last < 0:
            return Cropping()
        sides.append((first, last))
    return Cropping(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def _matroska_cropping(data: bytes, track_id: int) -> Cropping:
    for segment in _elements(data, 0, len(data), _SEGMENT):
        for tracks in _elements(data, *segment, _TRACKS):
            for track in _elements(data, *tracks, _TRACK):
                numbers = [
                    _unsigned(data, *span) for span in _elements(data, *track, _TRACK_NUMBER)
                ]
                if numbers[:1] != [track_id]:
                    continue
                for video in _elements(data, *track, _VIDEO):
                    return Cropping(
                        **{
                            side: _unsigned(data, *span)
                            for element, side in _CROPS.items()
                            for span in _elements(data, *video, element)
                        }
                    )
            return Cropping()
    return Cropping()


def _elements(data: bytes, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of every element of a kind, on one level of EBML."""
    at = start
    while at < end:
        kind, at = _vint(data, at, keep_marker=True)
        length, at = _vint(data, at, keep_marker=False)
        if at > len(data) or kind < 0:
            return
        unknown = length < 0  # of a live stream: as long as the parent
        stop = end if unknown else min(at + length, end)
        if kind == wanted:
            yield at, stop
        at = stop


def _vint(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Read a variable-length integer; -1 if it is unknown or cut off."""
    if at >= len(data) or not data[at]:
        return -1, len(data) + 1
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    mask = (1 << 7 * length) - 1
    if not keep_marker:
        value &= mask
        if value == mask:
            return -1, at + length
    return value, at + length


def _unsigned(data: bytes, start: int, end: int) -> int:
    return int.from_bytes(data[start : min(end, start + 8)], "big")


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _uint32(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">I", data, at)[0]) if at + 4 <= len(data) else 0
