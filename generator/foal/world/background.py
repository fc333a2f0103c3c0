"""Backgrounds: sky, hills and ground as functions of coordinates.

Coordinates are in units of the image height: x to the right from the left edge of the central
square, y down.
"""

import math
from functools import lru_cache

import numpy as np

from generator.foal.world.scenes import Ground, Time

HORIZON = 0.66
SUN = (0.82, 0.15, 0.055)  # x, y, radius; also the moon's at night
SKY = {
    Time.DAY: ((0.30, 0.58, 0.92), (0.83, 0.92, 0.98)),
    Time.NIGHT: ((0.025, 0.04, 0.13), (0.14, 0.18, 0.36)),
}
GROUND_COLOURS = {  # far, near
    Ground.GRASS: ((0.47, 0.70, 0.33), (0.22, 0.50, 0.18)),
    Ground.SAND: ((0.90, 0.80, 0.58), (0.76, 0.61, 0.38)),
    Ground.ICE: ((0.86, 0.94, 0.98), (0.60, 0.79, 0.90)),
}
HILLS = {
    Ground.GRASS: (0.40, 0.58, 0.50),
    Ground.SAND: (0.80, 0.68, 0.56),
    Ground.ICE: (0.66, 0.77, 0.90),
}
NIGHT_GROUND_TINT = (0.34, 0.39, 0.56)
SUPERSAMPLE = 3
STARS = 46
PLANE_ROWS = 400  # samples per image height of the plane from which moving cameras read
PLANE_MARGIN = 0.15  # image heights of that plane to the left and right of the central square
PLANE_MARGIN_STEP = 0.25  # image heights: margins of wider planes are multiples of this
STAR_CUTOFF = 4.0  # star radii beyond which a star is not drawn: its light is 1e-7 there


