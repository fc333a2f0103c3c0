"""Fit the background and the camera's view to the frames of a clip.

Frames are those of `working_frames.downsample`, (T, 128, w, 3). A view is a row of
`physics.Motions.view`: pan to the right, logarithm of the zoom.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from generator.foal.measures.working_frames import as_floats
from generator.foal.world.background import HORIZON, background, background_at, pixel_centres
from generator.foal.world.camera import PAN, VIEW_CENTRE, ZOOM
from generator.foal.world.render import render_background, to_world
from generator.foal.world.scenes import Camera, Ground, Time

KNOTS = 13  # frames whose view is fitted; the others are interpolated
SEARCH_FACTOR = 4  # working pixels per sample of the coarse search
PANS = np.linspace(-1.4 * PAN, 1.4 * PAN, 15)
ZOOMS = np.linspace(-0.06, 1.4 * math.log(ZOOM), 9)
BLUR = 1.5  # pixels, so that stars which are off by a pixel still guide the fit
OUTLIER_SCALE = 0.06  # residual above which a pixel loses weight
MIN_PAN, MIN_ZOOM = 0.012, 0.02  # smaller movements are not visible
MIN_MOVE_SHARE = 0.4  # of the world's pan or zoom: less does not count as one


@dataclass(frozen=True)
class Backdrop:
    """The background of a clip and the camera's view of it, (T, 2)."""

    ground: Ground
    time: Time
    view: np.ndarray

    @property
    def still(self) -> bool:
        return not self.view.any()

    @property
    def camera(self) -> Camera:
        """Classify the camera's movement over the clip."""
        pan_change, zoom_change = self.view[-1] - self.view[0]
        pan, zoom = pan_change / (2 * PAN), zoom_change / math.log(ZOOM)
        if max(abs(pan), abs(zoom)) < MIN_MOVE_SHARE:
            return Camera.STILL
        if abs(pan) > abs(zoom):
            return Camera.RIGHT if pan > 0 else Camera.LEFT
        return Camera.IN if zoom > 0 else Camera.OUT

    def empty(self, height: int, width: int, frames: np.ndarray) -> np.ndarray:
        """Render the background at some frames, (1 or len(frames), height, width, 3)."""
        if self.still:
            return background(self.ground, self.time, height, width)[None]
        view = self.view[frames]
        return render_background(self.ground, self.time, view, height=height, width=width)


def fit_backdrop(frames: np.ndarray) -> Backdrop:
    """Fit the background and the camera's view of every frame."""
    ground, time = find_scene(frames)
    knots = np.unique(np.linspace(0, len(frames) - 1, KNOTS).round().astype(int))
    key_frames = as_floats(frames[knots])
    half_size = _block_mean(key_frames, 2)
    coarse = _search(half_size, ground, time)
    coarse = np.stack(
        [
            _refine(frame, start, ground, time, steps=4, blur=BLUR)
            for frame, start in zip(half_size, coarse, strict=True)
        ]
    )
    view = np.zeros((len(frames), 2))
    if np.abs(coarse[:, 0]).max() > MIN_PAN or np.abs(coarse[:, 1]).max() > MIN_ZOOM:
        refined = [
            _refine(frame, start, ground, time, steps=3)
            for frame, start in zip(key_frames, coarse, strict=True)
        ]
        view = np.asarray(PchipInterpolator(knots, np.stack(refined))(np.arange(len(frames))))
    return Backdrop(ground, time, view)


def find_scene(frames: np.ndarray) -> tuple[Ground, Time]:
    """Classify ground and time of day: the background nearest to the median frame."""
    still = np.median(as_floats(frames[::4]), axis=0)
    height, width = still.shape[:2]
    horizon = int(HORIZON * height)

    def distance(scene: tuple[Ground, Time]) -> float:
        difference = np.abs(still - background(*scene, height, width)).mean(axis=(1, 2))
        return float(difference[:horizon].mean() + difference[horizon:].mean())

    return min(((ground, time) for time in Time for ground in Ground), key=distance)


def _search(frames: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """Coarse search: the best of a grid of views for each of N frames, (N, 2)."""
    factor = SEARCH_FACTOR // 2
    small = _block_mean(frames, factor)
    views, rendered = _templates(ground, time, *frames.shape[1:3])
    best = [
        np.minimum(np.abs(rendered - frame), 2 * OUTLIER_SCALE).mean(axis=(1, 2, 3)).argmin()
        for frame in small
    ]
    return views[best]


@lru_cache(maxsize=12)
def _templates(
    ground: Ground, time: Time, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Candidate views (V, 2), each a pan or a zoom, and their renderings at reduced size."""
    views = np.array([[pan, 0.0] for pan in PANS] + [[0.0, zoom] for zoom in ZOOMS])
    points = pixel_centres(height, width)[None]
    rendered = [
        _block_mean(background_at(to_world(points, view[None]), ground, time), SEARCH_FACTOR // 2)
        for view in views
    ]
    return views, np.concatenate(rendered)


def _refine(
    frame: np.ndarray,
    view: np.ndarray,
    ground: Ground,
    time: Time,
    *,
    steps: int,
    blur: float = 0.0,
) -> np.ndarray:
    """Refine a view by robust Gauss-Newton steps on the pixels of a frame (H, W, 3)."""
    height, width = frame.shape[:2]
    points = pixel_centres(height, width)[None]
    from_centre = points[0] - VIEW_CENTRE
    target = gaussian_filter(frame, (blur, blur, 0)) if blur else frame
    for _ in range(steps):
        rendered = background_at(to_world(points, view[None])[0], ground, time)
        rendered = gaussian_filter(rendered, (blur, blur, 0)) if blur else rendered
        grad_y, grad_x = np.gradient(rendered, 1 / height, axis=(0, 1))
        # Derivatives of the rendering by pan and by log zoom.
        derivatives = (
            grad_x * math.exp(view[1]),
            -(grad_x * from_centre[..., :1] + grad_y * from_centre[..., 1:]),
        )
        jacobian = np.stack(derivatives, axis=-1)[1:-1, 1:-1]
        difference = (target - rendered)[1:-1, 1:-1]
        weight = 1 / (1 + (np.abs(difference).max(axis=-1) / OUTLIER_SCALE) ** 2) ** 2
        weighted = (jacobian * weight[..., None, None]).reshape(-1, 2).astype(np.float64)
        normal = weighted.T @ jacobian.reshape(-1, 2) + 1e-6 * np.eye(2)
        update = np.linalg.solve(normal, weighted.T @ difference.reshape(-1))
        view = view + np.clip(update, -0.03, 0.03)
    return view


def _block_mean(frames: np.ndarray, factor: int) -> np.ndarray:
    """Mean over square blocks of pixels; incomplete blocks are cut off."""
    count, height, width = frames.shape[:3]
    rows, columns = height // factor, width // factor
    cut = frames[:, : rows * factor, : columns * factor]
    return np.asarray(cut.reshape(count, rows, factor, columns, factor, 3).mean(axis=(2, 4)))
