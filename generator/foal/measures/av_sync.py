"""Do sounds fall on hits? Onsets from a waveform, kinks from paths, and how they match."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import find_peaks, resample_poly

from generator.foal.measures.motion_classification import find_kinks
from generator.foal.world import sound

RATE = 8_000  # samples / s, enough for the highest band
HOP_SECONDS = 1 / 96
WINDOW_SECONDS = 0.05  # long enough to tell the two lowest bands apart, which else beat
RIDGE = 0.02  # of the strongest direction, against telling apart what a window cannot
RISE_HOPS = 3  # over which a band's level is compared: a window blurs what is sudden
FAINT, LOUD = 0.04, 0.08  # summed rises of levels that may be, and that must be, a hit
WEAK, STRONG = 0.10, 0.60  # changes of velocity, picture heights / s, that may be and must be a hit
TOLERANCE_SECONDS = 1.5 / 24
APART_SECONDS = 0.07  # onsets or hits closer than this are one

Moment = tuple[float, float]  # seconds, strength


@dataclass(frozen=True)
class Heard:
    """How the strong hits and the loud onsets of a clip found each other."""

    hits: int
    hits_heard: int
    onsets: int
    onsets_seen: int

    @property
    def f1(self) -> float:
        """Harmonic mean of both shares; a side on which nothing is asked is right."""
        recall = self.hits_heard / self.hits if self.hits else 1.0
        precision = self.onsets_seen / self.onsets if self.onsets else 1.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def find_onsets(audio: np.ndarray, sample_rate: int) -> list[Moment]:
    """Sudden rises of the bands: (seconds, summed rise). audio (channels, samples).

    Band by band, since neighbours that sound together beat, and their sum rises all the time.
    """
    levels = band_levels(audio, sample_rate)
    ahead = np.pad(levels, ((RISE_HOPS, RISE_HOPS), (0, 0)))
    rise = np.maximum(ahead[2 * RISE_HOPS :] - ahead[: -2 * RISE_HOPS], 0).sum(axis=1)
    peaks, _ = find_peaks(
        np.pad(rise, 1), height=FAINT, distance=round(APART_SECONDS / HOP_SECONDS)
    )
    return [(float(i - 1) * HOP_SECONDS, float(rise[i - 1])) for i in peaks]


def band_levels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Amplitude of every band around every hop, shape (hops, BANDS); audio (channels, samples)."""
    mono = audio.mean(axis=0)
    common = math.gcd(RATE, sample_rate)
    mono = resample_poly(mono, RATE // common, sample_rate // common)
    waves, solve = _bank()
    size = waves.shape[0]
    padded = np.pad(mono, size // 2)
    starts = (np.arange(int(len(mono) / RATE / HOP_SECONDS)) * HOP_SECONDS * RATE).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    parts = windows @ solve.T
    return np.asarray(np.hypot(parts[:, : sound.BANDS], parts[:, sound.BANDS :]))


@lru_cache(maxsize=1)
def _bank() -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of a window (samples, 2 BANDS), and the matrix that finds their levels."""
    size = round(WINDOW_SECONDS * RATE)
    at = (np.arange(size) - size / 2) / RATE
    turns = 2 * np.pi * at[:, None] * sound.band_frequencies()
    waves = np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    weight = np.hanning(size)[:, None]
    normal = waves.T @ (weight * waves)
    ridge = RIDGE * float(np.linalg.eigvalsh(normal)[-1]) * np.eye(len(normal))
    return waves, np.linalg.solve(normal + ridge, (weight * waves).T)


def find_hits(paths: list[np.ndarray], fps: float) -> list[Moment]:
    """What can be seen of hits, of things with (T, 2) paths: (seconds, change in heights / s)."""
    kinks = [kink for path in paths for kink in find_kinks(path, fps, least=WEAK)]
    return sorted((kink.seconds, kink.strength) for kink in kinks)


def find_blind(paths: list[np.ndarray], fps: float) -> np.ndarray:
    """Moments at which a hit could not be seen: a thing is hidden, or the clip begins or ends."""
    frames = len(paths[0])
    hidden = np.any([~np.isfinite(path[:, 0]) for path in paths], axis=0)
    hidden[[0, -1]] = True
    return np.flatnonzero(hidden[:frames]) / fps


def match(kinks: list[Moment], onsets: list[Moment], blind: np.ndarray) -> Heard:
    """Pair what must be there on one side with what may be there on the other.

    Nothing is asked of moments near `blind` ones (seconds).
    """

    def clear(at: float) -> bool:
        return bool(np.all(np.abs(blind - at) > TOLERANCE_SECONDS))

    hits = [at for at, strength in kinks if strength > STRONG and clear(at)]
    loud = [at for at, strength in onsets if strength > LOUD and clear(at)]
    return Heard(
        hits=len(hits),
        hits_heard=sum(_near(at, onsets) for at in hits),
        onsets=len(loud),
        onsets_seen=sum(_near(at, kinks) for at in loud),
    )


def _near(at: float, moments: list[Moment]) -> bool:
    return any(abs(at - other) <= TOLERANCE_SECONDS for other, _ in moments)
