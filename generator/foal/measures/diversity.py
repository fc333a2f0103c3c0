"""Are clips different from each other, and new? Places, paths and sizes against the world's own.

A clip's outline is where its things are at MOMENTS moments, in the world's coordinates, and how
large they are; the world's own come from its physics, without pictures.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from generator.foal.measures.scene_detection import SceneDetection
from generator.foal.world.clip import sample_motions, scene_for
from generator.foal.world.physics import Motions

SAMPLE_TIMES = 12
WORLD_CLIPS = 48  # of the world for a caption, whose spread is the truth
TRAINING_CLIPS = 400  # of a caption's kind, as training draws them
REFERENCE_CLIPS = 24  # whose distance to the nearest of those is the truth
MIN_FRAMES = 12  # frames in which a thing's place must be known
TRAINING_SEED, REFERENCE_SEED = 1, 2


def trajectory_descriptor(detection: SceneDetection) -> np.ndarray | None:
    """Places and sizes of n things, (n, 2 MOMENTS + 1), or None where a thing was not seen."""
    rows = []
    for thing in detection.things:
        path = thing.track.centre
        known = np.flatnonzero(thing.track.unoccluded)
        if len(known) < MIN_FRAMES:
            return None
        times = np.linspace(0, len(path) - 1, SAMPLE_TIMES)
        positions = [np.interp(times, known, path[known, axis]) for axis in (0, 1)]
        rows.append(np.concatenate([*positions, [thing.half]]))
    return np.stack(rows)


def world_descriptor(motions: Motions) -> np.ndarray:
    """The same of a clip of the world."""
    times = np.linspace(0, len(motions.position) - 1, SAMPLE_TIMES).round().astype(int)
    positions = motions.position[times].transpose(1, 2, 0).reshape(len(motions.size), -1)
    return np.concatenate([positions, motions.size[:, None]], axis=1)


def diversity(descriptors: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    """For each caption with two clips or more, their spread as a share of the world's own.

    A spread is the root of the mean squared distance of two clips, things in the order that
    makes it least.
    """
    return {
        text: dispersion(clips) / dispersion(sample_descriptors(text, WORLD_CLIPS, 0))
        for text, clips in descriptors.items()
        if len(clips) > 1
    }


def dispersion(clips: Sequence[np.ndarray]) -> float:
    """Root mean squared distance of all pairs."""
    pairs = [distance(one, other) for one, other in itertools.combinations(clips, 2)]
    return float(np.sqrt(np.mean(np.square(pairs))))


def novelty(text: str, clip: np.ndarray) -> float:
    """Distance of the nearest training clip of the caption's kind, over that from a real clip.

    About 1 for clips that are as new as the world's own; near 0 for a copy.
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
    """Outlines of the world's own clips of a caption; colours make no difference to paths."""
    descriptors = []
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        motions = sample_motions(scene_for(text, rng), rng)
        descriptors.append(world_descriptor(motions))
    return tuple(descriptors)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean squared difference of two outlines in the best order of things."""
    orders = itertools.permutations(range(len(one)))
    return float(min(np.sqrt(np.mean((one - other[list(order)]) ** 2)) for order in orders))
