"""What a tracked thing looks like: ball or cube, its material, its size."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.object_tracks import Track
from generator.foal.measures.segmentation import Region, Segmentation
from generator.foal.world.background import HORIZON
from generator.foal.world.physics import BALL_RADIUS, CUBE_HALF, DEPTH_SCALE, SIZES, VIEW_CENTRE
from generator.foal.world.render import NIGHT_TINT
from generator.foal.world.scenes import COLOURS, Material, Shape, Size, Time

SQUARE_HARMONIC = 0.20  # fourth harmonic of an outline: 0 for a disc, .43 for a square
SAMPLED_FRAMES = 9  # frames in which a surface is looked at
EROSION_PIXELS = 2  # working pixels at the outline that belong to no surface
WOOD_ROUGHNESS = (
    0.10  # what is left of the brightness without its smooth part: more is no plain thing
)
METAL_GLOSS, WOOD_GLOSS = (
    0.085,
    0.03,
)  # mean share of white on a surface: more is metal, less is not
MIN_SHADOW = 0.03  # share of light taken: less may be the empty scene's own


def classify_shape(track: Track) -> Shape | None:
    """None where it was never whole."""
    if math.isnan(track.harmonic):
        return None
    return Shape.CUBE if track.harmonic > SQUARE_HARMONIC else Shape.BALL


@dataclass(frozen=True)
class Surface:
    """Mean share of white, and roughness of the brightness, as shares of the thing's colour."""

    gloss: float
    roughness: float

    @property
    def material(self) -> Material:
        if self.gloss > (WOOD_GLOSS if self.roughness > WOOD_ROUGHNESS else METAL_GLOSS):
            return Material.METAL
        return Material.WOOD if self.roughness > WOOD_ROUGHNESS else Material.PLAIN


def measure_surface(track: Track, frames: np.ndarray, colour: str, time: Time) -> Surface | None:
    """Medians over some frames in which the thing was whole; None where it never was."""
    unoccluded = np.flatnonzero(track.unoccluded)
    if not len(unoccluded):
        return None
    light = np.asarray(NIGHT_TINT if time == Time.NIGHT else (1.0, 1.0, 1.0))
    # A pixel is so much of the colour and so much of white.
    unmixing = np.linalg.pinv(np.stack([COLOURS[colour] * light, light], axis=1))
    samples = []
    for frame in unoccluded[np.linspace(0, len(unoccluded) - 1, SAMPLED_FRAMES).astype(int)]:
        region = track.regions[frame]
        if region is not None and (result := _sample_surface(region, frames[frame], unmixing)):
            samples.append(result)
    return Surface(*(float(v) for v in np.median(samples, axis=0))) if samples else None


def _sample_surface(
    region: Region, picture: np.ndarray, unmixing: np.ndarray
) -> tuple[float, float] | None:
    interior = ndimage.binary_erosion(region.mask, iterations=EROSION_PIXELS)
    y, x = np.nonzero(interior)
    if len(y) < 20:
        return None
    shade, white = unmixing @ picture[region.rows, region.columns][interior].T
    shade = shade / np.clip(1 - white, 0.2, None)  # white lies over the colour
    radius = math.sqrt(region.mask.sum() / math.pi)
    x, y = (x - x.mean()) / radius, (y - y.mean()) / radius
    # A lit ball's brightness is a plane of x, y and its height; a cube's is one of x and y.
    height = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y, height], axis=1)
    residual = shade - basis @ np.linalg.lstsq(basis, shade, rcond=None)[0]
    return float(np.clip(white, 0, None).mean()), float(residual.std() / max(shade.mean(), 0.05))


def half_width(area: float, shape: Shape | None) -> float:
    """A ball's radius, or half a cube's edge."""
    return math.sqrt(area) / 2 if shape == Shape.CUBE else math.sqrt(area / math.pi)


def classify_size(half: float, ground: float, shape: Shape | None) -> Size:
    """From half its width, and how near it is by where it touches the ground, or would.

    Args:
        half: of the whole thing, picture heights.
        ground: y, NaN where it cannot be told.
        shape: of the thing.
    """
    ratio = half / (CUBE_HALF if shape == Shape.CUBE else BALL_RADIUS)
    if not math.isnan(ground):
        levels = sorted(DEPTH_SCALE)
        ratio /= float(np.interp(ground, levels, [DEPTH_SCALE[level] for level in levels]))
    return min(SIZES, key=lambda size: abs(math.log(ratio / SIZES[size])))


def find_shadow(
    track: Track, frames: np.ndarray, segmentation: Segmentation, backdrop: Backdrop
) -> float:
    """Y in the world of the shadow below a thing in the air, NaN where none is seen."""
    unoccluded = np.flatnonzero(track.unoccluded)
    height, width = frames.shape[1:3]
    result = []
    for frame in unoccluded[np.linspace(0, len(unoccluded) - 1, SAMPLED_FRAMES).astype(int)]:
        region = track.regions[frame]
        if region is None:
            continue
        empty = backdrop.empty(height, width, np.array([frame]))[0]
        middle = round((region.centre[0] - 0.5) * height + width / 2 - 0.5)
        columns = slice(max(0, middle - 1), middle + 2)
        soil = slice(int((HORIZON + 0.04) * height), height)
        shown, clear = frames[frame, soil, columns], empty[soil, columns]
        darkening = 1 - (shown * clear).sum(axis=-1) / (clear**2).sum(axis=-1)
        darkening = np.where(segmentation.colour[frame, soil, columns] < 0, darkening, 0)
        weight = np.clip(darkening - MIN_SHADOW, 0, None).mean(axis=1)
        if weight.max() > MIN_SHADOW:
            # The deepest place; other things' shadows lie elsewhere.
            near = np.abs(np.arange(len(weight)) - weight.argmax()) <= height // 32
            rows = np.arange(len(weight))[near]
            y = (soil.start + 0.5 + float(np.average(rows, weights=weight[near]))) / height
            zoom = math.exp(backdrop.view[frame, 1])
            result.append((y - VIEW_CENTRE[1]) / zoom + VIEW_CENTRE[1])
    return float(np.median(result)) if result else float("nan")
