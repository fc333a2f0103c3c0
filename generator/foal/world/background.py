"""The empty scenes: sky, hills and ground as functions of coordinates.

Coordinates are picture heights, x to the right from the left edge of the central square, y down.
"""

import math
from functools import lru_cache

import numpy as np

from generator.foal.world.scenes import Ground, Time

HORIZON = 0.66
SUN = (0.82, 0.15, 0.055)  # x, y, radius; the moon takes its place at night
SKY = {
    Time.DAY: ((0.30, 0.58, 0.92), (0.83, 0.92, 0.98)),
    Time.NIGHT: ((0.025, 0.04, 0.13), (0.14, 0.18, 0.36)),
}
SOIL = {  # far, near
    Ground.GRASS: ((0.47, 0.70, 0.33), (0.22, 0.50, 0.18)),
    Ground.SAND: ((0.90, 0.80, 0.58), (0.76, 0.61, 0.38)),
    Ground.ICE: ((0.86, 0.94, 0.98), (0.60, 0.79, 0.90)),
}
HILLS = {
    Ground.GRASS: (0.40, 0.58, 0.50),
    Ground.SAND: (0.80, 0.68, 0.56),
    Ground.ICE: (0.66, 0.77, 0.90),
}
NIGHT_SOIL = (0.34, 0.39, 0.56)
SUPERSAMPLE = 3
STARS = 46
FINE = 400  # points a picture height of the plane that other views are read from
BESIDE = 0.15  # picture heights of it beyond the central square, either way
WIDER = 0.25  # picture heights, in steps of which wider planes grow
FAINT = 4.0  # sizes from a star: its light is a millionth there


