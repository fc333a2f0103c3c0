"""The world's sound: a band envelope, played by a bank of oscillators.

The envelope IS the sound: 24 log-spaced bands, 48 values a second in each. Its square root is what
the transformer generates, so nothing is lost between tokens and waveform.
"""

import math
from functools import lru_cache

import numpy as np

from generator.foal.physics import Motions
from generator.foal.scenes import Ground, Scene, Shape

BANDS = 24
HOPS_PER_SECOND = 48  # two a frame at 24 frames/s: a hit is placed within 10 ms
LOWEST_HZ, HIGHEST_HZ = 150.0, 3_200.0
SAMPLE_RATE = 48_000
ATTACK_SECONDS = 0.004  # short enough to be heard as a hit, long enough not to click
FULL_SPEED = 1.4  # picture heights / s: a fall from half the picture is as loud as it gets
QUIETEST = 0.12  # of a hit that can be heard at all
DECAY_SECONDS = {Ground.GRASS: 0.075, Ground.SAND: 0.04, Ground.ICE: 0.20}
PARTIALS = {Shape.BALL: ((5, 1.0), (10, 0.45)), Shape.CUBE: ((12, 0.9), (16, 0.6))}
# What the ground adds to a hit, gone after two hops: a thud, a hiss, a ting.
GROUND_NOISE = {
    Ground.GRASS: {0: 0.6, 1: 0.5, 2: 0.3},
    Ground.SAND: {17: 0.25, 18: 0.3, 19: 0.3, 20: 0.25, 21: 0.2},
    Ground.ICE: {21: 0.5, 23: 0.3},
}
ROLLING_BANDS = {
    Ground.GRASS: {1: 0.16, 2: 0.12},
    Ground.SAND: {1: 0.08, 17: 0.07, 18: 0.08, 19: 0.07},
    Ground.ICE: {7: 0.12, 8: 0.06},
}
PEAK = 0.8  # of full scale, for the loudest single hit


def band_frequencies() -> np.ndarray:
    """Centre of each band in Hz, shape (BANDS,)."""
    return np.asarray(np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS))


def envelope(scene: Scene, motions: Motions, *, seconds: float) -> np.ndarray:
    """Amplitude of every band at every hop, shape (hops, BANDS), 0 to about 1."""
    hops = round(seconds * HOPS_PER_SECOND)
    bands = np.zeros((hops, BANDS), dtype=np.float32)
    hop_seconds = 1 / HOPS_PER_SECOND
    for contact in motions.contacts:
        first = int(contact.seconds * HOPS_PER_SECOND)
        loudness = max(QUIETEST, min(1.0, contact.speed / FULL_SPEED))
        tail = np.exp(-np.arange(hops - first) * hop_seconds / DECAY_SECONDS[scene.ground])
        for band, level in PARTIALS[scene.things[contact.thing].shape]:
            bands[first:, band] = np.maximum(bands[first:, band], loudness * level * tail)
        for band, level in GROUND_NOISE[scene.ground].items():
            for late, share in enumerate((1.0, 0.4)):
                if first + late < hops:
                    value = loudness * level * share
                    bands[first + late, band] = max(bands[first + late, band], value)
    per_hop = len(motions.rolling) / hops
    moments = np.minimum((np.arange(hops) * per_hop).astype(int), len(motions.rolling) - 1)
    for band, level in ROLLING_BANDS[scene.ground].items():
        rolling = motions.rolling[moments].max(axis=1) / 0.6
        bands[:, band] = np.maximum(bands[:, band], level * np.sqrt(np.maximum(rolling, 0)))
    return bands


def play(bands: np.ndarray, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Waveform of an envelope (hops, BANDS), shape (samples,), float32 in [-1, 1].

    A rise is reached within ATTACK_SECONDS of its hop's start, a fall lasts the whole hop.
    """
    hops = len(bands)
    per_hop = sample_rate // HOPS_PER_SECOND
    within = np.arange(per_hop, dtype=np.float32) / sample_rate
    attack = np.minimum(within / ATTACK_SECONDS, 1.0)[None, :]
    glide = (within * HOPS_PER_SECOND)[None, :]
    before = np.concatenate([np.zeros((1, BANDS), dtype=np.float32), bands[:-1]])
    carriers = _carriers(hops * per_hop, sample_rate)
    wave = np.zeros(hops * per_hop, dtype=np.float32)
    for band in range(BANDS):
        now, last = bands[:, band, None], before[:, band, None]
        if not now.any():
            continue
        curve = np.where(now > last, attack, glide)
        wave += (last + (now - last) * curve).reshape(-1) * carriers[band]
    limit = np.float32(PEAK / 1.6)  # 1.6: two partials and the ground's noise of one full hit
    return np.asarray(np.tanh(wave * limit), dtype=np.float32)


@lru_cache(maxsize=2)
def _carriers(samples: int, sample_rate: int) -> np.ndarray:
    """Sines with fixed spread phases, so that bands never start in step; shape (BANDS, samples)."""
    time = np.arange(samples) / sample_rate
    golden = (math.sqrt(5) - 1) / 2
    return np.stack(
        [
            np.sin(2 * math.pi * (hertz * time + golden * band)).astype(np.float32)
            for band, hertz in enumerate(band_frequencies())
        ]
    )
