"""The boxes of an MP4 file (ISO/IEC 14496-12): what tells files of a track apart is evened out."""

import struct
from collections.abc import Iterator

# Boxes that hold boxes, with the length of their own fields before these.
_CONTAINERS = {
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
    b"avc1": 78,
    b"mp4a": 28,
}
_HEADER = 8
_DECODER_CONFIG = 0x04  # tag of the descriptor with the bit rates (ISO/IEC 14496-1)


def walk(
    data: bytes | bytearray, start: int = 0, end: int | None = None
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Every box as (path of types, offset, size in bytes), outer boxes first."""
    yield from _walk(data, start, len(data) if end is None else end, ())


def _walk(
    data: bytes | bytearray, start: int, end: int, parents: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    while start + _HEADER <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size == 1:
            size = struct.unpack_from(">Q", data, start + _HEADER)[0]
        if size < _HEADER or start + size > end:
            raise ValueError(f"box at byte {start} has a size of {size}")
        path = (*parents, kind.decode("latin-1"))
        yield path, start, size
        if kind in _CONTAINERS:
            yield from _walk(data, start + _HEADER + _CONTAINERS[kind], start + size, path)
        start += size


def equalize_size(data: bytes, *, size: int, video_bps: int, audio_bps: int) -> bytes | None:
    """The same MP4 with the track's bit rates in its headers, `size` bytes long.

    The muxer writes each file's own mean rates, and the length of its data, into the headers; both
    follow the content. The last box is the media data (the file is written for a fast start): it
    is lengthened by zeros that no sample refers to, so that all headers of a track's files resolve.
    None where the file is longer than `size`.
    """
    data = _expand_size_tables(data)
    if len(data) > size:
        return None
    evened = bytearray(data)
    last: tuple[tuple[str, ...], int, int] = ((), 0, 0)
    for path, offset, length in walk(data):
        match path[-1]:
            case "btrt":
                rate = video_bps if "avc1" in path else audio_bps
                struct.pack_into(">III", evened, offset + _HEADER, 0, rate, rate)
            case "udta":  # an empty list of tags
                evened[offset + 4 : offset + _HEADER] = b"free"
            case "esds":
                _set_descriptor_rates(evened, offset + _HEADER + 4, audio_bps)
        if len(path) == 1:
            last = path, offset, length
    path, offset, length = last
    if path != ("mdat",) or struct.unpack_from(">I", data, offset)[0] != length:
        raise ValueError("the media data is not the last box, with a 32-bit size")
    struct.pack_into(">I", evened, offset, length + size - len(data))
    return bytes(evened) + bytes(size - len(data))


def _expand_size_tables(data: bytes) -> bytes:
    """The same file with every sample's size in a table.

    The muxer writes one number where all samples are of one size, as those of pure silence are.
    """
    boxes = list(walk(data))
    for path, offset, length in boxes:
        if path[-1] != "stsz":
            continue
        sample_size, count = struct.unpack_from(">II", data, offset + _HEADER + 4)
        if sample_size == 0:
            continue
        table = struct.pack(f">{count}I", *[sample_size] * count)
        longer = bytearray(data)
        struct.pack_into(">I", longer, offset + _HEADER + 4, 0)
        for outer, start, outer_length in boxes:
            if start <= offset < start + outer_length:
                struct.pack_into(">I", longer, start, outer_length + len(table))
            if outer[-1] == "stco":  # the samples lie behind all headers
                _shift_offsets(longer, start, by=len(table))
        longer[offset + length : offset + length] = table
        return _expand_size_tables(bytes(longer))
    return data


def _shift_offsets(longer: bytearray, box: int, *, by: int) -> None:
    (count,) = struct.unpack_from(">I", longer, box + _HEADER + 4)
    layout, start = f">{count}I", box + _HEADER + 8
    offsets = struct.unpack_from(layout, longer, start)
    struct.pack_into(layout, longer, start, *(offset + by for offset in offsets))


def _set_descriptor_rates(evened: bytearray, position: int, rate: int) -> None:
    # An ES descriptor (3 bytes of its own without optional fields) holds the decoder's.
    _, position = _descriptor(evened, position)
    tag, position = _descriptor(evened, position + 3)
    if tag != _DECODER_CONFIG:
        raise ValueError("the sound's descriptor has no decoder configuration")
    # Object type and stream type, then a 24-bit buffer size, the greatest and the mean rate.
    evened[position + 2 : position + 5] = bytes(3)
    struct.pack_into(">II", evened, position + 5, rate, rate)


def _descriptor(data: bytearray, position: int) -> tuple[int, int]:
    """The tag at a position and where its content starts, after a length of 1 to 4 bytes."""
    tag = data[position]
    position += 1
    while data[position] & 0x80:
        position += 1
    return tag, position + 1
