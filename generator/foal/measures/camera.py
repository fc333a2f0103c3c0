"""Which empty scene a clip shows, and how its camera looks at it, from the pixels of the backdrop.

Frames are those of `tracking.shrink`: (T, 128, w, 3) float32 in [0, 1]. A view is what
`physics.Motions.view` holds: how far the camera has turned to the right, logarithm of its zoom.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from generator.foal.world.background import HORIZON, background, background_at, pixel_centres
from generator.foal.world.physics import PAN, VIEW_CENTRE, ZOOM
from generator.foal.world.render import look_at_empty, to_world
from generator.foal.world.scenes import Camera, Ground, Time

KNOTS = 13  # frames whose view is fitted; between them it is interpolated
COARSE = 4  # working pixels a point of the first search
PANS = np.linspace(-1.4 * PAN, 1.4 * PAN, 15)
ZOOMS = np.linspace(-0.06, 1.4 * math.log(ZOOM), 9)
BLUR = 1.5  # pixels, so that stars a pixel off still pull the fit
DOUBTFUL = 0.06  # a difference from which on a point is ever less the backdrop's
STILL_PAN, STILL_ZOOM = 0.012, 0.02  # below these nobody sees the camera move
MOVED = 0.4  # of the world's own pan or zoom: less is no such move


@dataclass(frozen=True)
class Backdrop:
    """The empty scene of a clip and the camera's view of it, (T, 2)."""

    ground: Ground
    time: Time
    view: np.ndarray

    @property
    def still(self) -> bool:
        return not self.view.any()

    @property
    def camera(self) -> Camera:
        """What the camera does over the clip."""
        turn, nearing = self.view[-1] - self.view[0]
        pan, zoom = turn / (2 * PAN), nearing / math.log(ZOOM)
        if max(abs(pan), abs(zoom)) < MOVED:
            return Camera.STILL
        if abs(pan) > abs(zoom):
            return Camera.RIGHT if pan > 0 else Camera.LEFT
        return Camera.IN if zoom > 0 else Camera.OUT

    def empty(self, height: int, width: int, frames: np.ndarray) -> np.ndarray:
        """The scene without things, (1 or len(frames), height, width, 3)."""
        if self.still:
            return background(self.ground, self.time, height, width)[None]
        view = self.view[frames]
        return look_at_empty(self.ground, self.time, view, height=height, width=width)


def find_backdrop(frames: np.ndarray) -> Backdrop:
    """The scene and the camera's way of a clip."""
    ground, time = find_scene(frames)
    knots = np.unique(np.linspace(0, len(frames) - 1, KNOTS).round().astype(int))
    chosen = frames[knots]
    half = _shrink(chosen, 2)
    rough = _search(half, ground, time)
    rough = np.stack(
        [_refine(*one, ground, time, steps=4, blur=BLUR) for one in zip(half, rough, strict=True)]
    )
    view = np.zeros((len(frames), 2))
    if np.abs(rough[:, 0]).max() > STILL_PAN or np.abs(rough[:, 1]).max() > STILL_ZOOM:
        fine = [_refine(*one, ground, time, steps=3) for one in zip(chosen, rough, strict=True)]
        view = np.asarray(PchipInterpolator(knots, np.stack(fine))(np.arange(len(frames))))
    return Backdrop(ground, time, view)


def find_scene(frames: np.ndarray) -> tuple[Ground, Time]:
    """The empty scene nearest to a clip's still part; a pan or zoom changes little of it."""
    still = np.median(frames[::4], axis=0)
    height, width = still.shape[:2]
    horizon = int(HORIZON * height)

    def distance(scene: tuple[Ground, Time]) -> float:
        off = np.abs(still - background(*scene, height, width)).mean(axis=(1, 2))
        return float(off[:horizon].mean() + off[horizon:].mean())

    return min(((ground, time) for time in Time for ground in Ground), key=distance)


def _search(frames: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """The best of a few views for each of N frames, (N, 2)."""
    factor = COARSE // 2
    small = _shrink(frames, factor)
    views, shown = _templates(ground, time, *frames.shape[1:3])
    best = [
        np.minimum(np.abs(shown - picture), 2 * DOUBTFUL).mean(axis=(1, 2, 3)).argmin()
        for picture in small
    ]
    return views[best]


@lru_cache(maxsize=12)
def _templates(
    ground: Ground, time: Time, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Views to try (V, 2), a pan or a zoom each, and what they would show at half the size."""
    views = np.array([[pan, 0.0] for pan in PANS] + [[0.0, zoom] for zoom in ZOOMS])
    points = pixel_centres(height, width)[None]
    shown = [background_at(to_world(points, view[None]), ground, time) for view in views]
    return views, _shrink(np.concatenate(shown), COARSE // 2)


def _refine(
    picture: np.ndarray,
    view: np.ndarray,
    ground: Ground,
    time: Time,
    *,
    steps: int,
    blur: float = 0.0,
) -> np.ndarray:
    """Least squares on a picture's pixels (H, W, 3), those that differ much counting little."""
    height, width = picture.shape[:2]
    points = pixel_centres(height, width)[None]
    away = points[0] - VIEW_CENTRE
    target = gaussian_filter(picture, (blur, blur, 0)) if blur else picture
    for _ in range(steps):
        shown = background_at(to_world(points, view[None])[0], ground, time)
        shown = gaussian_filter(shown, (blur, blur, 0)) if blur else shown
        down, across = np.gradient(shown, 1 / height, axis=(0, 1))
        # A turn moves the world past the picture; a zoom moves it away from its centre.
        slopes = (
            across * math.exp(view[1]),
            -(across * away[..., :1] + down * away[..., 1:]),
        )
        a = np.stack(slopes, axis=-1)[1:-1, 1:-1]
        off = (target - shown)[1:-1, 1:-1]
        trust = 1 / (1 + (np.abs(off).max(axis=-1) / DOUBTFUL) ** 2) ** 2
        weighted = (a * trust[..., None, None]).reshape(-1, 2).astype(np.float64)
        normal = weighted.T @ a.reshape(-1, 2) + 1e-6 * np.eye(2)
        change = np.linalg.solve(normal, weighted.T @ off.reshape(-1))
        view = view + np.clip(change, -0.03, 0.03)
    return view


def _shrink(frames: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of pixels; what is left over at the sides is cut off."""
    count, height, width = frames.shape[:3]
    rows, columns = height // factor, width // factor
    cut = frames[:, : rows * factor, : columns * factor]
    return np.asarray(cut.reshape(count, rows, factor, columns, factor, 3).mean(axis=(2, 4)))