def rgb(value: float | tuple[float, float, float]) -> np.ndarray:
    """A colour or one level as float32."""
    return np.asarray(value, dtype=np.float32)


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Coordinates of all pixel centres, shape (height, width, 2)."""
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height + 0.5
    return np.stack(np.meshgrid(x, y), axis=-1)


@lru_cache(maxsize=32)
def background(ground: Ground, time: Time, height: int, width: int) -> np.ndarray:
    """The scene without things, shape (height, width, 3), float32 in [0, 1]."""
    fine = pixel_centres(height * SUPERSAMPLE, width * SUPERSAMPLE)
    x, y = fine[..., 0], fine[..., 1]
    above = int((y[:, 0] <= HORIZON).sum())  # rows
    picture = np.empty((*x.shape, 3), dtype=np.float32)
    picture[:above] = _air(x[:above], y[:above], ground, time)
    picture[above:] = _soil(x[above:], y[above:], ground, time)
    shape = (height, SUPERSAMPLE, width, SUPERSAMPLE, 3)
    small: np.ndarray = np.clip(picture, 0, 1).reshape(shape).mean(axis=(1, 3)).astype(np.float32)
    small.setflags(write=False)
    return small


def _air(x: np.ndarray, y: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """Sky and hills."""
    ridge = HORIZON - 0.045 - 0.022 * np.sin(5.1 * x + 0.8) - 0.012 * np.sin(11.3 * x + 2.0)
    hills = rgb(HILLS[ground]) * (rgb(NIGHT_SOIL) if time == Time.NIGHT else 1.0)
    return np.where((y > ridge)[..., None], hills, _sky(x, y, time))


@lru_cache(maxsize=12)
def _plane(ground: Ground, time: Time, beside: float) -> np.ndarray:
    return background(ground, time, FINE, round(FINE * (1 + 2 * beside)))


def background_at(points: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """Colours of the empty scene at points (..., 2), between those of a fine plane: (..., 3)."""
    far = float(np.abs(points[..., 0] - 0.5).max()) - 0.5
    # Few widths, so that few planes are made for all the ways a camera looks.
    plane = _plane(ground, time, max(BESIDE, math.ceil(far / WIDER) * WIDER))
    rows, columns = plane.shape[:2]
    x = np.clip((points[..., 0] - 0.5) * FINE + columns / 2 - 0.5, 0, columns - 1.001)
    y = np.clip(points[..., 1] * FINE - 0.5, 0, rows - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    across, down = (x - left)[..., None], (y - top)[..., None]
    flat, at = plane.reshape(-1, 3), top * columns + left
    upper = flat[at] * (1 - across) + flat[at + 1] * across
    lower = flat[at + columns] * (1 - across) + flat[at + columns + 1] * across
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def _sky(x: np.ndarray, y: np.ndarray, time: Time) -> np.ndarray:
    top, low = (rgb(colour) for colour in SKY[time])
    picture = top + (low - top) * np.clip(y / HORIZON, 0, 1)[..., None] ** 1.2
    sun_x, sun_y, radius = SUN
    away = np.hypot(x - sun_x, y - sun_y)
    if time == Time.DAY:
        for cloud_x, cloud_y, size in ((0.18, 0.17, 1.0), (0.50, 0.28, 0.75), (0.98, 0.36, 0.8)):
            for dx, dy, r in ((-0.07, 0.012, 0.035), (0.0, -0.006, 0.05), (0.075, 0.01, 0.04)):
                at_x, at_y, reach = cloud_x + size * dx, cloud_y + size * dy, 1.5 * size * r
                near = _near(x, y, at_x, at_y, 1.25 * reach, reach)
                flat = np.hypot(
                    (x[near] - cloud_x - size * dx) / 1.25, y[near] - cloud_y - size * dy
                )
                cover = 0.75 * np.clip(1.4 - flat / (size * r), 0, 1)[..., None]
                picture[near] += (rgb((1, 1, 1)) - picture[near]) * cover
        glow, disc = rgb((1.0, 0.96, 0.78)), rgb((1.0, 0.93, 0.55))
        picture = picture + (glow - picture) * (0.6 * np.exp(-away / 0.07))[..., None]
        return np.where((away < radius)[..., None], disc, picture)
    stars = np.random.default_rng(7).uniform((0.02, 0.02), (0.98, 0.52), (STARS, 2))
    for i, (star_x, star_y) in enumerate(stars):
        size = 0.0022 + 0.0008 * (i % 3)
        near = _near(x, y, star_x, star_y, FAINT * size, FAINT * size)
        away2 = (x[near] - star_x) ** 2 + (y[near] - star_y) ** 2
        picture[near] += (0.55 + 0.1 * (i % 4)) * np.exp(-away2 / size**2)[..., None]
    glow, disc = rgb((0.55, 0.62, 0.85)), rgb((0.95, 0.95, 0.86))
    picture = picture + (glow - picture) * (0.4 * np.exp(-away / 0.06))[..., None]
    bite = np.hypot(x - sun_x + 0.028, y - sun_y + 0.014) < radius * 0.92
    return np.where(((away < radius) & ~bite)[..., None], disc, picture)


def _near(
    x: np.ndarray, y: np.ndarray, at_x: float, at_y: float, across: float, down: float
) -> tuple[slice, slice]:
    """Rows and columns of the grid within a distance, either way."""
    rows = np.searchsorted(y[:, 0], (at_y - down, at_y + down))
    columns = np.searchsorted(x[0], (at_x - across, at_x + across))
    return slice(*rows), slice(*columns)


def _soil(x: np.ndarray, y: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    far, near = (rgb(colour) for colour in SOIL[ground])
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    picture = far + (near - far) * depth[..., None] ** 0.7
    # Rows lie closer together towards the horizon, as in perspective.
    row = 1 / (0.12 + depth)
    if ground == Ground.GRASS:
        grain = 0.05 * np.sin(9 * row) + 0.03 * np.sin(42 * x + 5 * row) * depth
    elif ground == Ground.SAND:
        grain = 0.045 * np.sin(7.5 * row + 1.6 * np.sin(6 * x + row))
    else:
        streak = np.sin(13 * (x - 0.5) / (0.35 + depth) + 2.2 * row)
        grain = 0.10 * np.clip(streak - 0.55, 0, 1) + 0.02 * np.sin(6 * row)
    picture = picture * (1 + grain[..., None])
    return np.asarray(picture * rgb(NIGHT_SOIL) if time == Time.NIGHT else picture)
