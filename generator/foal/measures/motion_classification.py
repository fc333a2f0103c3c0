"""How things move, from their paths in the world: bounce, roll, slide, swing, orbit, collide."""

import itertools
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.ndimage import median_filter

from generator.foal.measures.object_tracks import Track
from generator.foal.world.flights import GRAVITY
from generator.foal.world.physics import ROLL_SLOWING, ROPE_TOP, SLIDE_SLOWING
from generator.foal.world.scenes import Ground, Motion, Shape

FEWEST = 12  # frames in which a thing must have been whole to say how it moves
CLEAR = 0.8  # of the frames in which it must be whole for every hit to be seen
RUN = 0.10  # picture heights: less way is no movement along the ground
AIRBORNE = 0.10  # picture heights that a thing rises, more than any cube that tumbles
TUMBLE = 0.010  # and that a cube rises over its corner; less and it slides
ROUND = 0.035  # of its radius, by which the path of an orbit or a swing may be off a circle
FLAT = 0.6  # of the spread of its heights: a swing keeps its distance from the tie so much better
ORBIT_TURN = 2.5  # radians that an orbit goes round at least
ORBIT_RADIUS = (0.10, 0.40)
HIT = 0.12  # picture heights / s: a change of velocity that is a hit
NEAR = 1.45  # of their half widths together: so near are things that hit each other
SLOW = 0.05  # picture heights / s: slower things have come to rest


class Way(StrEnum):
    """What a path looks like; ALONG is rolling or sliding where it cannot be told which."""

    STILL = "still"
    AIR = "air"  # up and down without the ground
    BOUNCE = "bounce"
    SWING = "swing"
    ORBIT = "orbit"
    ROLL = "roll"
    TUMBLE = "tumble"  # how a cube rolls
    SLIDE = "slide"
    ALONG = "along"


@dataclass(frozen=True)
class Kink:
    """A sudden change of velocity, picture heights / s: x to the right, y up."""

    seconds: float
    across: float
    up: float

    @property
    def strength(self) -> float:
        return max(abs(self.across), self.up)


def find_kinks(path: np.ndarray, fps: float, *, least: float = HIT) -> list[Kink]:
    """Hits of one thing, path (T, 2) with NaN where it was not seen whole."""
    turn = np.diff(path, n=2, axis=0) * fps  # change of velocity at frames 1 .. T - 2
    known = np.asarray(np.isfinite(turn).all(axis=1))
    if known.sum() < 3:
        return []
    # Gravity, ropes and rubbing change velocity all the time; a hit is beyond that.
    usual = median_filter(np.where(known[:, None], turn, 0.0), size=(9, 1), mode="nearest")
    change = np.where(known[:, None], turn - usual, 0.0)
    size = np.maximum(np.abs(change[:, 0]), -change[:, 1])
    # A hit between two frames is split over both: they count as one, at their balance.
    pair, found = np.maximum(size[:-1], 0) + np.maximum(size[1:], 0), []
    both = change[:-1] + change[1:]
    for i in range(len(pair)):
        strength = max(abs(both[i, 0]), -both[i, 1])
        around = pair[max(0, i - 2) : i + 3]
        if strength > least and pair[i] >= around.max():
            share = max(size[i + 1], 0.0) / pair[i]
            found.append(Kink((i + 1 + share) / fps, float(both[i, 0]), float(-both[i, 1])))
    return found


def way_of(track: Track, shape: Shape | None, ground: Ground, fps: float) -> Way | None:
    """How a thing moves; None where too little of it was seen.

    Args:
        track: the thing.
        shape: what it looks like.
        ground: what it moves on, which says how fast things slow down.
        fps: frames a second.
    """
    path = track.centre[track.whole]
    if len(path) < FEWEST:
        return None
    run, rise = np.quantile(path, 0.98, axis=0) - np.quantile(path, 0.02, axis=0)
    if _orbits(path):
        return Way.ORBIT
    if _swings(path, run):
        return Way.SWING
    if rise > AIRBORNE:
        kinks = find_kinks(track.centre, fps)
        falls = pulls(track.centre, fps)
        fell = len(falls) > 0 and np.median(falls) > GRAVITY / 4
        hits = any(kink.up > 2 * HIT for kink in kinks)
        # Where a thing is often hidden, its hits may be so too.
        hidden = track.whole.mean() < CLEAR
        if fell and (hits or hidden):
            return Way.BOUNCE
        return None if hidden else Way.AIR
    if run < RUN:
        return Way.STILL if track.whole.mean() > CLEAR / 2 else None
    if shape == Shape.CUBE:
        return Way.TUMBLE if rise > TUMBLE else Way.SLIDE
    return _rolls_or_slides(track.centre, ground, fps)


