"""Renderer: a frame as a function of coordinates, at any resolution.

Coordinates are in units of the image height: x to the right from the left edge of the central
square, y down. World coordinates equal image coordinates for a still camera; `to_world` and
`to_image` convert between them for a moving one.
"""

from dataclasses import dataclass

import numpy as np

from generator.foal.world import camera
from generator.foal.world.background import background, background_at, pixel_centres, rgb
from generator.foal.world.physics import ROPE_TOP, Motions
from generator.foal.world.scenes import COLOURS, Camera, Ground, Material, Scene, Shape, Time
from generator.foal.world.surfaces import surface

NIGHT_TINT = (0.84, 0.84, 0.92)
SHADOW_DEPTH = {Time.DAY: 0.50, Time.NIGHT: 0.62}
SHADOW_FLATNESS = 0.24
SHADOW_SIZES, SPRITE_SIZES = 2.9, 1.5  # extents of a shadow and a sprite, in sizes of the object
ROPE_COLOUR, ROPE_HALF_WIDTH = (0.34, 0.27, 0.20), 0.004
CHUNK_PIXELS = 300_000  # larger temporaries are slower because of page faults


@dataclass(frozen=True)
class Appearance:
    """Appearance and pose of one object in each of N images, for instance the frames of a clip."""

    cube: np.ndarray  # (N,) bool
    colour: np.ndarray  # (N, 3)
    metal: np.ndarray  # (N,) bool
    wood: np.ndarray  # (N,) bool
    size: np.ndarray  # (N,)
    ground: np.ndarray  # (N,)
    rope: np.ndarray  # (N,): x of the rope's anchor, NaN without a rope
    night: np.ndarray  # (N,) bool
    position: np.ndarray  # (N, 2)
    angle: np.ndarray  # (N,)


def appearances(scene: Scene, motions: Motions, frames: np.ndarray) -> list[Appearance]:
    """Appearances of the scene's objects at the given frames, the farthest object first."""
    count = len(frames)

    def each(value: object, kind: type) -> np.ndarray:
        return np.full(count, value, dtype=kind)

    return [
        Appearance(
            cube=each(scene.objects[i].shape == Shape.CUBE, bool),
            colour=np.tile(rgb(COLOURS[scene.objects[i].colour]), (count, 1)),
            metal=each(scene.objects[i].material == Material.METAL, bool),
            wood=each(scene.objects[i].material == Material.WOOD, bool),
            size=each(motions.size[i], np.float32),
            ground=each(motions.ground[i], np.float32),
            rope=each(motions.rope[i], np.float32),
            night=each(scene.time == Time.NIGHT, bool),
            position=motions.position[frames, i].astype(np.float32),
            angle=motions.angle[frames, i].astype(np.float32),
        )
        for i in np.argsort(motions.ground, kind="stable")
    ]


