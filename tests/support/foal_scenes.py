"""Scenes of Foal's world for its tests."""

import numpy as np

from generator.foal.world import physics
from generator.foal.world.scenes import Ground, Motion, Scene, Shape, Thing, Time, sample_scene

FINE_RATE = 480  # samples per second, ten per hop of the sound


def make_scene(*things: tuple[str, Shape], motion: Motion = Motion.BOUNCE) -> Scene:
    """A scene on grass by day, of things given by colour and shape."""
    return Scene(tuple(Thing(*thing) for thing in things), motion, Ground.GRASS, Time.DAY)


def simulate_scene(scene: Scene, seed: int, *, rate: int = FINE_RATE) -> physics.Motions:
    """Simulate a scene for the length of a clip."""
    return physics.simulate(scene, np.random.default_rng(seed), seconds=3, rate=rate)


def sample_any_scene(seed: int) -> Scene:
    """Sample a scene of any combination, held out or not."""
    return sample_scene(np.random.default_rng(seed), held_out=None)
