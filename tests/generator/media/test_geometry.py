"""Clips are shown upright, with square pixels and cropped, as a player shows them."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from odd_videos import RED, corner_frames, video
from small_clips import small_track

from generator.errors import ClipError
from generator.media import decode, fit_to_track
from generator.media.decode import decode_for_track

TRACK = small_track(audio=False)
FRAMES = corner_frames()
# Degrees counterclockwise, mirrored: what a viewer sees, and how it is described.
TURNS = [
    (90, False, lambda f: np.rot90(f, 1), "turned by 90 degrees counterclockwise"),
    (-90, False, lambda f: np.rot90(f, -1), "turned by 90 degrees clockwise"),
    (180, False, lambda f: np.rot90(f, 2), "turned by 180 degrees"),
    (0, True, lambda f: f[:, ::-1], "mirrored left to right"),
]


def red_corner(frame: np.ndarray) -> tuple[float, float]:
    """Return where the middle of the red corner is, as shares of width and height."""
    y, x = np.nonzero(np.abs(frame.astype(int) - RED).max(axis=-1) < 60)
    return x.mean() / frame.shape[1], y.mean() / frame.shape[0]


@pytest.mark.parametrize("container", ["mp4", "mov"])
@pytest.mark.parametrize(("degrees", "mirrored", "shown", "description"), TURNS)
def test_a_display_matrix_turns_the_frames(
    container, degrees, mirrored, shown, description
) -> None:
    def setup(stream) -> None:
        stream.set_display_rotation(degrees, mirrored)

    data = video(FRAMES, container=container, setup=setup)
    expected = shown(FRAMES[5])
    raw = decode(data)
    assert raw.frames.shape[1:] == expected.shape
    assert red_corner(raw.frames[5]) == pytest.approx(red_corner(expected), abs=0.02)
    assert description in raw.adapted
    fitted, changes = fit_to_track(decode_for_track(data, TRACK), TRACK)
    assert description in changes
    portrait = expected.shape[0] > expected.shape[1]
    assert (fitted.frames[5, :, :20].max() == 0) == portrait


@pytest.mark.parametrize("degrees", [30, 45, 100])
def test_another_angle_is_refused(degrees) -> None:
    data = video(FRAMES, setup=lambda stream: stream.set_display_rotation(degrees))
    with pytest.raises(ClipError, match=r"turned by -?\d+ degrees; encode it upright"):
        decode(data)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov"])
@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (192, 64)), (Fraction(1, 2), (96, 128))]
)
def test_pixels_become_square(container, aspect, size) -> None:
    def setup(stream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    raw = decode(video(FRAMES, container=container, setup=setup))
    assert raw.frames.shape[2:0:-1] == size
    ratio = f"{aspect.numerator}:{aspect.denominator}"
    assert raw.adapted[0] == f"stretched 96x64 to {size[0]}x{size[1]} (pixel aspect ratio {ratio})"


def test_an_impossible_pixel_aspect_ratio_is_refused() -> None:
    def setup(stream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(1, 20)

    with pytest.raises(ClipError, match=r"aspect ratio 1:20"):
        decode(video(FRAMES, setup=setup))


def with_clean_aperture(data: bytes, width: int, height: int, x: int, y: int) -> bytes:
    """Add a box `clap` to the video of an MP4 whose media data comes before its headers."""
    box = struct.pack(">I4s", 40, b"clap")
    box += struct.pack(">IIIIiIiI", width, 1, height, 1, x, 1, y, 1)
    entry = data.index(b"avc1", data.index(b"stsd")) - 4
    size = struct.unpack_from(">I", data, entry)[0]
    longer = bytearray(data[: entry + size] + box + data[entry + size :])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = longer.index(kind, longer.index(b"moov")) - 4
        struct.pack_into(">I", longer, at, struct.unpack_from(">I", longer, at)[0] + len(box))
    return bytes(longer)


def test_the_cropping_of_an_mp4_is_applied() -> None:
    # The middle of the aperture lies 12 pixels left of and 8 above that of the frame.
    data = with_clean_aperture(video(FRAMES), width=72, height=48, x=-12, y=-8)
    raw = decode(data)
    assert raw.frames.shape[1:3] == (48, 72)
    assert "cropped 96x64 to 72x48" in raw.adapted
    assert red_corner(raw.frames[0]) == pytest.approx((12 / 72, 8 / 48), abs=0.02)
    assert np.abs(raw.frames[0].astype(int) - decode(video(FRAMES)).frames[0, :48, :72]).max() < 12


def element(identifier: int, content: bytes) -> bytes:
    """Return an element of EBML, its size in eight bytes."""
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (0x0100_0000_0000_0000 | len(content)).to_bytes(8, "big") + content


def with_elements(data: bytes, path: tuple[int, ...], extra: bytes) -> bytes:
    """Add elements of EBML at the end of the first element on a path of identifiers."""
    if not path:
        return data + extra
    at, result, found = 0, b"", False
    while at < len(data):
        start, width = at, 9 - data[at].bit_length()
        identifier = int.from_bytes(data[at : at + width], "big")
        at += width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        at += width
        content, at = data[at : at + size], at + size
        if identifier == path[0] and not found:
            found = True
            result += element(identifier, with_elements(content, path[1:], extra))
        else:
            result += data[start:at]
    assert found
    return result


def test_the_cropping_of_a_matroska_file_is_applied() -> None:
    crops = element(0x54CC, bytes([24])) + element(0x54AA, bytes([16]))
    data = with_elements(
        video(FRAMES, container="matroska"), (0x18538067, 0x1654AE6B, 0xAE, 0xE0), crops
    )
    raw = decode(data)
    assert raw.frames.shape[1:3] == (48, 72)
    assert "cropped 96x64 to 72x48" in raw.adapted


def test_larger_frames_are_scaled_in_decoding_and_this_is_said() -> None:
    data = video(corner_frames(width=384, height=256))
    raw = decode_for_track(data, TRACK)
    assert raw.frames.shape[1:3] == (64, 96)
    assert "scaled 384x256 to 96x64" in raw.adapted
