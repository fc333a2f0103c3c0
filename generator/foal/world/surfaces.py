"""Shading of objects: outline, diffuse and specular light by shape and material.

Coordinates are relative to the object's centre, in units of its size; shapes (N, P).
"""

import math

import numpy as np

from generator.foal.world.background import rgb

LIGHT = np.array([0.52, -0.58, 0.63], dtype=np.float32)  # from the upper right, where the sun is
BEVEL = 0.74  # distance from a cube's centre at which its bevel begins
GRAIN = 0.30  # fraction by which wood is darker in its dark rings

Surface = tuple[np.ndarray, np.ndarray, np.ndarray]


def surface(
    dx: np.ndarray,
    dy: np.ndarray,
    angle: np.ndarray,
    sharpness: np.ndarray,
    *,
    cube: np.ndarray,
    metal: np.ndarray,
    wood: np.ndarray,
) -> Surface:
    """Shade points of objects.

    Args:
        dx: offset from the centre to the right, (N, P).
        dy: offset from the centre downwards, (N, P).
        angle: rotation of the object, (N, 1).
        sharpness: size of the object in pixels, (N, 1).
        cube: whether it is a cube, (N, 1) bool.
        metal: whether it is metallic, (N, 1) bool.
        wood: whether it is wooden, (N, 1) bool.

    Returns:
        Distance from the centre (1 at the outline), factor of the object's colour, fraction of
        white that is mixed in; (N, P) each.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    radius = np.sqrt(dx**2 + dy**2)
    edge = np.maximum(np.abs(u), np.abs(v))
    shade, highlight = _ball(dx, dy, radius, metal)
    cube_shade, cube_highlight = _cube(dx, dy, u, v, cos, sin, edge, sharpness, metal)
    shade, highlight = np.where(cube, cube_shade, shade), np.where(cube, cube_highlight, highlight)
    # Annual rings of a trunk whose centre lies outside of the object.
    rings = np.sin(11 * np.sqrt((u + 1.6) ** 2 + 0.35 * (v - 0.4) ** 2))
    shade = np.where(wood, shade * (1 - GRAIN * np.clip(0.5 + rings, 0, 1)), shade)
    highlight = np.where(wood, 0.0, highlight)
    return np.where(cube, edge, radius), shade, highlight


def _ball(
    dx: np.ndarray, dy: np.ndarray, radius: np.ndarray, metal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    height = np.sqrt(np.clip(1 - radius**2, 0, 1))
    lit = np.clip(dx * LIGHT[0] + dy * LIGHT[1] + height * LIGHT[2], 0, 1)
    half = LIGHT + rgb((0, 0, 1))
    half = half / math.sqrt(float(half @ half))
    mirrored = np.clip(dx * half[0] + dy * half[1] + height * half[2], 0, 1)
    # Metal reflects the dark ground below the horizon and the bright sky above.
    band = 0.5 * np.exp(-(((dy - 0.28) / 0.16) ** 2)) * height
    shade = np.where(metal, 0.62 + 0.55 * lit**1.5 - band, 0.58 + 0.46 * lit)
    highlight = np.where(metal, 0.95 * mirrored**14, 0.75 * mirrored**40)
    return np.clip(shade, 0, None), highlight


def _cube(
    dx: np.ndarray,
    dy: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    edge: np.ndarray,
    sharpness: np.ndarray,
    metal: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    side_on_u = np.abs(u) > np.abs(v)
    normal_x = np.where(side_on_u, np.sign(u) * cos, -np.sign(v) * sin)
    normal_y = np.where(side_on_u, np.sign(u) * sin, np.sign(v) * cos)
    bevel = np.clip((edge - BEVEL) * sharpness + 0.5, 0, 1)
    toward = 0.6 * (normal_x * LIGHT[0] + normal_y * LIGHT[1])
    slant = (dx - dy) / math.sqrt(2)
    sheen = np.exp(-(((slant - 0.35) / 0.22) ** 2)) + 0.6 * np.exp(-(((slant + 0.5) / 0.12) ** 2))
    face = np.where(metal, 0.72 - 0.10 * dy + 0.25 * sheen, 0.93 - 0.07 * dy)
    shade = face + bevel * toward * 0.55
    return shade, np.where(metal, 0.55 * sheen * (1 - bevel), 0.0)
