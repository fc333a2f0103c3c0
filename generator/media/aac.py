"""Fill AAC frames to one size, so that their sizes say nothing about the sound.

A frame (`raw_data_block` of ISO/IEC 14496-3, 4.4.2.1) is a sequence of elements up to ID_END, and
a fill element may be any of them. Its header takes 7 or 15 bits, so eight fill elements take a
whole number of bytes: put in front of a frame, they shift it by bytes, and nothing of it has to be
parsed. Decoders skip fill elements; the samples stay the same.
"""

ID_FIL = 0b110
MAX_COUNT = 15 + 255 - 1  # payload bytes of one fill element
ESCAPE = 15  # a count from which another 8 bits follow
ELEMENTS = 8
MIN_FILL = ELEMENTS * 7 // 8
MAX_FILL = ELEMENTS * (15 + 8 * MAX_COUNT) // 8
# EXT_FILL_DATA with its nibble of zeros, then the byte that the standard prescribes.
FIRST_BYTE, FILL_BYTE = 0x10, 0xA5


def fill_frame(frame: bytes, size: int) -> bytes | None:
    """Return the frame with fill elements in front, `size` bytes long; None if it does not fit.

    Args:
        frame: one `raw_data_block`, without ADTS header.
        size: of the result, in bytes.

    Raises:
        ValueError: more bytes are missing than eight fill elements hold.
    """
    missing = size - len(frame)
    if missing < MIN_FILL:
        return None
    return fill_bytes(missing) + frame


def fill_bytes(count: int) -> bytes:
    """Return eight fill elements of `count` bytes together."""
    if not MIN_FILL <= count <= MAX_FILL:
        raise ValueError(f"{count} bytes cannot be filled, only {MIN_FILL} to {MAX_FILL}")
    bits, length = 0, 0
    left = count - MIN_FILL
    for index in range(ELEMENTS):
        share = _share(left, elements=ELEMENTS - index)
        header, header_bits, payload = _element(share)
        left -= share
        bits = bits << header_bits | header
        length += header_bits
        for value in payload:
            bits = bits << 8 | value
        length += 8 * len(payload)
    return bits.to_bytes(length // 8)


def _share(left: int, *, elements: int) -> int:
    """Bytes beyond the 7 bits of a header that the next element takes.

    An element takes 0 to 14 bytes of payload, or 16 and more: a byte of escape and at least 15 of
    payload. It never leaves 15 to the last element.
    """
    if elements == 1:
        return left
    share = min(left, 1 + MAX_COUNT)
    if left - share == ESCAPE:
        share -= 1
    return share - 1 if share == ESCAPE else share


def _element(share: int) -> tuple[int, int, bytes]:
    """Return the header, its number of bits and the payload of a fill element."""
    if share < ESCAPE:
        return ID_FIL << 4 | share, 7, _payload(share)
    count = share - 1
    return (ID_FIL << 4 | ESCAPE) << 8 | (count - ESCAPE + 1), 15, _payload(count)


def _payload(count: int) -> bytes:
    return bytes([FIRST_BYTE, *[FILL_BYTE] * (count - 1)]) if count else b""
