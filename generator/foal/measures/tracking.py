"""Tell a clip's things from the empty scene, and their colours apart, frame by frame."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

from generator.foal.measures.camera import Backdrop
from generator.foal.world.render import NIGHT_THING
from generator.foal.world.scenes import COLOURS, Time

WORKING_PIXELS = 128  # a thing is 12 to 30 pixels wide: enough for its outline, quick to search
CHROMA_REACH = 0.13  # farther from all colours' chromaticities, a pixel has none of them
STAND_OUT = 0.045  # least difference from any darkening of the empty scene
GROW = 3  # pixels by which colours spread over what stands out beside them: shine, soft edges
LEAST_AREA = 0.0045  # of the picture: half the smallest thing, a small cube at the back
SOLID = 0.93  # of its convex hull: less of a thing is two that hide or touch each other
TOUCH_PIXELS = 4  # of another colour along an outline, more than soft edges leave
SEEN_SHARE = 0.25  # of the frames: fewer with so many pieces are things cut in two by others


@dataclass(frozen=True)
class Labels:
    """What each pixel of T frames belongs to."""

    colour: np.ndarray  # (T, H, W) int8, an index into COLOURS, -1 for no thing
    strength: np.ndarray  # (T, H, W), difference from the empty scene, shadows left out


@dataclass(frozen=True)
class Piece:
    """A connected region of one colour in one frame; lengths in picture heights."""

    centre: tuple[float, float]
    area: float
    harmonic: float  # fourth harmonic of its outline: 0 for a disc, .43 for a square
    rows: slice  # of the box around it, one pixel wider than it
    columns: slice
    mask: np.ndarray  # in that box, bool

    def holds(self, point: np.ndarray, height: int, width: int) -> bool:
        """Whether a point lies in the box around the piece."""
        row, column = point[1] * height, (point[0] - 0.5) * height + width / 2
        return bool(
            self.rows.start <= row <= self.rows.stop
            and self.columns.start <= column <= self.columns.stop
        )


def shrink(frames: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 -> (T, 128, w, 3) float32 in [0, 1]."""
    height, width = frames.shape[1:3]
    size = (round(width * WORKING_PIXELS / height), WORKING_PIXELS)
    if (height, width) == (2 * size[1], 2 * size[0]):
        # Four quarters in whole numbers: a third of the time of a mean over axes.
        total = np.add(frames[:, ::2, ::2], frames[:, 1::2, ::2], dtype=np.uint16)
        total += frames[:, ::2, 1::2]
        total += frames[:, 1::2, 1::2]
        return np.asarray(total * np.float32(1 / 1020))
    small = [Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames]
    return np.stack([np.asarray(picture, dtype=np.float32) for picture in small]) / 255


def label_colours(frames: np.ndarray, backdrop: Backdrop) -> Labels:
    """Things and their colours; frames as `shrink` gives them."""
    height, width = frames.shape[1:3]
    empty = backdrop.empty(height, width, np.arange(len(frames)))
    left = stand_out(frames, empty)
    standing = left > STAND_OUT
    pixels = frames[standing]
    chroma = pixels / (pixels.sum(axis=-1, keepdims=True) + 0.02)
    palette = _palette(backdrop.time)
    # |c - p|^2 without a temporary of pixels x colours x channels.
    distance = (chroma**2).sum(axis=-1)[:, None] - 2 * chroma @ palette.T + (palette**2).sum(1)
    nearest = distance.argmin(axis=-1).astype(np.int8)
    near = np.take_along_axis(distance, nearest[:, None].astype(int), axis=-1)[:, 0]
    nearest[near > CHROMA_REACH**2] = -1
    colour = np.full(frames.shape[:3], -1, dtype=np.int8)
    colour[standing] = nearest
    return Labels(_spread(_without_seams(colour), standing), left)


