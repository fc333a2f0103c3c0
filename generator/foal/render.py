"""How the world looks: a picture as a function of coordinates, at any resolution.

Coordinates are picture heights, x to the right from the left edge of the central square, y down.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from generator.foal.physics import Motions
from generator.foal.scenes import COLOURS, Ground, Scene, Shape, Time

HORIZON = 0.66
LIGHT = np.array([0.52, -0.58, 0.63], dtype=np.float32)  # from the upper right, where the sun is
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
NIGHT_THING = (0.84, 0.84, 0.92)
SHADOW_DEPTH = {Time.DAY: 0.50, Time.NIGHT: 0.62}
SUPERSAMPLE = 3
SHADOW_FLATNESS = 0.24
SHADOW_SIZES, SPRITE_SIZES = 2.9, 1.5  # beyond so many sizes a shadow, a sprite is nothing
STARS = 46
CHUNK_PIXELS = 300_000  # larger temporaries cost more in page faults than calls save


@dataclass(frozen=True)
class Look:
    """What painting needs of N pictures of one thing each; N may be the frames of a clip."""

    cube: np.ndarray  # (N,) bool
    colour: np.ndarray  # (N, 3)
    size: np.ndarray  # (N,)
    ground: np.ndarray  # (N,)
    night: np.ndarray  # (N,) bool
    position: np.ndarray  # (N, 2)
    angle: np.ndarray  # (N,)


def _rgb(value: float | tuple[float, float, float]) -> np.ndarray:
    return np.asarray(value, dtype=np.float32)


def looks(scene: Scene, motions: Motions, frames: np.ndarray) -> list[Look]:
    """The scene's things at the given frames, the farthest first."""
    count = len(frames)
    order = np.argsort(motions.ground)
    return [
        Look(
            cube=np.full(count, scene.things[i].shape == Shape.CUBE),
            colour=np.tile(_rgb(COLOURS[scene.things[i].colour]), (count, 1)),
            size=np.full(count, motions.size[i], dtype=np.float32),
            ground=np.full(count, motions.ground[i], dtype=np.float32),
            night=np.full(count, scene.time == Time.NIGHT),
            position=motions.position[frames, i].astype(np.float32),
            angle=motions.angle[frames, i].astype(np.float32),
        )
        for i in order
    ]


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
    picture = _sky(x, y, time)
    ridge = HORIZON - 0.045 - 0.022 * np.sin(5.1 * x + 0.8) - 0.012 * np.sin(11.3 * x + 2.0)
    hills = _rgb(HILLS[ground]) * (_rgb(NIGHT_SOIL) if time == Time.NIGHT else 1.0)
    picture = np.where((y > ridge)[..., None], hills, picture)
    picture = np.where((y > HORIZON)[..., None], _soil(x, y, ground, time), picture)
    shape = (height, SUPERSAMPLE, width, SUPERSAMPLE, 3)
    small: np.ndarray = np.clip(picture, 0, 1).reshape(shape).mean(axis=(1, 3)).astype(np.float32)
    small.setflags(write=False)
    return small


