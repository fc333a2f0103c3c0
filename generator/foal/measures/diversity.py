"""Are clips different from each other, and new? Places, paths and sizes against the world's own.

A clip's outline is where its things are at MOMENTS moments, in the world's coordinates, and how
large they are; the world's own come from its physics, without pictures.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from generator.foal.measures.scene_detection import Sighting
from generator.foal.world.clip import move, scene_for
from generator.foal.world.physics import Motions

MOMENTS = 12
OWN_CLIPS = 48  # of the world for a caption, whose spread is the truth
TRAINING_CLIPS = 400  # of a caption's kind, as training draws them
REAL_CLIPS = 24  # whose distance to the nearest of those is the truth
FEWEST_SEEN = 12  # frames in which a thing's place must be known
TRAINING_SEED, REAL_SEED = 1, 2


def outline(sighting: Sighting) -> np.ndarray | None:
    """Places and sizes of n things, (n, 2 MOMENTS + 1), or None where a thing was not seen."""
    rows = []
    for thing in sighting.things:
        path = thing.track.centre
        known = np.flatnonzero(thing.track.whole)
        if len(known) < FEWEST_SEEN:
            return None
        at = np.linspace(0, len(path) - 1, MOMENTS)
        places = [np.interp(at, known, path[known, axis]) for axis in (0, 1)]
        rows.append(np.concatenate([*places, [thing.half]]))
    return np.stack(rows)


def true_outline(motions: Motions) -> np.ndarray:
    """The same of a clip of the world."""
    at = np.linspace(0, len(motions.position) - 1, MOMENTS).round().astype(int)
    places = motions.position[at].transpose(1, 2, 0).reshape(len(motions.size), -1)
    return np.concatenate([places, motions.size[:, None]], axis=1)


def diversity(outlines: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    """For each caption with two clips or more, their spread as a share of the world's own.

    A spread is the root of the mean squared distance of two clips, things in the order that
    makes it least.
    """
    return {
        text: spread(clips) / spread(own_outlines(text, OWN_CLIPS, 0))
        for text, clips in outlines.items()
        if len(clips) > 1
    }


def spread(clips: Sequence[np.ndarray]) -> float:
    """Root mean squared distance of all pairs."""
    pairs = [apart(one, other) for one, other in itertools.combinations(clips, 2)]
    return float(np.sqrt(np.mean(np.square(pairs))))


def novelty(text: str, clip: np.ndarray) -> float:
    """Distance of the nearest training clip of the caption's kind, over that from a real clip.

    About 1 for clips that are as new as the world's own; near 0 for a copy.
    """
    nearest = min(apart(clip, other) for other in own_outlines(text, TRAINING_CLIPS, TRAINING_SEED))
    return nearest / _real_distance(text)


@lru_cache(maxsize=64)
def _real_distance(text: str) -> float:
    training = own_outlines(text, TRAINING_CLIPS, TRAINING_SEED)
    real = own_outlines(text, REAL_CLIPS, REAL_SEED)
    return float(np.mean([min(apart(clip, other) for other in training) for clip in real]))


@lru_cache(maxsize=192)
def own_outlines(text: str, count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Outlines of the world's own clips of a caption; colours make no difference to paths."""
    found = []
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        motions = move(scene_for(text, rng), rng)
        found.append(true_outline(motions))
    return tuple(found)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean squared difference of two outlines in the best order of things."""
    orders = itertools.permutations(range(len(one)))
    return float(min(np.sqrt(np.mean((one - other[list(order)]) ** 2)) for order in orders))
