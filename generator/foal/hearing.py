"""Do sounds fall on hits? Onsets from a waveform, kinks from paths, and how they match."""

from dataclasses import dataclass

import numpy as np

HOP_SECONDS = 1 / 96
RISE = 1.5  # an onset's level over that of the two hops before it
FAINT, LOUD = 0.012, 0.035  # rms rises that may be, and that must be, a hit
WEAK, STRONG = 0.30, 0.60  # changes of velocity, picture heights / s, that may be and must be a hit
TOLERANCE_SECONDS = 1.5 / 24
APART_SECONDS = 0.07  # onsets or kinks closer than this are one

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
    """Sudden rises of loudness: (seconds, rise in rms). audio (channels, samples)."""
    mono = audio.mean(axis=0)
    hop = max(1, round(sample_rate * HOP_SECONDS))
    hops = len(mono) // hop
    level = np.sqrt((mono[: hops * hop].reshape(hops, hop) ** 2).mean(axis=1))
    before = np.concatenate([[0.0, 0.0], level])
    quiet = np.maximum(before[:-2], before[1:-1])
    rise = level - quiet
    found = [
        (float(i) * hop / sample_rate, float(rise[i]))
        for i in np.flatnonzero((rise > FAINT) & (level > RISE * quiet))
    ]
    return _strongest(found)


def find_kinks(paths: list[np.ndarray], fps: float) -> list[Moment]:
    """Sudden changes of velocity of things, (T, 2) paths each: (seconds, change in heights / s)."""
    found: list[Moment] = []
    for path in paths:
        turn = np.diff(path, n=2, axis=0) * fps  # change of velocity at frames 1 .. T - 2
        upward = np.where(np.isfinite(turn[:, 1]), -turn[:, 1], 0.0)
        sideways = np.where(np.isfinite(turn[:, 0]), np.abs(turn[:, 0]), 0.0)
        change = np.maximum(upward, sideways)
        # A hit between two frames is split over both: they count as one, at their balance.
        pair = change[:-1] + change[1:]
        for i in range(len(pair)):
            around = pair[max(0, i - 1) : i + 2]
            if pair[i] > WEAK and pair[i] >= around.max():
                share = change[i + 1] / pair[i]
                found.append(((i + 1 + share) / fps, float(pair[i])))
    return _strongest(sorted(found))


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


def _strongest(moments: list[Moment]) -> list[Moment]:
    """Of moments in order, the stronger of any two that are too close to be two."""
    kept: list[Moment] = []
    for moment in moments:
        if kept and moment[0] - kept[-1][0] < APART_SECONDS:
            kept[-1] = max(kept[-1], moment, key=lambda one: one[1])
        else:
            kept.append(moment)
    return kept
