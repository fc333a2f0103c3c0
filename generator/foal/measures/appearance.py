"""What a tracked thing looks like: ball or cube, its material, its size."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.object_tracks import Track
from generator.foal.measures.tracking import Labels, Piece
from generator.foal.world.background import HORIZON
from generator.foal.world.physics import BALL_RADIUS, CUBE_HALF, NEARNESS, SIZES, VIEW_CENTRE
from generator.foal.world.render import NIGHT_THING
from generator.foal.world.scenes import COLOURS, Material, Shape, Size, Time

SQUARE_HARMONIC = 0.20  # fourth harmonic of an outline: 0 for a disc, .43 for a square
LOOKS = 9  # frames in which a surface is looked at
RIM = 2  # working pixels at the outline that belong to no surface
GRAIN = 0.10  # what is left of the brightness without its smooth part: more is no plain thing
GLEAM, DULL = 0.085, 0.03  # mean share of white on a surface: more is metal, less is not
FAINT_SHADOW = 0.03  # share of light taken: less may be the empty scene's own


def shape_of(track: Track) -> Shape | None:
    """None where it was never whole."""
    if math.isnan(track.harmonic):
        return None
    return Shape.CUBE if track.harmonic > SQUARE_HARMONIC else Shape.BALL


@dataclass(frozen=True)
class Surface:
    """Mean share of white, and roughness of the brightness, as shares of the thing's colour."""

    gleam: float
    grain: float

    @property
    def material(self) -> Material:
        if self.gleam > (DULL if self.grain > GRAIN else GLEAM):
            return Material.METAL
        return Material.WOOD if self.grain > GRAIN else Material.PLAIN


def surface_of(track: Track, frames: np.ndarray, colour: str, time: Time) -> Surface | None:
    """Medians over some frames in which the thing was whole; None where it never was."""
    whole = np.flatnonzero(track.whole)
    if not len(whole):
        return None
    light = np.asarray(NIGHT_THING if time == Time.NIGHT else (1.0, 1.0, 1.0))
    # A pixel is so much of the colour and so much of white.
    parts = np.linalg.pinv(np.stack([COLOURS[colour] * light, light], axis=1))
    seen = []
    for frame in whole[np.linspace(0, len(whole) - 1, LOOKS).astype(int)]:
        piece = track.pieces[frame]
        if piece is not None and (found := _read_surface(piece, frames[frame], parts)):
            seen.append(found)
    return Surface(*(float(v) for v in np.median(seen, axis=0))) if seen else None


def _read_surface(
    piece: Piece, picture: np.ndarray, parts: np.ndarray
) -> tuple[float, float] | None:
    inner = ndimage.binary_erosion(piece.mask, iterations=RIM)
    y, x = np.nonzero(inner)
    if len(y) < 20:
        return None
    shade, white = parts @ picture[piece.rows, piece.columns][inner].T
    shade = shade / np.clip(1 - white, 0.2, None)  # white lies over the colour
    radius = math.sqrt(piece.mask.sum() / math.pi)
    x, y = (x - x.mean()) / radius, (y - y.mean()) / radius
    # A lit ball's brightness is a plane of x, y and its height; a cube's is one of x and y.
    height = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    smooth = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y, height], axis=1)
    rest = shade - smooth @ np.linalg.lstsq(smooth, shade, rcond=None)[0]
    return float(np.clip(white, 0, None).mean()), float(rest.std() / max(shade.mean(), 0.05))


def half_width(area: float, shape: Shape | None) -> float:
    """A ball's radius, or half a cube's edge."""
    return math.sqrt(area) / 2 if shape == Shape.CUBE else math.sqrt(area / math.pi)


def size_of(half: float, ground: float, shape: Shape | None) -> Size:
    """From half its width, and how near it is by where it touches the ground, or would.

    Args:
        half: of the whole thing, picture heights.
        ground: y, NaN where it cannot be told.
        shape: of the thing.
    """
    share = half / (CUBE_HALF if shape == Shape.CUBE else BALL_RADIUS)
    if not math.isnan(ground):
        lanes = sorted(NEARNESS)
        share /= float(np.interp(ground, lanes, [NEARNESS[lane] for lane in lanes]))
    return min(SIZES, key=lambda size: abs(math.log(share / SIZES[size])))


def shadow_line(track: Track, frames: np.ndarray, labels: Labels, backdrop: Backdrop) -> float:
    """Y in the world of the shadow below a thing in the air, NaN where none is seen."""
    whole = np.flatnonzero(track.whole)
    height, width = frames.shape[1:3]
    found = []
    for frame in whole[np.linspace(0, len(whole) - 1, LOOKS).astype(int)]:
        piece = track.pieces[frame]
        if piece is None:
            continue
        empty = backdrop.empty(height, width, np.array([frame]))[0]
        middle = round((piece.centre[0] - 0.5) * height + width / 2 - 0.5)
        columns = slice(max(0, middle - 1), middle + 2)
        soil = slice(int((HORIZON + 0.04) * height), height)
        shown, clear = frames[frame, soil, columns], empty[soil, columns]
        taken = 1 - (shown * clear).sum(axis=-1) / (clear**2).sum(axis=-1)
        taken = np.where(labels.colour[frame, soil, columns] < 0, taken, 0)
        weight = np.clip(taken - FAINT_SHADOW, 0, None).mean(axis=1)
        if weight.max() > FAINT_SHADOW:
            # The deepest place; other things' shadows lie elsewhere.
            near = np.abs(np.arange(len(weight)) - weight.argmax()) <= height // 32
            rows = np.arange(len(weight))[near]
            y = (soil.start + 0.5 + float(np.average(rows, weights=weight[near]))) / height
            zoom = math.exp(backdrop.view[frame, 1])
            found.append((y - VIEW_CENTRE[1]) / zoom + VIEW_CENTRE[1])
    return float(np.median(found)) if found else float("nan")
