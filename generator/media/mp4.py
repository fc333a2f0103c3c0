"""Walk the boxes of an MP4 file (ISO/IEC 14496-12) and make files of a track indistinguishable."""

import struct
from collections.abc import Iterator

# Container boxes, and the length in bytes of the fields before their children.
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
    """Yield every box as (path of types, offset, size in bytes), parents before children."""
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
    """Pad an MP4 to a size and write the track's bit rates into its headers.

    The muxer writes the measured mean bit rates and the length of the media data into the headers,
    and both depend on the content. The last box is the media data (because of +faststart); it is
    extended with zeros that no sample refers to, so that the headers of all files agree.

    Args:
        data: The file.
        size: Target size in bytes.
        video_bps: Nominal video bit rate, bits per second.
        audio_bps: Nominal audio bit rate, bits per second.

    Returns:
        The file, or None if it is larger than `size`.
    """
    data = _expand_size_tables(data)
    if len(data) > size:
        return None
    padded = bytearray(data)
    last: tuple[tuple[str, ...], int, int] = ((), 0, 0)
    for path, offset, length in walk(data):
        match path[-1]:
            case "btrt":
                rate = video_bps if "avc1" in path else audio_bps
                struct.pack_into(">III", padded, offset + _HEADER, 0, rate, rate)
            case "udta":  # an empty list of tags
                padded[offset + 4 : offset + _HEADER] = b"free"
            case "esds":
                _set_descriptor_rates(padded, offset + _HEADER + 4, audio_bps)
        if len(path) == 1:
            last = path, offset, length
    path, offset, length = last
    if path != ("mdat",) or struct.unpack_from(">I", data, offset)[0] != length:
        raise ValueError("the last box is not media data with a 32-bit size")
    struct.pack_into(">I", padded, offset, length + size - len(data))
    return bytes(padded) + bytes(size - len(data))


def _expand_size_tables(data: bytes) -> bytes:
    """Write every sample's size into a table.

    The muxer writes a single size if all samples have it, as in pure silence.
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
            if outer[-1] == "stco":  # all samples follow the headers
                _shift_offsets(longer, start, by=len(table))
        longer[offset + length : offset + length] = table
        return _expand_size_tables(bytes(longer))
    return data


def _shift_offsets(longer: bytearray, box: int, *, by: int) -> None:
    (count,) = struct.unpack_from(">I", longer, box + _HEADER + 4)
    layout, start = f">{count}I", box + _HEADER + 8
    offsets = struct.unpack_from(layout, longer, start)
    struct.pack_into(layout, longer, start, *(offset + by for offset in offsets))


def _set_descriptor_rates(data: bytearray, position: int, rate: int) -> None:
    # The ES descriptor has 3 bytes of fields (no optional ones), then the decoder's descriptor.
    _, position = _descriptor(data, position)
    tag, position = _descriptor(data, position + 3)
    if tag != _DECODER_CONFIG:
        raise ValueError("the audio descriptor has no decoder configuration")
    # Object type, stream type, 24-bit buffer size, maximum and average bit rate.
    data[position + 2 : position + 5] = bytes(3)
    struct.pack_into(">II", data, position + 5, rate, rate)


def _descriptor(data: bytearray, position: int) -> tuple[int, int]:
    """Return a descriptor's tag and the position of its content, after 1 to 4 length bytes."""
    tag = data[position]
    position += 1
    while data[position] & 0x80:
        position += 1
    return tag, position + 1
