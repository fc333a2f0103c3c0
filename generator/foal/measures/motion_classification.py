"""Motion classification from world trajectories: bounce, roll, slide, swing, orbit, collide."""

import itertools
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.ndimage import median_filter

from generator.foal.measures.object_tracks import Track
from generator.foal.world.flights import GRAVITY
from generator.foal.world.physics import ROLL_DECELERATION, ROPE_TOP, SLIDE_DECELERATION
from generator.foal.world.scenes import Ground, Motion, Shape

MIN_FRAMES = 12  # unoccluded frames needed to classify the motion of an object
MIN_UNOCCLUDED = 0.8  # fraction of frames needed to be sure that every hit was seen
MIN_TRAVEL = 0.10  # image heights: less is not a movement along the ground
MIN_RISE = 0.10  # image heights: more than a tumbling cube rises
MIN_TUMBLE_RISE = 0.010  # image heights: a cube that rises less slides
MAX_RADIUS_DEVIATION = 0.035  # of orbits and swings from a circle, in radii
MAX_SWING_DEVIATION = 0.6  # of a swing's radius, in standard deviations of its height
MIN_ORBIT_ANGLE = 2.5  # radians
ORBIT_RADIUS = (0.10, 0.40)
MIN_IMPACT = 0.12  # image heights / s: a change of velocity that counts as a hit
CONTACT_FACTOR = 1.45  # sums of half widths within which objects can hit each other
REST_SPEED = 0.05  # image heights / s: slower objects are at rest


class MotionType(StrEnum):
    """Class of a trajectory; ALONG is rolling or sliding if these cannot be distinguished."""

    STILL = "still"
    AIR = "air"  # vertical motion without hitting the ground
    BOUNCE = "bounce"
    SWING = "swing"
    ORBIT = "orbit"
    ROLL = "roll"
    TUMBLE = "tumble"  # a rolling cube
    SLIDE = "slide"
    ALONG = "along"


@dataclass(frozen=True)
class Impact:
    """A sudden change of velocity, image heights / s."""

    seconds: float
    horizontal: float
    upward: float

    @property
    def strength(self) -> float:
        return max(abs(self.horizontal), self.upward)


def find_impacts(path: np.ndarray, fps: float, *, min_strength: float = MIN_IMPACT) -> list[Impact]:
    """Find impacts on a trajectory (T, 2), which is NaN where the object was occluded."""
    velocity_change = np.diff(path, n=2, axis=0) * fps  # change of velocity at frames 1 .. T - 2
    valid = np.asarray(np.isfinite(velocity_change).all(axis=1))
    if valid.sum() < 3:
        return []
    # Gravity, ropes and friction change the velocity smoothly; an impact stands out.
    smooth_change = median_filter(
        np.where(valid[:, None], velocity_change, 0.0), size=(9, 1), mode="nearest"
    )
    jump = np.where(valid[:, None], velocity_change - smooth_change, 0.0)
    magnitude = np.maximum(np.abs(jump[:, 0]), -jump[:, 1])
    # An impact between two frames is split over both: combine them, at the weighted time.
    pair, result = np.maximum(magnitude[:-1], 0) + np.maximum(magnitude[1:], 0), []
    combined = jump[:-1] + jump[1:]
    for i in range(len(pair)):
        strength = max(abs(combined[i, 0]), -combined[i, 1])
        window = pair[max(0, i - 2) : i + 3]
        if strength > min_strength and pair[i] >= window.max():
            fraction = max(magnitude[i + 1], 0.0) / pair[i]
            result.append(
                Impact((i + 1 + fraction) / fps, float(combined[i, 0]), float(-combined[i, 1]))
            )
    return result


def classify_motion(
    track: Track, shape: Shape | None, ground: Ground, fps: float
) -> MotionType | None:
    """Classify the motion of an object; None if too little of it was seen.

    Args:
        track: of the object.
        shape: of the object.
        ground: determines the deceleration by which rolling and sliding differ.
        fps: frames per second.
    """
    path = track.centre[track.unoccluded]
    if len(path) < MIN_FRAMES:
        return None
    travel, rise = np.quantile(path, 0.98, axis=0) - np.quantile(path, 0.02, axis=0)
    if _orbits(path):
        return MotionType.ORBIT
    if _swings(path, travel):
        return MotionType.SWING
    if rise > MIN_RISE:
        impacts = find_impacts(track.centre, fps)
        accelerations = flight_accelerations(track.centre, fps)
        fell = len(accelerations) > 0 and np.median(accelerations) > GRAVITY / 4
        hits = any(impact.upward > 2 * MIN_IMPACT for impact in impacts)
        # If the object is often occluded, its hits may be as well.
        occluded = track.unoccluded.mean() < MIN_UNOCCLUDED
        if fell and (hits or occluded):
            return MotionType.BOUNCE
        return None if occluded else MotionType.AIR
    if travel < MIN_TRAVEL:
        return MotionType.STILL if track.unoccluded.mean() > MIN_UNOCCLUDED / 2 else None
    if shape == Shape.CUBE:
        return MotionType.TUMBLE if rise > MIN_TUMBLE_RISE else MotionType.SLIDE
    return _rolls_or_slides(track.centre, ground, fps)


