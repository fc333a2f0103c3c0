"""Segmentation: separate objects from the background and from each other by colour, per frame."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.working_frames import as_floats
from generator.foal.world.render import NIGHT_TINT
from generator.foal.world.scenes import COLOURS, Time

MAX_CHROMA_DISTANCE = 0.13  # from a colour's chromaticity
FOREGROUND_THRESHOLD = 0.045  # least difference from any darkened background
GROW_ITERATIONS = 3  # pixels by which colours grow over foreground: highlights, soft edges
BLOCK_FRAMES = 12  # segmented at once
MIN_AREA = 0.0045  # of the image: half of the smallest object, a small cube at the back
MIN_SOLIDITY = 0.93  # area over that of the convex hull; less indicates merged objects
MAX_CONTACT_PIXELS = 4  # of another colour along an outline, more than soft edges cause
MIN_FRAME_SHARE = 0.25  # of frames with N regions, for a count of N objects


@dataclass(frozen=True)
class Segmentation:
    """Class and foreground strength of each pixel of T frames."""

    colour: np.ndarray  # (T, H, W) int8, index into COLOURS, -1 for background
    strength: np.ndarray  # (T, H, W), difference from the background except for shadows


@dataclass(frozen=True)
class Region:
    """A connected region of one colour in one frame; lengths in image heights."""

    centre: tuple[float, float]
    area: float
    harmonic: float  # fourth harmonic of its outline: 0 for a disc, .43 for a square
    rows: slice  # of its bounding box with a margin of one pixel
    columns: slice
    mask: np.ndarray  # bool, of the bounding box

    def contains(self, point: np.ndarray, height: int, width: int) -> bool:
        """Whether a point lies in the bounding box."""
        row, column = point[1] * height, (point[0] - 0.5) * height + width / 2
        return bool(
            self.rows.start <= row <= self.rows.stop
            and self.columns.start <= column <= self.columns.stop
        )


def segment_colours(frames: np.ndarray, backdrop: Backdrop) -> Segmentation:
    """Segment frames as returned by `downsample`."""
    strength = np.empty(frames.shape[:3], np.float32)
    colour = np.empty(frames.shape[:3], np.int8)
    for start in range(0, len(frames), BLOCK_FRAMES):  # bounds the memory
        block = slice(start, start + BLOCK_FRAMES)
        indices = np.arange(len(frames))[block]
        pixels = as_floats(frames[block])
        strength[block], colour[block] = _nearest_colours(pixels, indices, backdrop)
    return Segmentation(_grow(_open(colour), strength > FOREGROUND_THRESHOLD), strength)


def _nearest_colours(
    frames: np.ndarray, indices: np.ndarray, backdrop: Backdrop
) -> tuple[np.ndarray, np.ndarray]:
    """Foreground strength and nearest colour, -1 for none, of each pixel of some frames."""
    height, width = frames.shape[1:3]
    empty = backdrop.empty(height, width, indices)
    strength = foreground_strength(frames, empty)
    foreground = strength > FOREGROUND_THRESHOLD
    pixels = frames[foreground]
    chroma = pixels / (pixels.sum(axis=-1, keepdims=True) + 0.02)
    palette = _palette(backdrop.time)
    # |c - p|^2 without a temporary array of pixels x colours x channels.
    distance = (chroma**2).sum(axis=-1)[:, None] - 2 * chroma @ palette.T + (palette**2).sum(1)
    nearest = distance.argmin(axis=-1).astype(np.int8)
    near = np.take_along_axis(distance, nearest[:, None].astype(int), axis=-1)[:, 0]
    nearest[near > MAX_CHROMA_DISTANCE**2] = -1
    colour = np.full(frames.shape[:3], -1, dtype=np.int8)
    colour[foreground] = nearest
    return strength, colour


def foreground_strength(frames: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Difference of pixels (..., 3) from the best darkening of the background.

    Shadows darken all channels equally, so what remains belongs to objects.
    """
    dimming = np.minimum(_dot(frames, empty) / _dot(empty, empty), 1.0)
    red, green, blue = (
        np.abs(frames[..., i] - dimming * empty[..., i]) for i in range(frames.shape[-1])
    )
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Dot product over the channels, five times as fast as a sum over an axis."""
    red, green, blue = (one[..., i] * other[..., i] for i in range(one.shape[-1]))
    return np.asarray(red + green + blue)


def _open(colour: np.ndarray) -> np.ndarray:
    """Morphological opening per colour: removes mixed pixels along edges, and ropes."""
    opened = np.full_like(colour, -1)
    for index in range(len(COLOURS)):
        mask = colour == index
        if mask.any():
            opened[_dilate(_erode(mask)) & mask] = index
    return opened


def _grow(colour: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Grow colours over neighbouring foreground pixels without a colour."""
    for _ in range(GROW_ITERATIONS):
        grown = colour.copy()
        for target, source in _NEIGHBOURS:
            np.maximum(grown[target], colour[source], out=grown[target])
        colour = np.where((colour < 0) & foreground, grown, colour)
    return colour


_ALL, _ON, _BACK = slice(None), slice(1, None), slice(None, -1)
_NEIGHBOURS = (
    ((_ALL, _ON), (_ALL, _BACK)),
    ((_ALL, _BACK), (_ALL, _ON)),
    ((_ALL, _ALL, _ON), (_ALL, _ALL, _BACK)),
    ((_ALL, _ALL, _BACK), (_ALL, _ALL, _ON)),
)


