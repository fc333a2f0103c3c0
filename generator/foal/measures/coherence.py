"""Motion coherence: trajectories without jitter, and flights with the world's gravity."""

import numpy as np

from generator.foal.measures.motion_classification import flight_accelerations
from generator.foal.world.flights import GRAVITY

JITTER_SCALE = 0.0025  # image heights: jitter that scores 1/e
JITTER_FLOOR = 0.0007  # image heights: error of the measured centres, not visible
MIN_FRAMES = 8  # with a known difference or acceleration
NOISE_GAIN = np.sqrt(70.0)  # of fourth differences: root of 1 + 16 + 36 + 16 + 1
MEDIAN_TO_DEVIATION = 1.4826


def jitter(path: np.ndarray) -> float:
    """Standard deviation of a trajectory (T, 2) around a smooth one; NaN if too short.

    Fourth differences vanish between hits, and their median ignores the hits.
    """
    differences = np.abs(np.diff(path, n=4, axis=0))
    differences = differences[np.isfinite(differences).all(axis=1)]
    if len(differences) < MIN_FRAMES:
        return float("nan")
    return float(np.median(differences, axis=0).max() * MEDIAN_TO_DEVIATION / NOISE_GAIN)


def gravity_ratio(path: np.ndarray, fps: float) -> float:
    """Median acceleration in flight relative to the world's gravity; NaN without flights."""
    accelerations = flight_accelerations(path, fps)
    return (
        float(np.median(accelerations)) / GRAVITY
        if len(accelerations) >= MIN_FRAMES
        else float("nan")
    )


def coherence(path: np.ndarray, fps: float, *, flies: bool) -> float | None:
    """Score from 0 to 1, about 1 for trajectories of the world; None if the path is too short."""
    amount = jitter(path)
    if np.isnan(amount):
        return None
    smooth = float(np.exp(-max(0.0, amount - JITTER_FLOOR) / JITTER_SCALE))
    ratio = gravity_ratio(path, fps) if flies else float("nan")
    if np.isnan(ratio):
        return smooth
    return (smooth + max(0.0, 1 - 2 * abs(ratio - 1))) / 2
