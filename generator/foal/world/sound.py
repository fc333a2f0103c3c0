"""Sound: an envelope of frequency bands, synthesized by a bank of oscillators.

The envelope defines the sound completely: 24 log-spaced bands with 48 values a second each. The
transformer generates its square root, so nothing is lost between tokens and waveform.
"""

import math
from functools import lru_cache

import numpy as np

from generator.foal.world.physics import Contact, Motions
from generator.foal.world.scenes import Ground, Material, Motion, Scene, Shape, Size, Time

BANDS = 24
HOPS_PER_SECOND = 48  # two per frame at 24 frames/s: a hit is located to 10 ms
LOWEST_HZ, HIGHEST_HZ = 150.0, 3_200.0
SAMPLE_RATE = 48_000
ATTACK_SECONDS = 0.004  # short enough to sound like a hit, long enough not to click
FULL_SPEED = 1.4  # image heights / s, of the loudest hit: a fall from half the image
FULL_SLIDE_SPEED = 0.6  # the same for motion along the ground or through the air
MIN_LOUDNESS = 0.12  # of any hit
DECAY_SECONDS = {Ground.GRASS: 0.075, Ground.SAND: 0.04, Ground.ICE: 0.20}
DECAY_FACTOR = {Material.PLAIN: 1.0, Material.METAL: 2.2, Material.WOOD: 0.55}
# Bands and levels of an object's partials; small objects ring two bands higher, large ones lower.
PARTIALS = {
    (Shape.BALL, Material.PLAIN): ((5, 1.0), (10, 0.45)),
    (Shape.CUBE, Material.PLAIN): ((12, 0.9), (16, 0.6)),
    (Shape.BALL, Material.METAL): ((9, 0.8), (18, 0.6)),
    (Shape.CUBE, Material.METAL): ((14, 0.8), (20, 0.6)),
    (Shape.BALL, Material.WOOD): ((6, 1.0), (8, 0.5)),
    (Shape.CUBE, Material.WOOD): ((11, 1.0), (13, 0.5)),
}
SIZE_BANDS = {Size.SMALL: 2, Size.MEDIUM: 0, Size.LARGE: -2}
# Noise that the ground adds to a hit for two hops: a thud, a hiss, a ting.
GROUND_NOISE = {
    Ground.GRASS: {0: 0.6, 1: 0.5, 2: 0.3},
    Ground.SAND: {17: 0.25, 18: 0.3, 19: 0.3, 20: 0.25, 21: 0.2},
    Ground.ICE: {21: 0.5, 23: 0.3},
}
# Continuous sound of moving objects: levels at full speed.
ROLLING_BANDS = {
    Ground.GRASS: {1: 0.16, 2: 0.12},
    Ground.SAND: {1: 0.08, 17: 0.07, 18: 0.08, 19: 0.07},
    Ground.ICE: {7: 0.12, 8: 0.06},
}
SCRAPING_BANDS = {
    Ground.GRASS: {3: 0.10, 4: 0.12, 5: 0.10},
    Ground.SAND: {15: 0.10, 16: 0.12, 17: 0.12},
    Ground.ICE: {19: 0.08, 20: 0.10},
}
AIR_BANDS = {Motion.SWING: {2: 0.10, 3: 0.14, 4: 0.08}, Motion.ORBIT: {8: 0.10, 9: 0.14}}
AMBIENCE = {Time.DAY: {0: 0.012, 4: 0.008}, Time.NIGHT: {22: 0.014}}  # wind, crickets
PEAK = 0.8  # of full scale, for the loudest hit


def band_frequencies() -> np.ndarray:
    """Centre frequencies of the bands in Hz, shape (BANDS,)."""
    return np.asarray(np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS))


def envelope(scene: Scene, motions: Motions, *, seconds: float) -> np.ndarray:
    """Amplitude of every band at every hop, shape (hops, BANDS), 0 to about 1."""
    hops = round(seconds * HOPS_PER_SECOND)
    bands = np.zeros((hops, BANDS), dtype=np.float32)
    for contact in motions.contacts:
        _add_hit(bands, scene, contact)
    per_hop = len(motions.speed) / hops
    moments = np.minimum((np.arange(hops) * per_hop).astype(int), len(motions.speed) - 1)
    speed = np.maximum(motions.speed[moments].max(axis=1), 0) / FULL_SLIDE_SPEED
    for band, level in _sustained_bands(scene).items():
        bands[:, band] = np.maximum(bands[:, band], level * np.sqrt(speed))
    for band, level in AMBIENCE[scene.time].items():
        bands[:, band] = np.maximum(bands[:, band], level)
    return bands


def _add_hit(bands: np.ndarray, scene: Scene, contact: Contact) -> None:
    """Add a hit's ringing and the ground's noise to the bands, by maximum."""
    hop, obj = int(contact.seconds * HOPS_PER_SECOND), scene.objects[contact.index]
    loudness = max(MIN_LOUDNESS, min(1.0, contact.speed / FULL_SPEED))
    decay = DECAY_SECONDS[scene.ground] * DECAY_FACTOR[obj.material]
    tail = np.exp(-np.arange(len(bands) - hop) / (HOPS_PER_SECOND * decay))
    for band, level in PARTIALS[obj.shape, obj.material]:
        ringing = bands[hop:, band + SIZE_BANDS[obj.size]]
        np.maximum(ringing, loudness * level * tail, out=ringing, casting="same_kind")
    for band, level in GROUND_NOISE[scene.ground].items():
        for delay, factor in enumerate((1.0, 0.4)):
            if hop + delay < len(bands):
                value = loudness * level * factor
                bands[hop + delay, band] = max(bands[hop + delay, band], value)


def _sustained_bands(scene: Scene) -> dict[int, float]:
    if scene.motion == Motion.SLIDE:
        return SCRAPING_BANDS[scene.ground]
    return AIR_BANDS.get(scene.motion) or ROLLING_BANDS[scene.ground]


def play(bands: np.ndarray, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Synthesize the waveform of an envelope (hops, BANDS): (samples,), float32 in [-1, 1].

    A rise takes ATTACK_SECONDS from the start of its hop, a fall takes the whole hop.
    """
    hops = len(bands)
    per_hop = sample_rate // HOPS_PER_SECOND
    offset = np.arange(per_hop, dtype=np.float32) / sample_rate
    attack = np.minimum(offset / ATTACK_SECONDS, 1.0)[None, :]
    decay_ramp = (offset * HOPS_PER_SECOND)[None, :]
    previous = np.concatenate([np.zeros((1, BANDS), dtype=np.float32), bands[:-1]])
    carriers = _carriers(hops * per_hop, sample_rate)
    wave = np.zeros(hops * per_hop, dtype=np.float32)
    for band in range(BANDS):
        level, previous_level = bands[:, band, None], previous[:, band, None]
        if not level.any():
            continue
        curve = np.where(level > previous_level, attack, decay_ramp)
        wave += (previous_level + (level - previous_level) * curve).reshape(-1) * carriers[band]
    limit = np.float32(PEAK / 1.6)  # 1.6: sum of two partials and ground noise of the loudest hit
    return np.asarray(np.tanh(wave * limit), dtype=np.float32)


@lru_cache(maxsize=2)
def _carriers(samples: int, sample_rate: int) -> np.ndarray:
    """Sines with fixed phases spread by the golden ratio, shape (BANDS, samples)."""
    time = np.arange(samples) / sample_rate
    golden = (math.sqrt(5) - 1) / 2
    return np.stack(
        [
            np.sin(2 * math.pi * (hertz * time + golden * band)).astype(np.float32)
            for band, hertz in enumerate(band_frequencies())
        ]
    )