def _orbits(path: np.ndarray) -> bool:
    x, y = path.T
    a = np.stack([x, y, np.ones_like(x)], axis=1)
    middle = np.linalg.lstsq(2 * a, x * x + y * y, rcond=None)[0]
    from_middle = path - middle[:2]
    radius = np.hypot(*from_middle.T)
    usual = float(radius.mean())
    if not ORBIT_RADIUS[0] < usual < ORBIT_RADIUS[1] or radius.std() > ROUND * usual:
        return False
    angle = np.unwrap(np.arctan2(from_middle[:, 1], from_middle[:, 0]))
    return bool(abs(angle[-1] - angle[0]) > ORBIT_TURN)


def _swings(path: np.ndarray, run: float) -> bool:
    """Whether the path is part of a circle about a point at the ropes' height, to and fro."""
    x, drop = path[:, 0], path[:, 1] - ROPE_TOP
    if run < RUN / 2:
        return False
    a = np.stack([2 * x, np.ones_like(x)], axis=1)
    tied = np.linalg.lstsq(a, x * x + drop * drop, rcond=None)[0][0]
    length = np.hypot(x - tied, drop)
    usual = float(length.mean())
    step = np.diff(x)
    turns = np.count_nonzero(np.diff(np.sign(step[np.abs(step) > 1e-3])))
    low, high = x.min() - tied, x.max() - tied
    bent = length.std() < min(ROUND / 3 * usual, FLAT * drop.std())
    return bool(0.1 < usual < 0.9 and bent and turns >= 1 and low < 0 < high)


def pulls(path: np.ndarray, fps: float) -> np.ndarray:
    """Downward acceleration in each frame of flight, picture heights / s2."""
    y = path[:, 1]
    if not np.isfinite(y).any():
        return np.zeros(0)
    airborne = y < np.nanmax(y) - AIRBORNE / 2
    inside = airborne[:-4] & airborne[1:-3] & airborne[2:-2] & airborne[3:-1] & airborne[4:]
    # Over two frames either way: a fourth of the error of neighbours.
    found = ((y[4:] - 2 * y[2:-2] + y[:-4]) / 4 * fps**2)[inside]
    return np.asarray(found[np.isfinite(found)])


def _rolls_or_slides(path: np.ndarray, ground: Ground, fps: float) -> Way:
    """Sliding rubs more than rolling: by how fast the thing slows down between hits."""
    x = path[:, 0]
    cuts = [round(kink.seconds * fps) for kink in find_kinks(path, fps)]
    edges = [-1, *cuts, len(x)]
    slowing, weight = 0.0, 0.0
    for first, last in itertools.pairwise(edges):
        frames = np.arange(first + 2, last - 1)
        frames = frames[np.isfinite(x[frames])] if len(frames) else frames
        if len(frames) < FEWEST:
            continue
        # A thing that has come to rest slows down no more.
        speed = np.abs(x[frames[4:]] - x[frames[:-4]]) / (frames[4:] - frames[:-4]) * fps
        frames = frames[2:-2][speed > SLOW]
        if len(frames) < FEWEST:
            continue
        seconds = frames / fps
        bend, pace, _ = np.polyfit(seconds - seconds.mean(), x[frames], 2)
        long = float(np.ptp(seconds)) ** 4 * len(frames)  # the certainty of a parabola's bend
        slowing += -2 * bend * np.sign(pace) * long
        weight += long
    if not weight:
        return Way.ALONG
    between = (ROLL_SLOWING[ground] * SLIDE_SLOWING[ground]) ** 0.5
    return Way.SLIDE if slowing / weight > between else Way.ROLL


def meets(tracks: list[Track], halves: list[float], fps: float) -> list[bool | None]:
    """For each thing, whether it hits another along the ground: a kink sideways beside it.

    None where it does not, but hides or is hidden too often to be sure.
    """
    met: list[bool | None] = []
    hidden = any(track.whole.mean() < CLEAR for track in tracks)
    for i, track in enumerate(tracks):
        kinks = [k for k in find_kinks(track.centre, fps) if abs(k.across) > HIT]
        hit = any(
            _beside(track, other, halves[i] + halves[j], round(kink.seconds * fps))
            for kink in kinks
            for j, other in enumerate(tracks)
            if j != i
        )
        met.append(True if hit else None if hidden else False)
    return met


def _beside(one: Track, other: Track, reach: float, frame: int) -> bool:
    around = slice(max(0, frame - 2), frame + 3)
    apart = np.abs(one.centre[around] - other.centre[around])
    apart = apart[np.isfinite(apart).all(axis=1)]
    return bool(len(apart) and apart[:, 0].min() < NEAR * reach and apart[:, 1].min() < reach)


def is_as_asked(way: Way | None, asked: Motion | None, *, met: bool | None) -> float | None:
    """1 where a thing moves as asked, 0 where not, None where that cannot be told."""
    if way is None:
        return None
    if asked is None:
        return float(way != Way.STILL)
    if asked == Motion.COLLIDE:
        if way not in (Way.ROLL, Way.SLIDE, Way.ALONG, Way.STILL):
            return 0.0
        return None if met is None else float(met)
    if way == Way.TUMBLE:
        return float(asked == Motion.ROLL)
    if way == Way.ALONG and asked in (Motion.ROLL, Motion.SLIDE):
        return None
    return float(way.value == asked.value)
