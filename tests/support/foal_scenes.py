"""Scenes of Foal's world, simulated and rendered, for its tests."""

import numpy as np

from generator.foal.world import physics
from generator.foal.world.clip import Clip
from generator.foal.world.pictures import to_uint8
from generator.foal.world.scenes import (
    Ground,
    Motion,
    Scene,
    SceneObject,
    Shape,
    Time,
    sample_scene,
)

RenderedClip = tuple[np.ndarray, np.ndarray]  # frames uint8 (T, H, W, 3), stereo audio (2, N)

FINE_RATE = 480  # samples per second, ten per hop of the sound


def make_scene(*objects: tuple[str, Shape], motion: Motion = Motion.BOUNCE) -> Scene:
    """A scene on grass by day, of objects given by colour and shape."""
    return Scene(tuple(SceneObject(*obj) for obj in objects), motion, Ground.GRASS, Time.DAY)


def simulate_scene(scene: Scene, seed: int, *, rate: int = FINE_RATE) -> physics.Motions:
    """Simulate a scene for the length of a clip."""
    return physics.simulate(scene, np.random.default_rng(seed), seconds=3, rate=rate)


def sample_any_scene(seed: int) -> Scene:
    """Sample a scene of any combination, held out or not."""
    return sample_scene(np.random.default_rng(seed), held_out=None)


RED_BALL = SceneObject("red", Shape.BALL)
BOUNCE = Scene((RED_BALL,), Motion.BOUNCE, Ground.GRASS, Time.DAY)
BOUNCE_PROMPT = "a red ball bounces on grass by day"


def render_clip(clip: Clip, *, size: int = 128) -> RenderedClip:
    """Render the frames and the sound of a clip, as measures see them."""
    return to_uint8(clip.frames(height=size, width=size)), np.stack([clip.audio()] * 2)
