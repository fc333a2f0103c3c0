"""Do things move like things? Paths that do not shake, and flights that fall as the world's do."""

import numpy as np

from generator.foal.measures.motion_classification import flight_accelerations
from generator.foal.world.flights import GRAVITY

JITTER_SCALE = 0.0025  # picture heights: a path that shakes by so much scores 1/e
JITTER_FLOOR = 0.0007  # what finding a centre in pixels shakes by itself, an eye sees none of it
MIN_FRAMES = 8  # frames of a kind that say something
NOISE_GAIN = np.sqrt(70.0)  # of fourth differences: 1, 4, 6, 4 and 1, squared
MEDIAN_TO_DEVIATION = 1.4826


def jitter(path: np.ndarray) -> float:
    """Deviation of the places of a path (T, 2) from a smooth one, NaN where too little was seen.

    Fourth differences vanish on paths between hits; the median passes over the hits.
    """
    differences = np.abs(np.diff(path, n=4, axis=0))
    differences = differences[np.isfinite(differences).all(axis=1)]
    if len(differences) < MIN_FRAMES:
        return float("nan")
    return float(np.median(differences, axis=0).max() * MEDIAN_TO_DEVIATION / NOISE_GAIN)


def gravity_ratio(path: np.ndarray, fps: float) -> float:
    """Median acceleration in flight over the world's, NaN without flights."""
    accelerations = flight_accelerations(path, fps)
    return (
        float(np.median(accelerations)) / GRAVITY
        if len(accelerations) >= MIN_FRAMES
        else float("nan")
    )


def coherence(path: np.ndarray, fps: float, *, flies: bool) -> float | None:
    """1 for a path as the world's own; None where too little of it was seen."""
    amount = jitter(path)
    if np.isnan(amount):
        return None
    smooth = float(np.exp(-max(0.0, amount - JITTER_FLOOR) / JITTER_SCALE))
    ratio = gravity_ratio(path, fps) if flies else float("nan")
    if np.isnan(ratio):
        return smooth
    return (smooth + max(0.0, 1 - 2 * abs(ratio - 1))) / 2
