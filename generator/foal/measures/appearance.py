"""Appearance of a tracked object: shape, material and size."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.object_tracks import Track
from generator.foal.measures.segmentation import Region, Segmentation
from generator.foal.measures.working_frames import as_floats
from generator.foal.world.background import HORIZON
from generator.foal.world.camera import image_to_world
from generator.foal.world.physics import BALL_RADIUS, CUBE_HALF, DEPTH_SCALE, SIZES
from generator.foal.world.render import NIGHT_TINT
from generator.foal.world.scenes import COLOURS, Material, Shape, Size, Time

SQUARE_HARMONIC = 0.20  # least fourth harmonic of a square's outline: 0 for a disc, .43 ideally
SAMPLED_FRAMES = 9  # per object
EROSION_PIXELS = 2  # working pixels at the outline that are left out of the surface
WOOD_ROUGHNESS = 0.10  # relative brightness residual above which a surface is not plain
METAL_GLOSS = 0.085  # mean fraction of white above which a smooth surface is metal
ROUGH_METAL_GLOSS = 0.03  # the same for a rough surface, which else is wood
MIN_SHADOW = 0.03  # fraction of light taken: less may be part of the background


def classify_shape(track: Track) -> Shape | None:
    """Classify the shape; None if the object was never unoccluded."""
    if math.isnan(track.harmonic):
        return None
    return Shape.CUBE if track.harmonic > SQUARE_HARMONIC else Shape.BALL


@dataclass(frozen=True)
class Surface:
    """Mean fraction of white, and relative residual of the brightness without its smooth part."""

    gloss: float
    roughness: float

    @property
    def material(self) -> Material:
        if self.gloss > (ROUGH_METAL_GLOSS if self.roughness > WOOD_ROUGHNESS else METAL_GLOSS):
            return Material.METAL
        return Material.WOOD if self.roughness > WOOD_ROUGHNESS else Material.PLAIN


def measure_surface(track: Track, frames: np.ndarray, colour: str, time: Time) -> Surface | None:
    """Measure the surface: medians over unoccluded frames; None if there are none."""
    unoccluded = np.flatnonzero(track.unoccluded)
    if not len(unoccluded):
        return None
    light = np.asarray(NIGHT_TINT if time == Time.NIGHT else (1.0, 1.0, 1.0))
    # A pixel is a linear mixture of the object's colour and white.
    unmixing = np.linalg.pinv(np.stack([COLOURS[colour] * light, light], axis=1))
    samples = []
    for frame in unoccluded[np.linspace(0, len(unoccluded) - 1, SAMPLED_FRAMES).astype(int)]:
        region = track.regions[frame]
        if region is not None and (
            result := _sample_surface(region, as_floats(frames[frame]), unmixing)
        ):
            samples.append(result)
    return Surface(*(float(v) for v in np.median(samples, axis=0))) if samples else None


def _sample_surface(
    region: Region, image: np.ndarray, unmixing: np.ndarray
) -> tuple[float, float] | None:
    interior = ndimage.binary_erosion(region.mask, iterations=EROSION_PIXELS)
    y, x = np.nonzero(interior)
    if len(y) < 20:
        return None
    shade, white = unmixing @ image[region.rows, region.columns][interior].T
    shade = shade / np.clip(1 - white, 0.2, None)  # white is blended over the colour
    radius = math.sqrt(region.mask.sum() / math.pi)
    x, y = (x - x.mean()) / radius, (y - y.mean()) / radius
    # The brightness of a lit ball is linear in x, y and its height, that of a cube in x and y.
    height = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y, height], axis=1)
    residual = shade - basis @ np.linalg.lstsq(basis, shade, rcond=None)[0]
    return float(np.clip(white, 0, None).mean()), float(residual.std() / max(shade.mean(), 0.05))


def half_width(area: float, shape: Shape | None) -> float:
    """Radius of a ball or half the edge of a cube from its projected area."""
    return math.sqrt(area) / 2 if shape == Shape.CUBE else math.sqrt(area / math.pi)


def classify_size(half: float, ground: float, shape: Shape | None) -> Size:
    """Classify the size from the apparent size and the depth.

    Args:
        half: half the width of the object, image heights.
        ground: y of the ground below it, which gives its depth; NaN if unknown.
        shape: of the object.
    """
    ratio = half / (CUBE_HALF if shape == Shape.CUBE else BALL_RADIUS)
    if not math.isnan(ground):
        levels = sorted(DEPTH_SCALE)
        ratio /= float(np.interp(ground, levels, [DEPTH_SCALE[level] for level in levels]))
    return min(SIZES, key=lambda size: abs(math.log(ratio / SIZES[size])))


def find_shadow(
    track: Track, frames: np.ndarray, segmentation: Segmentation, backdrop: Backdrop
) -> float:
    """World y of the shadow below an object in the air, NaN if no shadow is visible."""
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
        shown, clear = as_floats(frames[frame, soil, columns]), empty[soil, columns]
        darkening = 1 - (shown * clear).sum(axis=-1) / (clear**2).sum(axis=-1)
        darkening = np.where(segmentation.colour[frame, soil, columns] < 0, darkening, 0)
        weight = np.clip(darkening - MIN_SHADOW, 0, None).mean(axis=1)
        if weight.max() > MIN_SHADOW:
            # Only around the darkest row: the shadows of other objects lie elsewhere.
            near = np.abs(np.arange(len(weight)) - weight.argmax()) <= height // 32
            rows = np.arange(len(weight))[near]
            y = (soil.start + 0.5 + float(np.average(rows, weights=weight[near]))) / height
            pan, log_zoom = backdrop.view[frame]
            result.append(image_to_world(region.centre[0], y, pan, math.exp(log_zoom))[1])
    return float(np.median(result)) if result else float("nan")
