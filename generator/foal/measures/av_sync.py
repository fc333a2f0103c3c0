"""Do sounds fall on hits? Onsets from a waveform, kinks from paths, and how they match."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import find_peaks, resample_poly

from generator.foal.measures.motion_classification import find_impacts
from generator.foal.world import sound

RATE = 8_000  # samples / s, enough for the highest band
HOP_SECONDS = 1 / 96
WINDOW_SECONDS = 0.05  # long enough to tell the two lowest bands apart, which else beat
RIDGE = 0.02  # of the strongest direction, against telling apart what a window cannot
RISE_HOPS = 3  # over which a band's level is compared: a window blurs what is sudden
MIN_ONSET, CLEAR_ONSET = 0.04, 0.08  # summed rises of levels that may be, and that must be, a hit
MIN_HIT, CLEAR_HIT = (
    0.10,
    0.60,
)  # changes of velocity, picture heights / s, that may be and must be a hit
TOLERANCE_SECONDS = 1.5 / 24
MIN_SPACING_SECONDS = 0.07  # onsets or hits closer than this are one

Event = tuple[float, float]  # seconds, strength


@dataclass(frozen=True)
class SyncMatch:
    """How the strong hits and the loud onsets of a clip found each other."""

    hits: int
    hits_matched: int
    onsets: int
    onsets_matched: int

    @property
    def f1(self) -> float:
        """Harmonic mean of both shares; a side on which nothing is asked is right."""
        recall = self.hits_matched / self.hits if self.hits else 1.0
        precision = self.onsets_matched / self.onsets if self.onsets else 1.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def find_onsets(audio: np.ndarray, sample_rate: int) -> list[Event]:
    """Sudden rises of the bands: (seconds, summed rise). audio (channels, samples).

    Band by band, since neighbours that sound together beat, and their sum rises all the time.
    """
    levels = band_levels(audio, sample_rate)
    padded = np.pad(levels, ((RISE_HOPS, RISE_HOPS), (0, 0)))
    rise = np.maximum(padded[2 * RISE_HOPS :] - padded[: -2 * RISE_HOPS], 0).sum(axis=1)
    peaks, _ = find_peaks(
        np.pad(rise, 1), height=MIN_ONSET, distance=round(MIN_SPACING_SECONDS / HOP_SECONDS)
    )
    return [(float(i - 1) * HOP_SECONDS, float(rise[i - 1])) for i in peaks]


def band_levels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Amplitude of every band around every hop, shape (hops, BANDS); audio (channels, samples)."""
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
    """Cosines and sines of a window (samples, 2 BANDS), and the matrix that finds their levels."""
    size = round(WINDOW_SECONDS * RATE)
    time = (np.arange(size) - size / 2) / RATE
    phase = 2 * np.pi * time[:, None] * sound.band_frequencies()
    basis = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    weight = np.hanning(size)[:, None]
    normal = basis.T @ (weight * basis)
    ridge = RIDGE * float(np.linalg.eigvalsh(normal)[-1]) * np.eye(len(normal))
    return basis, np.linalg.solve(normal + ridge, (weight * basis).T)


def find_hits(paths: list[np.ndarray], fps: float) -> list[Event]:
    """What can be seen of hits, of things with (T, 2) paths: (seconds, change in heights / s)."""
    impacts = [impact for path in paths for impact in find_impacts(path, fps, min_strength=MIN_HIT)]
    return sorted((impact.seconds, impact.strength) for impact in impacts)


def find_unobservable(paths: list[np.ndarray], fps: float) -> np.ndarray:
    """Moments at which a hit could not be seen: a thing is hidden, or the clip begins or ends."""
    frames = len(paths[0])
    occluded = np.any([~np.isfinite(path[:, 0]) for path in paths], axis=0)
    occluded[[0, -1]] = True
    return np.flatnonzero(occluded[:frames]) / fps


def match_events(impacts: list[Event], onsets: list[Event], unobservable: np.ndarray) -> SyncMatch:
    """Pair what must be there on one side with what may be there on the other.

    Nothing is asked of moments near `unobservable` ones (seconds).
    """

    def observable(time: float) -> bool:
        return bool(np.all(np.abs(unobservable - time) > TOLERANCE_SECONDS))

    hits = [time for time, strength in impacts if strength > CLEAR_HIT and observable(time)]
    loud = [time for time, strength in onsets if strength > CLEAR_ONSET and observable(time)]
    return SyncMatch(
        hits=len(hits),
        hits_matched=sum(_is_matched(time, onsets) for time in hits),
        onsets=len(loud),
        onsets_matched=sum(_is_matched(time, impacts) for time in loud),
    )


def _is_matched(time: float, events: list[Event]) -> bool:
    return any(abs(time - other) <= TOLERANCE_SECONDS for other, _ in events)
