"""How decoded frames are shown: cropped, with square pixels, upright, within a size."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.media.headers import Cropping

MAX_PIXEL_ASPECT = 16  # beyond it, the tag is wrong
_UNIT = 1 << 16  # of the display matrix' fixed-point numbers
_TOLERANCE = 0.02
_TURNS = {  # by the signs of a, b, c, d: the turn as players show it
    (-1, 0, 0, -1): "turned by 180 degrees",
    (0, 1, -1, 0): "turned by 90 degrees clockwise",
    (0, -1, 1, 0): "turned by 90 degrees counterclockwise",
    (-1, 0, 0, 1): "mirrored left to right",
    (1, 0, 0, -1): "mirrored top to bottom",
    (0, 1, 1, 0): "mirrored and turned by 90 degrees counterclockwise",
    (0, -1, -1, 0): "mirrored and turned by 90 degrees clockwise",
}
# Side data that says that a frame is not a flat picture.
_NOT_FLAT = {Type.SPHERICAL: "360-degree video", Type.STEREO3D: "stereoscopic video"}


@dataclass(frozen=True)
class Orientation:
    """The linear part of a display matrix, as signs: x' = a x + c y, y' = b x + d y."""

    a: int = 1
    b: int = 0
    c: int = 0
    d: int = 1

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height are exchanged."""
        return self.a == 0

    def turn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pixels (H, W, 3) as they are shown."""
        if self.swaps_sides:
            pixels = pixels.swapaxes(0, 1)
        if self.a < 0 or self.c < 0:
            pixels = pixels[:, ::-1]
        if self.b < 0 or self.d < 0:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True)
class Geometry:
    """What is done to decoded frames of one size.

    Attributes:
        cropping: Pixels that the container removes at each side.
        width: Of the frame after scaling, before turning.
        height: The same.
        orientation: How it is turned and mirrored.
        notes: Descriptions for the provenance.
    """

    cropping: Cropping
    width: int
    height: int
    orientation: Orientation
    notes: tuple[str, ...]

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as shown."""
        size = self.width, self.height
        return size[::-1] if self.orientation.swaps_sides else size


def side_data(frame: VideoFrame) -> dict[Type, bytes]:
    """Return what a file says about a frame beside its pixels, by type."""
    # (PyAV's type stubs describe another interface of the container.)
    items: Any = frame.side_data
    return {items[index].type: bytes(items[index]) for index in range(len(items))}


def read_geometry(
    name: str,
    frame: VideoFrame,
    *,
    pixel_aspect: Fraction | None,
    cropping: Cropping,
    box: tuple[int, int] | None,
) -> Geometry:
    """Return how a frame is shown, scaled down into a box if one is given.

    Args:
        name: The file's name in error messages.
        frame: The decoded frame.
        pixel_aspect: Width of a pixel divided by its height, if the file declares it.
        cropping: What the container crops.
        box: Maximum width and height of the result; None to keep the size.

    Raises:
        ClipError: The frame cannot be shown as a flat, upright rectangle.
    """
    orientation = _read_orientation(name, frame)
    notes: list[str] = []
    width = frame.width - cropping.left - cropping.right
    height = frame.height - cropping.top - cropping.bottom
    if width < 1 or height < 1:
        raise ClipError(f"{name} crops more than its frames have; correct its cropping.")
    if any(cropping):
        notes.append(f"cropped {frame.width}x{frame.height} to {width}x{height}")
    aspect = pixel_aspect if pixel_aspect and pixel_aspect > 0 else Fraction(1)
    if not Fraction(1, MAX_PIXEL_ASPECT) <= aspect <= MAX_PIXEL_ASPECT:
        raise ClipError(
            f"{name} has pixels of aspect ratio {aspect.numerator}:{aspect.denominator}; "
            "correct its sample aspect ratio."
        )
    # Stretch the shorter way, so that no detail is lost.
    shown_width = width * aspect if aspect > 1 else Fraction(width)
    shown_height = height / aspect if aspect < 1 else Fraction(height)
    if aspect != 1:
        size = _size(shown_width, shown_height)
        ratio = f"{aspect.numerator}:{aspect.denominator}"
        notes.append(
            f"stretched {width}x{height} to {size[0]}x{size[1]} (pixel aspect ratio {ratio})"
        )
    signs = orientation.a, orientation.b, orientation.c, orientation.d
    if signs in _TURNS:
        notes.append(_TURNS[signs])
    if box is not None:
        across, down = box[::-1] if orientation.swaps_sides else box
        scale = min(Fraction(1), across / shown_width, down / shown_height)
        if scale < 1:
            before = _size(shown_width, shown_height)
            shown_width, shown_height = shown_width * scale, shown_height * scale
            after = _size(shown_width, shown_height)
            if orientation.swaps_sides:
                before, after = before[::-1], after[::-1]
            notes.append(f"scaled {before[0]}x{before[1]} to {after[0]}x{after[1]}")
    return Geometry(cropping, *_size(shown_width, shown_height), orientation, tuple(notes))


def _size(width: Fraction, height: Fraction) -> tuple[int, int]:
    return max(1, round(width)), max(1, round(height))


def _read_orientation(name: str, frame: VideoFrame) -> Orientation:
    kinds = side_data(frame)
    for kind, noun in _NOT_FLAT.items():
        if kind in kinds and _is_not_flat(kind, kinds[kind]):
            raise ClipError(f"{name} is {noun}; use a flat one.")
    matrix = kinds.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return Orientation()
    a, b, _, c, d, _, _, _, _ = np.frombuffer(matrix, np.int32)[:9].tolist()
    # The lengths of the columns scale both axes; FFmpeg reports them as the pixel aspect ratio.
    across, down = math.hypot(a, b) or _UNIT, math.hypot(c, d) or _UNIT
    exact = a / across, b / across, c / down, d / down
    signs = tuple(round(value) for value in exact)
    upright = all(abs(value - sign) < _TOLERANCE for value, sign in zip(exact, signs, strict=True))
    if not upright or abs(signs[0] * signs[3] - signs[1] * signs[2]) != 1:
        angle = math.degrees(math.atan2(exact[1], exact[0]))
        raise ClipError(f"{name} is turned by {angle:.0f} degrees; encode it upright.")
    return Orientation(*signs)


def _is_not_flat(kind: Type, data: bytes) -> bool:
    # The first field of both is the type; 0 is an equirectangular projection, or flat for stereo.
    return kind is Type.SPHERICAL or int.from_bytes(data[:4], "little") != 0