def stand_out(frames: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """How far pixels (..., 3) are from any darkening of the empty scene's.

    A shadow darkens all channels alike: what the best darkening leaves is a thing's.
    """
    dimming = np.minimum(_along(frames, empty) / _along(empty, empty), 1.0)
    red, green, blue = (
        np.abs(frames[..., i] - dimming * empty[..., i]) for i in range(frames.shape[-1])
    )
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _along(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Products of colours, summed over their channels: five times as fast as a sum over an axis."""
    red, green, blue = (one[..., i] * other[..., i] for i in range(one.shape[-1]))
    return np.asarray(red + green + blue)


def _without_seams(colour: np.ndarray) -> np.ndarray:
    """Colours without what is thinner than three pixels: mixtures along edges, ropes."""
    kept = np.full_like(colour, -1)
    for index in range(len(COLOURS)):
        mask = colour == index
        if mask.any():
            kept[_dilate(_erode(mask)) & mask] = index
    return kept


def _spread(colour: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """Let colours grow over neighbours that stand out but have none."""
    for _ in range(GROW):
        around = colour.copy()
        for here, there in _NEIGHBOURS:
            np.maximum(around[here], colour[there], out=around[here])
        colour = np.where((colour < 0) & standing, around, colour)
    return colour


_ALL, _ON, _BACK = slice(None), slice(1, None), slice(None, -1)
_NEIGHBOURS = (
    ((_ALL, _ON), (_ALL, _BACK)),
    ((_ALL, _BACK), (_ALL, _ON)),
    ((_ALL, _ALL, _ON), (_ALL, _ALL, _BACK)),
    ((_ALL, _ALL, _BACK), (_ALL, _ALL, _ON)),
)


def _erode(mask: np.ndarray) -> np.ndarray:
    # Shifts of the whole film: twenty times as fast as ndimage on a stack of pictures.
    small = mask.copy()
    for here, there in _NEIGHBOURS:
        small[here] &= mask[there]
    return small


def _dilate(mask: np.ndarray) -> np.ndarray:
    large = mask.copy()
    for here, there in _NEIGHBOURS:
        large[here] |= mask[there]
    return large


@lru_cache(maxsize=2)
def _palette(time: Time) -> np.ndarray:
    light = np.float32(1.0) if time == Time.DAY else np.asarray(NIGHT_THING, dtype=np.float32)
    colours = np.asarray(list(COLOURS.values()), dtype=np.float32) * light
    return np.asarray(colours / (colours.sum(axis=1, keepdims=True) + 0.02), dtype=np.float32)


def find_pieces(labels: Labels) -> dict[str, list[list[Piece]]]:
    """For each colour that is seen at all, its pieces in each frame, the largest first."""
    found = {}
    least = LEAST_AREA * labels.colour[0].size
    for index, name in enumerate(COLOURS):
        masks = labels.colour == index
        areas = masks.sum(axis=(1, 2))
        if (areas > least).mean() < 0.1:
            continue
        closed = _erode(_dilate(masks)) | masks  # dark bands and shine cut things in two
        found[name] = [
            _pieces(mask, labels, frame, index) if area > least / 2 else []
            for frame, (mask, area) in enumerate(zip(closed, areas, strict=True))
        ]
    return found


def count_things(pieces: list[list[Piece]]) -> int:
    """How many things of one colour there are: the most pieces at once, if often enough."""
    counts = np.array([len(frame) for frame in pieces])
    most = 0
    while (counts > most).mean() >= SEEN_SHARE:
        most += 1
    return most


def find_joined(pieces: list[list[Piece]], labels: Labels, colour: str) -> list[list[bool]]:
    """Of each piece, whether it must be two things: a hollow outline that nothing else explains."""
    index = list(COLOURS).index(colour)
    return [
        [_is_joined(piece, labels.colour[frame], index) for piece in found]
        for frame, found in enumerate(pieces)
    ]


def _is_joined(piece: Piece, colour: np.ndarray, index: int) -> bool:
    around = colour[piece.rows, piece.columns][ndimage.binary_dilation(piece.mask, iterations=2)]
    if np.count_nonzero((around >= 0) & (around != index)) > TOUCH_PIXELS:
        return False  # another thing may have cut it out
    rim = np.argwhere(piece.mask & ~ndimage.binary_erosion(piece.mask))
    corners = (rim[:, None] + _CORNERS).reshape(-1, 2)
    return bool(piece.mask.sum() < SOLID * ConvexHull(corners).volume)


_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])


def _pieces(mask: np.ndarray, labels: Labels, frame: int, index: int) -> list[Piece]:
    numbered, _ = ndimage.label(mask)
    pieces = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        rows, columns = (slice(max(0, part.start - 1), part.stop + 1) for part in box)
        filled = ndimage.binary_fill_holes(numbered[rows, columns] == number)
        if filled.sum() < LEAST_AREA * mask.size:
            continue
        other = labels.colour[frame, rows, columns]
        free = (other < 0) | (other == index)
        strength = labels.strength[frame, rows, columns]
        pieces.append(describe_piece(filled, strength, free, (rows, columns), mask.shape))
    return sorted(pieces, key=lambda piece: -piece.area)


def describe_piece(
    mask: np.ndarray,
    strength: np.ndarray,
    free: np.ndarray,
    box: tuple[slice, slice],
    shape: tuple[int, ...],
) -> Piece:
    """A piece's figures.

    Args:
        mask: its pixels in its box, holes filled.
        strength: difference from the empty scene in the box.
        free: pixels of the box that are no other thing's.
        box: rows and columns of the picture.
        shape: height and width of the picture.
    """
    y, x = np.nonzero(mask)
    turn = (x - x.mean() + 1j * (y - y.mean())) ** 4
    harmonic = abs(turn.sum()) / max(float(np.abs(turn).sum()), 1e-9)
    # Edge pixels count by how far they are covered: a centre finer than a pixel.
    core = ndimage.binary_erosion(mask)
    usual = max(float(np.median(strength[core])) if core.any() else 0.0, 1e-3)
    weight = np.clip(strength / usual, 0, 1) * (ndimage.binary_dilation(mask) & free)
    weight[core] = 1.0
    height, width = shape
    total = float(weight.sum())
    row = float((weight.sum(axis=1) * np.arange(len(weight))).sum()) / total + box[0].start + 0.5
    column = float((weight.sum(axis=0) * np.arange(weight.shape[1])).sum()) / total
    column += box[1].start + 0.5
    centre = ((column - width / 2) / height + 0.5, row / height)
    return Piece(centre, total / height**2, float(harmonic), *box, mask)
