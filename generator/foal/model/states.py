"""A clip as numbers: what the codec's encoder learns to read and its decoder to draw.

The content code says what there is, the motion code of each frame where it is and how the camera
looks at it. Both are the renderer's state, each number scaled to about -1 to 1. Slots hold the
things in the scene's order; the numbers of a slot that holds none are 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generator.foal.world import sound
from generator.foal.world.clip import FRAME_RATE
from generator.foal.world.physics import BALL_RADIUS, PAN, ZOOM, Motions
from generator.foal.world.render import to_world
from generator.foal.world.scenes import (
    COLOURS,
    MOST_THINGS,
    Ground,
    Material,
    Scene,
    Shape,
    Time,
)

FORM = "states-1"  # changed whenever the meaning of any number of the codes is
SLOTS = MOST_THINGS
COLOUR_NAMES = tuple(COLOURS)
# A slot's numbers: there or not, colour, ball or cube, metal, wood, size, ground, rope, its place.
SLOT_CODE = 1 + len(COLOUR_NAMES) + 7
SCENE_CODE = len(Ground) + 1
PART_CODE = max(SLOT_CODE, SCENE_CODE)  # the scene's part is padded to a slot's
CONTENT_PARTS = 1 + SLOTS
CONTENT_SIZE = CONTENT_PARTS * PART_CODE
SLOT_MOTION = 4  # x, y, cosine and sine of the angle
MOTION_SIZE = SLOTS * SLOT_MOTION + 2  # and the camera's pan and zoom
# One deviation a stream, of 4,000 training clips: the transformer works on codes of deviation 1.
CONTENT_DEVIATION, MOTION_DEVIATION, SOUND_DEVIATION = 0.43, 0.53, 0.10
SOUND_SIZE = sound.BANDS * sound.HOPS_PER_SECOND // FRAME_RATE  # numbers a frame
PLACE_SCALE, PLACE_CENTRE = 0.25, (0.5, 0.6)
SIZE_CENTRE, SIZE_SCALE = BALL_RADIUS, 0.02
GROUND_CENTRE, GROUND_SCALE = 0.84, 0.06
VIEW_SCALES = (PAN, math.log(ZOOM))

# Where the parts of a slot's code lie.
THERE = 0
COLOUR = slice(1, 1 + len(COLOUR_NAMES))
SHAPE, METAL, WOOD, SIZE, GROUND_Y, ROPE, ROPE_X = range(COLOUR.stop, SLOT_CODE)


@dataclass(frozen=True)
class States:
    """Codes of one clip of F frames."""

    content: np.ndarray  # (CONTENT_PARTS, PART_CODE) float32
    motion: np.ndarray  # (F, MOTION_SIZE) float32


def encode_surroundings(ground: Ground, time: Time) -> np.ndarray:
    """The scene's part of a content code, (SCENE_CODE,)."""
    code = np.zeros(SCENE_CODE, dtype=np.float32)
    code[list(Ground).index(ground)] = 1
    code[len(Ground)] = 1 if time == Time.NIGHT else -1
    return code


def encode_content(
    scene: Scene, motions: Motions, slots: Sequence[int] = range(SLOTS)
) -> np.ndarray:
    """Content code of a clip, (CONTENT_PARTS, PART_CODE); `slots` are the things' own."""
    code = np.zeros((CONTENT_PARTS, PART_CODE), dtype=np.float32)
    code[0, :SCENE_CODE] = encode_surroundings(scene.ground, scene.time)
    for number, thing in enumerate(scene.things):
        part = code[1 + slots[number]]
        part[THERE] = 1
        part[COLOUR][COLOUR_NAMES.index(thing.colour)] = 1
        part[SHAPE] = 1 if thing.shape == Shape.CUBE else -1
        part[METAL] = thing.material == Material.METAL
        part[WOOD] = thing.material == Material.WOOD
        part[SIZE] = (motions.size[number] - SIZE_CENTRE) / SIZE_SCALE
        part[GROUND_Y] = (motions.ground[number] - GROUND_CENTRE) / GROUND_SCALE
        if math.isfinite(motions.rope[number]):
            part[ROPE] = 1
            part[ROPE_X] = (motions.rope[number] - PLACE_CENTRE[0]) / PLACE_SCALE
    return code


def encode_motion(motions: Motions) -> np.ndarray:
    """Motion code of every frame, (F, MOTION_SIZE)."""
    frames, count = motions.angle.shape
    code = np.zeros((frames, SLOTS, SLOT_MOTION), dtype=np.float32)
    code[:, :count, :2] = (motions.position - PLACE_CENTRE) / PLACE_SCALE
    code[:, :count, 2] = np.cos(motions.angle)
    code[:, :count, 3] = np.sin(motions.angle)
    view = motions.view / VIEW_SCALES
    return np.concatenate([code.reshape(frames, -1), view.astype(np.float32)], axis=1)


def encode_states(scene: Scene, motions: Motions) -> States:
    """Both codes of a clip."""
    return States(encode_content(scene, motions), encode_motion(motions))


def from_picture(places: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Places in pictures (F, 2), seen by cameras (F, 2) as codes, as a motion code has them."""
    world = to_world(places[:, None], view * VIEW_SCALES)[:, 0]
    return np.asarray((world - PLACE_CENTRE) / PLACE_SCALE)


def tidy(part: np.ndarray) -> np.ndarray:
    """A slot's code as read, its words made certain: one colour, one shape, one material."""
    made = part.copy()
    made[COLOUR] = np.eye(len(COLOUR_NAMES))[int(part[COLOUR].argmax())]
    made[SHAPE] = 1 if part[SHAPE] > 0 else -1
    made[METAL] = part[METAL] > max(0.5, float(part[WOOD]))
    made[WOOD] = part[WOOD] > max(0.5, float(part[METAL]))
    made[ROPE] = part[ROPE] > 0.5
    made[ROPE_X] = part[ROPE_X] * made[ROPE]
    return made