def to_world(points: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Convert image to world coordinates: points (N, ..., 2) or (1, ..., 2), view (N, 2)."""
    pan, zoom = _pan_and_zoom(points, view)
    x, y = camera.image_to_world(points[..., 0], points[..., 1], pan, zoom)
    return np.stack([x, y], axis=-1).astype(np.float32)


def to_image(points: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Convert world to image coordinates: points (N, ..., 2), view (N, 2)."""
    pan, zoom = _pan_and_zoom(points, view)
    x, y = camera.world_to_image(points[..., 0], points[..., 1], pan, zoom)
    return np.stack([x, y], axis=-1)


def _pan_and_zoom(points: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pan and zoom of every image, shaped to broadcast against points (N, ..., 2)."""
    shape = (len(view), *[1] * (points.ndim - 2))
    return view[:, 0].reshape(shape), np.exp(view[:, 1]).reshape(shape)


def render_background(
    ground: Ground, time: Time, view: np.ndarray, *, height: int, width: int
) -> np.ndarray:
    """Render the background for a moving camera, view (N, 2): (N, height, width, 3)."""
    centres = pixel_centres(height, width)[None]
    world_points = (
        to_world(centres, frame_view[None]) for frame_view in view
    )  # one frame at a time, to save memory
    return np.concatenate([background_at(world, ground, time) for world in world_points])


def paint(
    canvas: np.ndarray, points: np.ndarray, objects: list[Appearance], *, pixel: np.ndarray
) -> np.ndarray:
    """Composite shadows, then objects from far to near, over a background.

    Args:
        canvas: background colours at P points of N images, shape (N, P, 3).
        points: world coordinates of the points, shape (N, P, 2) or (1, P, 2).
        objects: appearance of each object in the N images, the farthest first.
        pixel: width of a pixel in world units, for antialiasing of edges, shape (N, 1).

    Returns:
        Colours, shape (N, P, 3).
    """
    for obj in objects:
        canvas = canvas * (1 - _shadow(points, obj))[..., None]
    for obj in objects:
        if np.isfinite(obj.rope).any():
            canvas = _over(canvas, *_rope(points, obj, pixel))
        canvas = _over(canvas, *_sprite(points, obj, pixel))
    return canvas


def _over(canvas: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    result: np.ndarray = canvas + (colour - canvas) * alpha[..., None]
    return result


def _shadow(points: np.ndarray, obj: Appearance) -> np.ndarray:
    """Fraction of light a shadow takes, shape (N, P): wider and weaker with the object's height."""
    height = np.maximum(obj.ground - obj.size - obj.position[:, 1], 0)[:, None]
    dx = points[..., 0] - obj.position[:, :1]
    dy = points[..., 1] - obj.ground[:, None] - 0.004
    shadow_width = obj.size[:, None] * (1.05 + 0.8 * height)
    distance = (dx / shadow_width) ** 2 + (dy / (SHADOW_FLATNESS * shadow_width)) ** 2
    day, night = (rgb(SHADOW_DEPTH[time]) for time in (Time.DAY, Time.NIGHT))
    depth = np.where(obj.night, night, day)[:, None]
    result: np.ndarray = depth / (1 + 2.2 * height) * np.exp(-(distance**1.5))
    return result


def _rope(points: np.ndarray, obj: Appearance, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour (N, 1, 3) and alpha (N, P) of the rope that an object hangs on."""
    anchor = np.stack([np.nan_to_num(obj.rope), np.full(len(obj.rope), ROPE_TOP)], axis=1)
    along = obj.position - anchor
    length = np.hypot(along[:, 0], along[:, 1])[:, None]
    unit = along[:, None] / length[..., None]
    relative = points - anchor[:, None]
    offset = np.abs(relative[..., 0] * unit[..., 1] - relative[..., 1] * unit[..., 0])
    along_rope = relative[..., 0] * unit[..., 0] + relative[..., 1] * unit[..., 1]
    alpha = np.clip(0.5 - (offset - ROPE_HALF_WIDTH) / pixel, 0, 1) * (along_rope < length)
    colour = np.where(obj.night[:, None], rgb(ROPE_COLOUR) * rgb(0.5), rgb(ROPE_COLOUR))
    return colour[:, None], alpha * np.isfinite(obj.rope)[:, None]


def _sprite(
    points: np.ndarray, obj: Appearance, pixel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colour (N, P, 3) and alpha (N, P) of an object."""
    size = obj.size[:, None]
    dx = (points[..., 0] - obj.position[:, :1]) / size
    dy = (points[..., 1] - obj.position[:, 1:]) / size
    distance, shade, shine = surface(
        dx,
        dy,
        obj.angle[:, None],
        size / pixel,
        cube=obj.cube[:, None],
        metal=obj.metal[:, None],
        wood=obj.wood[:, None],
    )
    alpha = np.clip(0.5 - (distance - 1) * size / pixel, 0, 1)
    colour = obj.colour[:, None, :] * shade[..., None]
    colour = colour + (1 - colour) * shine[..., None]
    colour = np.where(obj.night[:, None, None], colour * rgb(NIGHT_TINT), colour)
    return np.clip(colour, 0, 1), alpha


def render(
    scene: Scene,
    motions: Motions,
    *,
    height: int,
    width: int,
    frames: np.ndarray | None = None,
) -> np.ndarray:
    """Render all frames of a clip, or the given ones: (F, height, width, 3), float32 in [0, 1].

    Equivalent to `paint` over all pixels, but computed only in bounding boxes of the objects.
    """
    frames = np.arange(len(motions.position)) if frames is None else frames
    count = len(frames)
    if scene.camera == Camera.STILL:
        video = np.tile(background(scene.ground, scene.time, height, width), (count, 1, 1, 1))
    else:
        view = motions.view[frames]
        video = render_background(scene.ground, scene.time, view, height=height, width=width)
    chunk = max(1, CHUNK_PIXELS // (height * height))
    for start in range(0, count, chunk):
        chunk_frames = frames[start : start + chunk]
        _composite(
            video[start : start + chunk],
            appearances(scene, motions, chunk_frames),
            motions.view[chunk_frames],
        )
    return video


def _composite(video: np.ndarray, objects: list[Appearance], view: np.ndarray) -> None:
    height, width = video.shape[1:3]
    centres = pixel_centres(height, width)
    zoom = np.exp(view[:, 1])
    pixel = (1 / (height * zoom))[:, None]
    max_zoom = float(zoom.max())
    for obj in objects:
        extent = SHADOW_SIZES * float(obj.size[0]) * max_zoom
        centre = to_image(np.stack([obj.position[:, 0], obj.ground], axis=1), view)
        box = _box_indices(video, centre, extent, SHADOW_FLATNESS * extent)
        patch = video[box]
        darkening = _shadow(_flat_to_world(centres[box[1:]], view), obj).reshape(patch.shape[:3])
        video[box] = patch * (1 - darkening)[..., None]
    for obj in objects:
        if np.isfinite(obj.rope[0]):
            _composite_rope(video, obj, view, centres, pixel)
        extent = SPRITE_SIZES * float(obj.size[0]) * max_zoom
        box = _box_indices(video, to_image(obj.position, view), extent, extent)
        patch = video[box]
        colour, alpha = _sprite(_flat_to_world(centres[box[1:]], view), obj, pixel)
        video[box] = _over(patch, colour.reshape(patch.shape), alpha.reshape(patch.shape[:3]))


def _composite_rope(
    video: np.ndarray, obj: Appearance, view: np.ndarray, centres: np.ndarray, pixel: np.ndarray
) -> None:
    anchor = np.stack([obj.rope, np.full(len(obj.rope), ROPE_TOP)], axis=1)
    ends = to_image(anchor, view), to_image(obj.position, view)
    middle = (ends[0] + ends[1]) / 2
    half_width, half_height = (np.abs(ends[0] - ends[1]) / 2).max(axis=0) + 3 * ROPE_HALF_WIDTH
    box = _box_indices(video, middle, float(half_width), float(half_height))
    patch = video[box]
    colour, alpha = _rope(_flat_to_world(centres[box[1:]], view), obj, pixel)
    video[box] = _over(patch, colour[:, None], alpha.reshape(patch.shape[:3]))


def _box_indices(
    video: np.ndarray, centre: np.ndarray, half_width: float, half_height: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index arrays of equal boxes around one centre per frame, shifted to lie in the image."""
    height, width = video.shape[1:3]
    rows, columns = (
        min(n, int(2 * r * height) + 3) for n, r in ((height, half_height), (width, half_width))
    )
    top = np.clip(((centre[:, 1] - half_height) * height).astype(int) - 1, 0, height - rows)
    left = ((centre[:, 0] - 0.5 - half_width) * height + width / 2).astype(int) - 1
    left = np.clip(left, 0, width - columns)
    return (
        np.arange(len(video))[:, None, None],
        (top[:, None] + np.arange(rows))[:, :, None],
        (left[:, None] + np.arange(columns))[:, None, :],
    )


def _flat_to_world(points: np.ndarray, view: np.ndarray) -> np.ndarray:
    return to_world(points.reshape(len(points), -1, 2), view)