def _sky(x: np.ndarray, y: np.ndarray, time: Time) -> np.ndarray:
    top, low = (_rgb(colour) for colour in SKY[time])
    picture = top + (low - top) * np.clip(y / HORIZON, 0, 1)[..., None] ** 1.2
    sun_x, sun_y, radius = SUN
    away = np.hypot(x - sun_x, y - sun_y)
    if time == Time.DAY:
        for cloud_x, cloud_y, size in ((0.18, 0.17, 1.0), (0.50, 0.28, 0.75), (0.98, 0.36, 0.8)):
            for dx, dy, r in ((-0.07, 0.012, 0.035), (0.0, -0.006, 0.05), (0.075, 0.01, 0.04)):
                flat = np.hypot((x - cloud_x - size * dx) / 1.25, y - cloud_y - size * dy)
                cover = 0.75 * np.clip(1.4 - flat / (size * r), 0, 1)[..., None]
                picture = picture + (_rgb((1, 1, 1)) - picture) * cover
        glow, disc = _rgb((1.0, 0.96, 0.78)), _rgb((1.0, 0.93, 0.55))
        picture = picture + (glow - picture) * (0.6 * np.exp(-away / 0.07))[..., None]
        return np.where((away < radius)[..., None], disc, picture)
    stars = np.random.default_rng(7).uniform((0.02, 0.02), (0.98, 0.52), (STARS, 2))
    for i, (star_x, star_y) in enumerate(stars):
        glint = np.exp(-((x - star_x) ** 2 + (y - star_y) ** 2) / (0.0022 + 0.0008 * (i % 3)) ** 2)
        picture = picture + (0.55 + 0.1 * (i % 4)) * glint[..., None]
    glow, disc = _rgb((0.55, 0.62, 0.85)), _rgb((0.95, 0.95, 0.86))
    picture = picture + (glow - picture) * (0.4 * np.exp(-away / 0.06))[..., None]
    bite = np.hypot(x - sun_x + 0.028, y - sun_y + 0.014) < radius * 0.92
    return np.where(((away < radius) & ~bite)[..., None], disc, picture)


def _soil(x: np.ndarray, y: np.ndarray, ground: Ground, time: Time) -> np.ndarray:
    far, near = (_rgb(colour) for colour in SOIL[ground])
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
    return np.asarray(picture * _rgb(NIGHT_SOIL) if time == Time.NIGHT else picture)


def paint(
    canvas: np.ndarray, points: np.ndarray, things: list[Look], *, pixel: float
) -> np.ndarray:
    """Shadows, then things from far to near, over a canvas.

    Args:
        canvas: colours without things, shape (N, P, 3).
        points: where they are, shape (N, P, 2) or (1, P, 2).
        things: one Look of N pictures each, the farthest first.
        pixel: width of a pixel, over which an edge is softened.

    Returns:
        Colours, shape (N, P, 3).
    """
    for thing in things:
        canvas = canvas * (1 - _shadow(points, thing))[..., None]
    for thing in things:
        colour, cover = _sprite(points, thing, pixel)
        canvas = canvas + (colour - canvas) * cover[..., None]
    return canvas


def _shadow(points: np.ndarray, thing: Look) -> np.ndarray:
    """Share of light taken away at each point, shape (N, P): wider and weaker with height."""
    height = np.maximum(thing.ground - thing.size - thing.position[:, 1], 0)[:, None]
    dx = points[..., 0] - thing.position[:, :1]
    dy = points[..., 1] - thing.ground[:, None] - 0.004
    wide = thing.size[:, None] * (1.05 + 0.8 * height)
    distance = (dx / wide) ** 2 + (dy / (SHADOW_FLATNESS * wide)) ** 2
    day, night = (_rgb(SHADOW_DEPTH[time]) for time in (Time.DAY, Time.NIGHT))
    depth = np.where(thing.night, night, day)[:, None]
    soft: np.ndarray = depth / (1 + 2.2 * height) * np.exp(-(distance**1.5))
    return soft