def _erode(mask: np.ndarray) -> np.ndarray:
    # Shifting the whole clip is twenty times as fast as ndimage on a stack of frames.
    small = mask.copy()
    for target, source in _NEIGHBOURS:
        small[target] &= mask[source]
    return small


def _dilate(mask: np.ndarray) -> np.ndarray:
    large = mask.copy()
    for target, source in _NEIGHBOURS:
        large[target] |= mask[source]
    return large


@lru_cache(maxsize=2)
def _palette(time: Time) -> np.ndarray:
    light = np.float32(1.0) if time == Time.DAY else np.asarray(NIGHT_TINT, dtype=np.float32)
    colours = np.asarray(list(COLOURS.values()), dtype=np.float32) * light
    return np.asarray(colours / (colours.sum(axis=1, keepdims=True) + 0.02), dtype=np.float32)


def find_regions(segmentation: Segmentation) -> dict[str, list[list[Region]]]:
    """For each colour in the clip, its regions in each frame, the largest first."""
    by_colour = {}
    min_pixels = MIN_AREA * segmentation.colour[0].size
    for index, name in enumerate(COLOURS):
        masks = segmentation.colour == index
        areas = masks.sum(axis=(1, 2))
        if (areas > min_pixels).mean() < 0.1:
            continue
        closed = _erode(_dilate(masks)) | masks  # dark bands and highlights split objects
        by_colour[name] = [
            _frame_regions(mask, segmentation, frame, index) if area > min_pixels / 2 else []
            for frame, (mask, area) in enumerate(zip(closed, areas, strict=True))
        ]
    return by_colour


def count_objects(regions: list[list[Region]]) -> int:
    """Number of objects of one colour: the most regions seen at once in enough frames."""
    counts = np.array([len(frame) for frame in regions])
    count = 0
    while (counts > count).mean() >= MIN_FRAME_SHARE:
        count += 1
    return count


def find_merged(
    regions: list[list[Region]], segmentation: Segmentation, colour: str
) -> list[list[bool]]:
    """For each region, whether its outline is concave without another object in front of it."""
    index = list(COLOURS).index(colour)
    return [
        [_is_merged(region, segmentation.colour[frame], index) for region in frame_regions]
        for frame, frame_regions in enumerate(regions)
    ]


def _is_merged(region: Region, colour: np.ndarray, index: int) -> bool:
    neighbours = colour[region.rows, region.columns][
        ndimage.binary_dilation(region.mask, iterations=2)
    ]
    if np.count_nonzero((neighbours >= 0) & (neighbours != index)) > MAX_CONTACT_PIXELS:
        return False  # may be caused by another object in front
    boundary = np.argwhere(region.mask & ~ndimage.binary_erosion(region.mask))
    corners = (boundary[:, None] + _CORNERS).reshape(-1, 2)
    return bool(region.mask.sum() < MIN_SOLIDITY * ConvexHull(corners).volume)


_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])


def _frame_regions(
    mask: np.ndarray, segmentation: Segmentation, frame: int, index: int
) -> list[Region]:
    numbered, _ = ndimage.label(mask)
    regions = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        rows, columns = (slice(max(0, part.start - 1), part.stop + 1) for part in box)
        filled = ndimage.binary_fill_holes(numbered[rows, columns] == number)
        if filled.sum() < MIN_AREA * mask.size:
            continue
        other = segmentation.colour[frame, rows, columns]
        free = (other < 0) | (other == index)
        strength = segmentation.strength[frame, rows, columns]
        regions.append(measure_region(filled, strength, free, (rows, columns), mask.shape))
    return sorted(regions, key=lambda region: -region.area)


def measure_region(
    mask: np.ndarray,
    strength: np.ndarray,
    free: np.ndarray,
    box: tuple[slice, slice],
    shape: tuple[int, ...],
) -> Region:
    """Measure centre, area and outline of a region.

    Args:
        mask: its pixels within its bounding box, holes filled.
        strength: foreground strength in the box.
        free: pixels of the box that do not belong to another object.
        box: rows and columns of the box in the frame.
        shape: height and width of the frame.
    """
    y, x = np.nonzero(mask)
    fourth_power = (x - x.mean() + 1j * (y - y.mean())) ** 4
    harmonic = abs(fourth_power.sum()) / max(float(np.abs(fourth_power).sum()), 1e-9)
    # Weight edge pixels by their coverage, for a centre with subpixel accuracy.
    core = ndimage.binary_erosion(mask)
    median_strength = max(float(np.median(strength[core])) if core.any() else 0.0, 1e-3)
    weight = np.clip(strength / median_strength, 0, 1) * (ndimage.binary_dilation(mask) & free)
    weight[core] = 1.0
    height, width = shape
    weight_sum = float(weight.sum())
    row = (
        float((weight.sum(axis=1) * np.arange(len(weight))).sum()) / weight_sum + box[0].start + 0.5
    )
    column = float((weight.sum(axis=0) * np.arange(weight.shape[1])).sum()) / weight_sum
    column += box[1].start + 0.5
    centre = ((column - width / 2) / height + 0.5, row / height)
    return Region(centre, weight_sum / height**2, float(harmonic), *box, mask)
