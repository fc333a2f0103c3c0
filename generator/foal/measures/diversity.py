"""Diversity and novelty of clips: their motion and sizes compared with clips of the world.

A clip's trajectory descriptor holds the positions of its objects at SAMPLE_TIMES times, in world
coordinates, and their sizes. Those of the world's clips are simulated, without rendering.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from generator.foal.measures.scene_detection import SceneDetection
from generator.foal.world.clip import sample_motions, scene_for
from generator.foal.world.physics import Motions

SAMPLE_TIMES = 12
WORLD_CLIPS = 48  # per caption, whose dispersion is the reference for diversity
TRAINING_CLIPS = 400  # per caption, distributed as in training
REFERENCE_CLIPS = 24  # per caption, whose distance to the nearest training clip is the reference
MIN_FRAMES = 12  # in which an object's position must be known
TRAINING_SEED, REFERENCE_SEED = 1, 2


def trajectory_descriptor(detection: SceneDetection) -> np.ndarray | None:
    """Descriptor of a detected clip, (n, 2 SAMPLE_TIMES + 1); None if an object was hardly seen."""
    rows = []
    for obj in detection.objects:
        path = obj.track.centre
        known = np.flatnonzero(obj.track.unoccluded)
        if len(known) < MIN_FRAMES:
            return None
        times = np.linspace(0, len(path) - 1, SAMPLE_TIMES)
        positions = [np.interp(times, known, path[known, axis]) for axis in (0, 1)]
        rows.append(np.concatenate([*positions, [obj.half]]))
    return np.stack(rows)


def world_descriptor(motions: Motions) -> np.ndarray:
    """Descriptor of a simulated clip, (n, 2 SAMPLE_TIMES + 1)."""
    times = np.linspace(0, len(motions.position) - 1, SAMPLE_TIMES).round().astype(int)
    positions = motions.position[times].transpose(1, 2, 0).reshape(len(motions.size), -1)
    return np.concatenate([positions, motions.size[:, None]], axis=1)


def diversity(descriptors: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    """Dispersion of the clips of each caption, relative to clips of the world.

    Captions with a single clip are left out.
    """
    return {
        text: dispersion(clips) / dispersion(sample_descriptors(text, WORLD_CLIPS, 0))
        for text, clips in descriptors.items()
        if len(clips) > 1
    }


def dispersion(clips: Sequence[np.ndarray]) -> float:
    """Root mean square distance over all pairs of clips."""
    pairs = [distance(one, other) for one, other in itertools.combinations(clips, 2)]
    return float(np.sqrt(np.mean(np.square(pairs))))


def novelty(text: str, clip: np.ndarray) -> float:
    """Distance to the nearest training clip of the caption, relative to clips of the world.

    About 1 for clips as new as fresh ones of the world, near 0 for copies of training clips.
    """
    nearest = min(
        distance(clip, other) for other in sample_descriptors(text, TRAINING_CLIPS, TRAINING_SEED)
    )
    return nearest / _reference_distance(text)


@lru_cache(maxsize=64)
def _reference_distance(text: str) -> float:
    training = sample_descriptors(text, TRAINING_CLIPS, TRAINING_SEED)
    reference = sample_descriptors(text, REFERENCE_CLIPS, REFERENCE_SEED)
    return float(np.mean([min(distance(clip, other) for other in training) for clip in reference]))


@lru_cache(maxsize=192)
def sample_descriptors(text: str, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Simulate `count` clips of a caption and return their descriptors."""
    descriptors = []
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        motions = sample_motions(scene_for(text, rng), rng)
        descriptors.append(world_descriptor(motions))
    return tuple(descriptors)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two descriptors, minimized over the order of objects."""
    orders = itertools.permutations(range(len(one)))
    return float(min(np.sqrt(np.mean((one - other[list(order)]) ** 2)) for order in orders))