def _sprite(points: np.ndarray, thing: Look, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """Colour (N, P, 3) and cover (N, P) of a thing."""
    size = thing.size[:, None]
    dx = (points[..., 0] - thing.position[:, :1]) / size
    dy = (points[..., 1] - thing.position[:, 1:]) / size
    cos, sin = np.cos(thing.angle)[:, None], np.sin(thing.angle)[:, None]
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    cube = thing.cube[:, None]
    radius = np.sqrt(dx**2 + dy**2)
    edge = np.maximum(np.abs(u), np.abs(v))
    reach = np.where(cube, edge, radius)
    cover = np.clip(0.5 - (reach - 1) * size / pixel, 0, 1)
    shade, shine = _ball_light(dx, dy, radius)
    side_on_u = np.abs(u) > np.abs(v)
    normal_x = np.where(side_on_u, np.sign(u) * cos, -np.sign(v) * sin)
    normal_y = np.where(side_on_u, np.sign(u) * sin, np.sign(v) * cos)
    bevel = np.clip((edge - 0.74) * size / pixel + 0.5, 0, 1)
    toward = 0.6 * (normal_x * LIGHT[0] + normal_y * LIGHT[1])
    face = 0.93 - 0.07 * dy
    cube_shade = face + bevel * toward * 0.55
    shade = np.where(cube, cube_shade, shade)
    shine = np.where(cube, 0.0, shine)
    colour = thing.colour[:, None, :] * shade[..., None]
    colour = colour + (1 - colour) * shine[..., None]
    colour = np.where(thing.night[:, None, None], colour * _rgb(NIGHT_THING), colour)
    return np.clip(colour, 0, 1), cover


def _ball_light(
    dx: np.ndarray, dy: np.ndarray, radius: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    towards = np.sqrt(np.clip(1 - radius**2, 0, 1))
    lit = dx * LIGHT[0] + dy * LIGHT[1] + towards * LIGHT[2]
    shade = 0.58 + 0.46 * np.clip(lit, 0, 1)
    half = LIGHT + _rgb((0, 0, 1))
    half = half / math.sqrt(float(half @ half))
    shine = np.clip(dx * half[0] + dy * half[1] + towards * half[2], 0, 1) ** 40
    return shade, 0.75 * shine


def render(scene: Scene, motions: Motions, *, height: int, width: int) -> np.ndarray:
    """All frames of a clip, shape (T, height, width, 3), float32 in [0, 1].

    The same picture as `paint` over all pixels, worked out only in boxes around the things.
    """
    film = np.tile(
        background(scene.ground, scene.time, height, width), (len(motions.position), 1, 1, 1)
    )
    at_once = max(1, CHUNK_PIXELS // (height * height))
    for first in range(0, len(film), at_once):
        part = film[first : first + at_once]
        _lay(part, looks(scene, motions, np.arange(first, first + len(part))))
    return film


def _lay(film: np.ndarray, things: list[Look]) -> None:
    height, width = film.shape[1:3]
    centres = pixel_centres(height, width)
    for thing in things:
        size = float(thing.size[0])
        centre = np.stack([thing.position[:, 0], thing.ground], axis=1)
        box = _boxes(film, centre, SHADOW_SIZES * size, SHADOW_FLATNESS * SHADOW_SIZES * size)
        patch = film[box]
        taken = _shadow(_flat(centres[box[1:]]), thing).reshape(patch.shape[:3])
        film[box] = patch * (1 - taken)[..., None]
    for thing in things:
        size = float(thing.size[0])
        box = _boxes(film, thing.position, SPRITE_SIZES * size, SPRITE_SIZES * size)
        colour, cover = _sprite(_flat(centres[box[1:]]), thing, 1 / height)
        patch = film[box]
        shape = patch.shape
        film[box] = patch + (colour.reshape(shape) - patch) * cover.reshape(shape[:3])[..., None]


def _boxes(
    film: np.ndarray, centre: np.ndarray, across: float, down: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of boxes of one size around a centre a frame, moved inside the picture."""
    height, width = film.shape[1:3]
    rows, columns = (min(n, int(2 * r * height) + 3) for n, r in ((height, down), (width, across)))
    top = np.clip(((centre[:, 1] - down) * height).astype(int) - 1, 0, height - rows)
    left = ((centre[:, 0] - 0.5 - across) * height + width / 2).astype(int) - 1
    left = np.clip(left, 0, width - columns)
    return (
        np.arange(len(film))[:, None, None],
        (top[:, None] + np.arange(rows))[:, :, None],
        (left[:, None] + np.arange(columns))[:, None, :],
    )


def _flat(points: np.ndarray) -> np.ndarray:
    return points.reshape(len(points), -1, 2)