def rgb(value: float | tuple[float, float, float]) -> np.ndarray:
    """A colour, or one level for all channels, as float32."""
    return np.asarray(value, dtype=np.float32)


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Coordinates of all pixel centres, shape (height, width, 2), float32."""
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height + 0.5
    return np.stack(np.meshgrid(x, y), axis=-1)


@lru_cache(maxsize=32)
def background(ground: Ground, time: Time, height: int, width: int) -> np.ndarray:
    """The background seen by a still camera, shape (height, width, 3), float32 in [0, 1]."""
    points = pixel_centres(height * SUPERSAMPLE, width * SUPERSAMPLE)
    x, y = points[..., 0], points[..., 1]
    sky_rows = int((y[:, 0] <= HORIZON).sum())  # rows
    image = np.empty((*x.shape, 3), dtype=np.float32)
    image[:sky_rows] = _draw_sky_and_hills(x[:sky_rows], y[:sky_rows], ground, time)
    image[sky_rows:] = _draw_ground(x[sky_rows:], y[sky_rows:], ground, time)
    shape = (height, SUPERSAMPLE, width, SUPERSAMPLE, 3)
    np.clip(image, 0, 1, out=image)  # in place: a large picture has many points
    result: np.ndarray = image.reshape(shape).mean(axis=(1, 3)).astype(np.float32)
    result.setflags(write=False)
    return result


def _draw_sky_and_hills(x: np.ndarray, y: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """Colours above the horizon."""
    ridge = HORIZON - 0.045 - 0.022 * np.sin(5.1 * x + 0.8) - 0.012 * np.sin(11.3 * x + 2.0)
    hills = rgb(HILLS[ground]) * (rgb(NIGHT_GROUND_TINT) if time == Time.NIGHT else 1.0)
    return np.where((y > ridge)[..., None], hills, _draw_sky(x, y, time))


@lru_cache(maxsize=12)
def _plane(ground: Ground, time: Time, margin: float) -> np.ndarray:
    return background(ground, time, PLANE_ROWS, round(PLANE_ROWS * (1 + 2 * margin)))


def background_at(points: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    """Background colours at points (..., 2), interpolated bilinearly from a plane: (..., 3)."""
    overhang = float(np.abs(points[..., 0] - 0.5).max()) - 0.5
    # Rounding the width up keeps the number of cached planes small.
    plane = _plane(
        ground, time, max(PLANE_MARGIN, math.ceil(overhang / PLANE_MARGIN_STEP) * PLANE_MARGIN_STEP)
    )
    rows, columns = plane.shape[:2]
    x = np.clip((points[..., 0] - 0.5) * PLANE_ROWS + columns / 2 - 0.5, 0, columns - 1.001)
    y = np.clip(points[..., 1] * PLANE_ROWS - 0.5, 0, rows - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x_weight, y_weight = (x - left)[..., None], (y - top)[..., None]
    pixels, index = plane.reshape(-1, 3), top * columns + left
    upper = pixels[index] * (1 - x_weight) + pixels[index + 1] * x_weight
    lower = pixels[index + columns] * (1 - x_weight) + pixels[index + columns + 1] * x_weight
    return np.asarray(upper * (1 - y_weight) + lower * y_weight, dtype=np.float32)


def _draw_sky(x: np.ndarray, y: np.ndarray, time: Time) -> np.ndarray:
    top, bottom = (rgb(colour) for colour in SKY[time])
    image = top + (bottom - top) * np.clip(y / HORIZON, 0, 1)[..., None] ** 1.2
    sun_x, sun_y, radius = SUN
    distance = np.hypot(x - sun_x, y - sun_y)
    if time == Time.DAY:
        for cloud_x, cloud_y, size in ((0.18, 0.17, 1.0), (0.50, 0.28, 0.75), (0.98, 0.36, 0.8)):
            for dx, dy, r in ((-0.07, 0.012, 0.035), (0.0, -0.006, 0.05), (0.075, 0.01, 0.04)):
                centre_x, centre_y, cloud_radius = (
                    cloud_x + size * dx,
                    cloud_y + size * dy,
                    1.5 * size * r,
                )
                box = _window(x, y, centre_x, centre_y, 1.25 * cloud_radius, cloud_radius)
                cloud_distance = np.hypot(
                    (x[box] - cloud_x - size * dx) / 1.25, y[box] - cloud_y - size * dy
                )
                alpha = 0.75 * np.clip(1.4 - cloud_distance / (size * r), 0, 1)[..., None]
                image[box] += (rgb((1, 1, 1)) - image[box]) * alpha
        glow, disc = rgb((1.0, 0.96, 0.78)), rgb((1.0, 0.93, 0.55))
        image = image + (glow - image) * (0.6 * np.exp(-distance / 0.07))[..., None]
        return np.where((distance < radius)[..., None], disc, image)
    stars = np.random.default_rng(7).uniform((0.02, 0.02), (0.98, 0.52), (STARS, 2))
    for i, (star_x, star_y) in enumerate(stars):
        size = 0.0022 + 0.0008 * (i % 3)
        box = _window(x, y, star_x, star_y, STAR_CUTOFF * size, STAR_CUTOFF * size)
        squared_distance = (x[box] - star_x) ** 2 + (y[box] - star_y) ** 2
        image[box] += (0.55 + 0.1 * (i % 4)) * np.exp(-squared_distance / size**2)[..., None]
    glow, disc = rgb((0.55, 0.62, 0.85)), rgb((0.95, 0.95, 0.86))
    image = image + (glow - image) * (0.4 * np.exp(-distance / 0.06))[..., None]
    shadow = np.hypot(x - sun_x + 0.028, y - sun_y + 0.014) < radius * 0.92
    return np.where(((distance < radius) & ~shadow)[..., None], disc, image)


def _window(
    x: np.ndarray,
    y: np.ndarray,
    centre_x: float,
    centre_y: float,
    half_width: float,
    half_height: float,
) -> tuple[slice, slice]:
    """Rows and columns of the grid within a distance of a centre."""
    rows = np.searchsorted(y[:, 0], (centre_y - half_height, centre_y + half_height))
    columns = np.searchsorted(x[0], (centre_x - half_width, centre_x + half_width))
    return slice(*rows), slice(*columns)


def _draw_ground(x: np.ndarray, y: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    far, near = (rgb(colour) for colour in GROUND_COLOURS[ground])
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    image = far + (near - far) * depth[..., None] ** 0.7
    # Rows get closer together towards the horizon, as in perspective.
    row = 1 / (0.12 + depth)
    if ground == Ground.GRASS:
        grain = 0.05 * np.sin(9 * row) + 0.03 * np.sin(42 * x + 5 * row) * depth
    elif ground == Ground.SAND:
        grain = 0.045 * np.sin(7.5 * row + 1.6 * np.sin(6 * x + row))
    else:
        streak = np.sin(13 * (x - 0.5) / (0.35 + depth) + 2.2 * row)
        grain = 0.10 * np.clip(streak - 0.55, 0, 1) + 0.02 * np.sin(6 * row)
    image = image * (1 + grain[..., None])
    return np.asarray(image * rgb(NIGHT_GROUND_TINT) if time == Time.NIGHT else image)
