"""What the latents mean: the encoder learns to read them, the decoder to render them.

Content says what is in the scene, motion says for each frame where it is and how the camera looks
at it. Both are the state of the world's renderer, every number scaled to about -1 to 1. Each object
has a slot, in the order of the scene; the numbers of an empty slot are 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generator.foal.world import sound
from generator.foal.world.camera import PAN, ZOOM
from generator.foal.world.clip import FRAME_RATE
from generator.foal.world.physics import BALL_RADIUS, Motions
from generator.foal.world.render import to_world
from generator.foal.world.scenes import (
    COLOURS,
    MAX_OBJECTS,
    Ground,
    Material,
    Scene,
    Shape,
    Time,
)

LATENT_FORMAT = "states-1"  # to be changed whenever the meaning of any number of the latents is
SLOTS = MAX_OBJECTS
COLOUR_NAMES = tuple(COLOURS)
# A slot's content: presence, colour (one-hot), shape, metal, wood, size, ground, rope, rope's x.
SLOT_DIM = 1 + len(COLOUR_NAMES) + 7
SCENE_DIM = len(Ground) + 1  # ground (one-hot), time of day
CONTENT_DIM = max(SLOT_DIM, SCENE_DIM)  # the scene's token is padded to the length of a slot's
CONTENT_TOKENS = 1 + SLOTS
CONTENT_SIZE = CONTENT_TOKENS * CONTENT_DIM
SLOT_MOTION_DIM = 4  # x, y, cosine and sine of the angle
MOTION_DIM = SLOTS * SLOT_MOTION_DIM + 2  # the last two: the camera's pan and zoom
SOUND_DIM = sound.BANDS * sound.HOPS_PER_SECOND // FRAME_RATE  # per frame
# Standard deviations over 4,000 training clips, by which the transformer's latents are divided.
CONTENT_STD, MOTION_STD, SOUND_STD = 0.43, 0.53, 0.10
POSITION_SCALE, POSITION_CENTRE = 0.25, (0.5, 0.6)
SIZE_CENTRE, SIZE_SCALE = BALL_RADIUS, 0.02
GROUND_CENTRE, GROUND_SCALE = 0.84, 0.06
CAMERA_SCALES = (PAN, math.log(ZOOM))

# Indices into a slot's content.
PRESENCE = 0
COLOUR = slice(1, 1 + len(COLOUR_NAMES))
SHAPE, METAL, WOOD, SIZE, GROUND_Y, ROPE, ROPE_X = range(COLOUR.stop, SLOT_DIM)


@dataclass(frozen=True)
class States:
    """Content and motion of one clip of F frames, not normalized."""

    content: np.ndarray  # (CONTENT_TOKENS, CONTENT_DIM) float32
    motion: np.ndarray  # (F, MOTION_DIM) float32


def encode_scene(ground: Ground, time: Time) -> np.ndarray:
    """The scene's content, (SCENE_DIM,)."""
    content = np.zeros(SCENE_DIM, dtype=np.float32)
    content[list(Ground).index(ground)] = 1
    content[len(Ground)] = 1 if time == Time.NIGHT else -1
    return content


def encode_content(
    scene: Scene, motions: Motions, slots: Sequence[int] = range(SLOTS)
) -> np.ndarray:
    """Content of a clip, (CONTENT_TOKENS, CONTENT_DIM); `slots` holds the slot of each object."""
    content = np.zeros((CONTENT_TOKENS, CONTENT_DIM), dtype=np.float32)
    content[0, :SCENE_DIM] = encode_scene(scene.ground, scene.time)
    for i, obj in enumerate(scene.objects):
        slot = content[1 + slots[i]]
        slot[PRESENCE] = 1
        slot[COLOUR][COLOUR_NAMES.index(obj.colour)] = 1
        slot[SHAPE] = 1 if obj.shape == Shape.CUBE else -1
        slot[METAL] = obj.material == Material.METAL
        slot[WOOD] = obj.material == Material.WOOD
        slot[SIZE] = (motions.size[i] - SIZE_CENTRE) / SIZE_SCALE
        slot[GROUND_Y] = (motions.ground[i] - GROUND_CENTRE) / GROUND_SCALE
        if math.isfinite(motions.rope[i]):
            slot[ROPE] = 1
            slot[ROPE_X] = (motions.rope[i] - POSITION_CENTRE[0]) / POSITION_SCALE
    return content


def encode_motion(motions: Motions) -> np.ndarray:
    """Motion of every frame, (F, MOTION_DIM)."""
    frames, count = motions.angle.shape
    slots = np.zeros((frames, SLOTS, SLOT_MOTION_DIM), dtype=np.float32)
    slots[:, :count, :2] = (motions.position - POSITION_CENTRE) / POSITION_SCALE
    slots[:, :count, 2] = np.cos(motions.angle)
    slots[:, :count, 3] = np.sin(motions.angle)
    camera = motions.view / CAMERA_SCALES
    return np.concatenate([slots.reshape(frames, -1), camera.astype(np.float32)], axis=1)


def encode_states(scene: Scene, motions: Motions) -> States:
    """Content and motion of a clip."""
    return States(encode_content(scene, motions), encode_motion(motions))


def positions_from_image(positions: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Positions in motion latents, (F, 2), from positions in images (F, 2).

    `camera` holds the pan and zoom of the motion latents, (F, 2).
    """
    world = to_world(positions[:, None], camera * CAMERA_SCALES)[:, 0]
    return np.asarray((world - POSITION_CENTRE) / POSITION_SCALE)


def discretize_slot(slot: np.ndarray) -> np.ndarray:
    """Round a slot's content as read from images to one colour, one shape and one material."""
    result = slot.copy()
    result[COLOUR] = np.eye(len(COLOUR_NAMES))[int(slot[COLOUR].argmax())]
    result[SHAPE] = 1 if slot[SHAPE] > 0 else -1
    result[METAL] = slot[METAL] > max(0.5, float(slot[WOOD]))
    result[WOOD] = slot[WOOD] > max(0.5, float(slot[METAL]))
    result[ROPE] = slot[ROPE] > 0.5
    result[ROPE_X] = slot[ROPE_X] * result[ROPE]
    return result
