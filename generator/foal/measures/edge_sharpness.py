"""Edge sharpness of an object's outline, at the resolution of the clip."""

import math

import numpy as np
from scipy.ndimage import map_coordinates

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.object_tracks import Track
from generator.foal.measures.segmentation import foreground_strength

SAMPLED_FRAMES = 5  # per object
RAYS = 24  # from the object's centre
STEP = 1 / 512  # image heights between samples along a ray
WORLD_EDGE = 150.0  # of renders at 256 pixels: fraction of the contrast per image height


def sharpness(frames: np.ndarray, track: Track, backdrop: Backdrop) -> float | None:
    """Edge strength relative to renders at 256 pixels, at most 1; None if never unoccluded.

    Args:
        frames: uint8, (T, H, W, 3), at full resolution.
        track: the object.
        backdrop: the background of the clip.
    """
    edge = edge_strength(frames, track, backdrop)
    return None if edge is None else min(1.0, edge / WORLD_EDGE)


def edge_strength(frames: np.ndarray, track: Track, backdrop: Backdrop) -> float | None:
    """Median slope across the outline, as fraction of the contrast per image height."""
    unoccluded = np.flatnonzero(track.unoccluded)
    if not len(unoccluded):
        return None
    strengths = []
    for frame in unoccluded[np.linspace(0, len(unoccluded) - 1, SAMPLED_FRAMES).astype(int)]:
        region = track.regions[frame]
        if region is not None:
            strengths.append(_edge(frames[frame], region.centre, region.area, frame, backdrop))
    return float(np.median(strengths)) if strengths else None


def _edge(
    image: np.ndarray, centre: tuple[float, float], area: float, frame: int, backdrop: Backdrop
) -> float:
    height, width = image.shape[:2]
    radius = 1.7 * math.sqrt(area / math.pi)
    x, y = (centre[0] - 0.5) * height + width / 2, centre[1] * height
    rows = slice(max(0, int(y - radius * height) - 1), int(y + radius * height) + 2)
    columns = slice(max(0, int(x - radius * height) - 1), int(x + radius * height) + 2)
    empty = backdrop.empty(height, width, np.array([frame]))[0, rows, columns]
    strength = foreground_strength(image[rows, columns].astype(np.float32) / 255, empty)
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    distances = np.arange(0.45 * radius, radius, STEP) * height
    across = x - columns.start - 0.5 + np.cos(angle)[:, None] * distances
    down = y - rows.start - 0.5 + np.sin(angle)[:, None] * distances
    profile = map_coordinates(strength, [down, across], order=1, mode="nearest")
    slope = -np.diff(profile, axis=1).min(axis=1) / STEP
    # The contrast is measured just inside of the steepest point.
    steepest = np.diff(profile, axis=1).argmin(axis=1)
    inside = np.maximum(steepest - 4, 0)
    contrast = profile[np.arange(RAYS), inside]
    return float(np.median(slope / np.maximum(contrast, 0.05)))