def _orbits(path: np.ndarray) -> bool:
    x, y = path.T
    a = np.stack([x, y, np.ones_like(x)], axis=1)
    middle = np.linalg.lstsq(2 * a, x * x + y * y, rcond=None)[0]
    from_middle = path - middle[:2]
    radius = np.hypot(*from_middle.T)
    mean_radius = float(radius.mean())
    if (
        not ORBIT_RADIUS[0] < mean_radius < ORBIT_RADIUS[1]
        or radius.std() > MAX_RADIUS_DEVIATION * mean_radius
    ):
        return False
    angle = np.unwrap(np.arctan2(from_middle[:, 1], from_middle[:, 0]))
    return bool(abs(angle[-1] - angle[0]) > MIN_ORBIT_ANGLE)


def _swings(path: np.ndarray, travel: float) -> bool:
    """Whether the path goes back and forth on a circle about a point at the height of anchors."""
    x, drop = path[:, 0], path[:, 1] - ROPE_TOP
    if travel < MIN_TRAVEL / 2:
        return False
    a = np.stack([2 * x, np.ones_like(x)], axis=1)
    anchor = np.linalg.lstsq(a, x * x + drop * drop, rcond=None)[0][0]
    length = np.hypot(x - anchor, drop)
    mean_length = float(length.mean())
    step = np.diff(x)
    turns = np.count_nonzero(np.diff(np.sign(step[np.abs(step) > 1e-3])))
    low, high = x.min() - anchor, x.max() - anchor
    bent = length.std() < min(
        MAX_RADIUS_DEVIATION / 3 * mean_length, MAX_SWING_DEVIATION * drop.std()
    )
    return bool(0.1 < mean_length < 0.9 and bent and turns >= 1 and low < 0 < high)


def flight_accelerations(path: np.ndarray, fps: float) -> np.ndarray:
    """Downward acceleration in each frame of flight, image heights / s2."""
    y = path[:, 1]
    if not np.isfinite(y).any():
        return np.zeros(0)
    airborne = y < np.nanmax(y) - MIN_RISE / 2
    inside = airborne[:-4] & airborne[1:-3] & airborne[2:-2] & airborne[3:-1] & airborne[4:]
    # Differences over two frames have a quarter of the error of those over one.
    result = ((y[4:] - 2 * y[2:-2] + y[:-4]) / 4 * fps**2)[inside]
    return np.asarray(result[np.isfinite(result)])


def _rolls_or_slides(path: np.ndarray, ground: Ground, fps: float) -> MotionType:
    """Distinguish rolling from sliding by the deceleration between hits."""
    x = path[:, 0]
    cuts = [round(impact.seconds * fps) for impact in find_impacts(path, fps)]
    edges = [-1, *cuts, len(x)]
    deceleration, weight = 0.0, 0.0
    for first, last in itertools.pairwise(edges):
        frames = np.arange(first + 2, last - 1)
        frames = frames[np.isfinite(x[frames])] if len(frames) else frames
        if len(frames) < MIN_FRAMES:
            continue
        # Leave out frames in which the object is at rest.
        speed = np.abs(x[frames[4:]] - x[frames[:-4]]) / (frames[4:] - frames[:-4]) * fps
        frames = frames[2:-2][speed > REST_SPEED]
        if len(frames) < MIN_FRAMES:
            continue
        seconds = frames / fps
        curvature, velocity, _ = np.polyfit(seconds - seconds.mean(), x[frames], 2)
        certainty = float(np.ptp(seconds)) ** 4 * len(
            frames
        )  # inverse variance of a parabola's curvature
        deceleration += -2 * curvature * np.sign(velocity) * certainty
        weight += certainty
    if not weight:
        return MotionType.ALONG
    threshold = (ROLL_DECELERATION[ground] * SLIDE_DECELERATION[ground]) ** 0.5
    return MotionType.SLIDE if deceleration / weight > threshold else MotionType.ROLL


def find_collisions(tracks: list[Track], half_widths: list[float], fps: float) -> list[bool | None]:
    """For each object, whether it hits another one: a horizontal impact next to it.

    None if no hit was seen, but objects are occluded too often to be sure.
    """
    collided: list[bool | None] = []
    occluded = any(track.unoccluded.mean() < MIN_UNOCCLUDED for track in tracks)
    for i, track in enumerate(tracks):
        impacts = [k for k in find_impacts(track.centre, fps) if abs(k.horizontal) > MIN_IMPACT]
        hit = any(
            _is_adjacent(track, other, half_widths[i] + half_widths[j], round(impact.seconds * fps))
            for impact in impacts
            for j, other in enumerate(tracks)
            if j != i
        )
        collided.append(True if hit else None if occluded else False)
    return collided


def _is_adjacent(one: Track, other: Track, contact_distance: float, frame: int) -> bool:
    window = slice(max(0, frame - 2), frame + 3)
    distance = np.abs(one.centre[window] - other.centre[window])
    distance = distance[np.isfinite(distance).all(axis=1)]
    return bool(
        len(distance)
        and distance[:, 0].min() < CONTACT_FACTOR * contact_distance
        and distance[:, 1].min() < contact_distance
    )


def motion_matches(
    motion_type: MotionType | None, requested: Motion | None, *, collided: bool | None
) -> float | None:
    """1 if the motion is as requested, 0 if not, None if that cannot be determined."""
    if motion_type is None:
        return None
    if requested is None:
        return float(motion_type != MotionType.STILL)
    if requested == Motion.COLLIDE:
        if motion_type not in (
            MotionType.ROLL,
            MotionType.SLIDE,
            MotionType.ALONG,
            MotionType.STILL,
        ):
            return 0.0
        return None if collided is None else float(collided)
    if motion_type == MotionType.TUMBLE:
        return float(requested == Motion.ROLL)
    if motion_type == MotionType.ALONG and requested in (Motion.ROLL, Motion.SLIDE):
        return None
    return float(motion_type.value == requested.value)
