"""Audio-visual sync: detect onsets in the waveform and hits in the trajectories, and match them."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import find_peaks, resample_poly

from generator.foal.measures.motion_classification import find_impacts
from generator.foal.world import sound

RATE = 8_000  # samples / s, sufficient for the highest band
HOP_SECONDS = 1 / 96
WINDOW_SECONDS = 0.05  # resolves the two lowest bands, which otherwise beat
RIDGE = 0.02  # ridge regularization, relative to the largest eigenvalue
RISE_HOPS = 3  # distance of the compared levels: the window blurs a sudden rise
MIN_ONSET, CLEAR_ONSET = 0.04, 0.08  # summed rise of levels of a possible and a certain onset
MIN_HIT, CLEAR_HIT = 0.10, 0.60  # change of velocity, image heights / s, possible and certain
TOLERANCE_SECONDS = 1.5 / 24
MIN_SPACING_SECONDS = 0.07  # closer onsets count as one

Event = tuple[float, float]  # time in s, strength


@dataclass(frozen=True)
class SyncMatch:
    """Counts of clear hits and clear onsets, and how many of them have a counterpart."""

    hits: int
    hits_matched: int
    onsets: int
    onsets_matched: int

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; either is 1 if it has no events."""
        recall = self.hits_matched / self.hits if self.hits else 1.0
        precision = self.onsets_matched / self.onsets if self.onsets else 1.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def find_onsets(audio: np.ndarray, sample_rate: int) -> list[Event]:
    """Detect sudden rises of the bands in audio (channels, samples): (time, summed rise).

    Rises are taken band by band, since the sum of neighbouring bands beats.
    """
    levels = band_levels(audio, sample_rate)
    padded = np.pad(levels, ((RISE_HOPS, RISE_HOPS), (0, 0)))
    rise = np.maximum(padded[2 * RISE_HOPS :] - padded[: -2 * RISE_HOPS], 0).sum(axis=1)
    peaks, _ = find_peaks(
        np.pad(rise, 1), height=MIN_ONSET, distance=round(MIN_SPACING_SECONDS / HOP_SECONDS)
    )
    return [(float(i - 1) * HOP_SECONDS, float(rise[i - 1])) for i in peaks]


def band_levels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Amplitude of each band at each hop, (hops, BANDS), of audio (channels, samples)."""
    mono = audio.mean(axis=0)
    common = math.gcd(RATE, sample_rate)
    mono = resample_poly(mono, RATE // common, sample_rate // common)
    basis, solve = _bank()
    size = basis.shape[0]
    padded = np.pad(mono, size // 2)
    starts = (np.arange(int(len(mono) / RATE / HOP_SECONDS)) * HOP_SECONDS * RATE).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    coefficients = windows @ solve.T
    return np.asarray(np.hypot(coefficients[:, : sound.BANDS], coefficients[:, sound.BANDS :]))


@lru_cache(maxsize=1)
def _bank() -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines in a window (samples, 2 BANDS), and the matrix that fits their levels."""
    size = round(WINDOW_SECONDS * RATE)
    time = (np.arange(size) - size / 2) / RATE
    phase = 2 * np.pi * time[:, None] * sound.band_frequencies()
    basis = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    weight = np.hanning(size)[:, None]
    normal = basis.T @ (weight * basis)
    ridge = RIDGE * float(np.linalg.eigvalsh(normal)[-1]) * np.eye(len(normal))
    return basis, np.linalg.solve(normal + ridge, (weight * basis).T)


def find_hits(paths: list[np.ndarray], fps: float) -> list[Event]:
    """Detect hits in trajectories (T, 2): (time, change of velocity in image heights / s)."""
    impacts = [impact for path in paths for impact in find_impacts(path, fps, min_strength=MIN_HIT)]
    return sorted((impact.seconds, impact.strength) for impact in impacts)


def find_unobservable(paths: list[np.ndarray], fps: float) -> np.ndarray:
    """Times at which a hit could not be seen: an object is occluded, or the clip begins or ends."""
    frames = len(paths[0])
    occluded = np.any([~np.isfinite(path[:, 0]) for path in paths], axis=0)
    occluded[[0, -1]] = True
    return np.flatnonzero(occluded[:frames]) / fps


def match_events(hits: list[Event], onsets: list[Event], unobservable: np.ndarray) -> SyncMatch:
    """Match clear events of one kind with possible events of the other.

    Events close to an `unobservable` time (s) are ignored.
    """

    def observable(time: float) -> bool:
        return bool(np.all(np.abs(unobservable - time) > TOLERANCE_SECONDS))

    clear_hits = [time for time, strength in hits if strength > CLEAR_HIT and observable(time)]
    clear_onsets = [time for time, rise in onsets if rise > CLEAR_ONSET and observable(time)]
    return SyncMatch(
        hits=len(clear_hits),
        hits_matched=sum(_is_matched(time, onsets) for time in clear_hits),
        onsets=len(clear_onsets),
        onsets_matched=sum(_is_matched(time, hits) for time in clear_onsets),
    )


def _is_matched(time: float, events: list[Event]) -> bool:
    return any(abs(time - other) <= TOLERANCE_SECONDS for other, _ in events)
