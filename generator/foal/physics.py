"""How things move: exact flight between contacts, so that every contact has its true moment.

Units: picture heights and seconds; x to the right, y down, the picture is [0, 1] x [0, 1].
"""

import math
from dataclasses import dataclass, field

import numpy as np

from generator.foal.scenes import Ground, Motion, Scene, Shape

GRAVITY = 1.8  # picture heights / s2: a drop from half the picture lasts .75 s
BALL_RADIUS = 0.092
CUBE_HALF = 0.079  # half an edge; looks as heavy as the ball
SIZE_SPREAD = 0.10  # sizes vary by this share either way
LANES = (0.84, 0.90, 0.79)  # where the ground is touched: alone, in front, behind
LANE_SCALE = (1.0, 1.06, 0.92)  # near things look larger
RESTITUTION = {Ground.GRASS: 0.74, Ground.SAND: 0.62, Ground.ICE: 0.84}
DECELERATION = {Ground.GRASS: 0.10, Ground.SAND: 0.16, Ground.ICE: 0.015}  # of rolling, per s2
WALL_RESTITUTION = 0.8
REST_SPEED = 0.16  # slower than this after a hit, a thing stays on the ground
DRAG_OF_CUBES = 0.9  # a cube that came to rest slides to a stop at this rate, per s2
TUMBLE_SLOWING = {Ground.GRASS: 1.10, Ground.SAND: 1.16, Ground.ICE: 1.03}  # per quarter turn
TUMBLE_HESITATION = 0.55  # 0 turns evenly, 1 would stop on the edge
TWIN_GAP = 0.03  # things of one look never come closer than this in x, so they never swap


@dataclass(frozen=True)
class Contact:
    """One hit: when (s), which thing, how fast (picture heights / s)."""

    seconds: float
    thing: int
    speed: float


@dataclass
class Path:
    """One thing over the clip: arrays over the sampled moments, and its contacts."""

    position: np.ndarray  # (T, 2), centre
    angle: np.ndarray  # (T,), radians, clockwise on the screen
    rolling: np.ndarray  # (T,), speed along the ground while touching it, 0 in the air
    contacts: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Motions:
    """All things of a clip. n things, T moments (`moments` a frame)."""

    position: np.ndarray  # (T, n, 2)
    angle: np.ndarray  # (T, n)
    rolling: np.ndarray  # (T, n)
    size: np.ndarray  # (n,): a ball's radius, half a cube's edge
    ground: np.ndarray  # (n,): y at which the thing touches the ground
    contacts: tuple[Contact, ...]


def simulate(scene: Scene, rng: np.random.Generator, *, seconds: float, rate: float) -> Motions:
    """Move the scene's things from random starts, sampled `rate` times a second."""
    times = np.arange(round(seconds * rate)) / rate
    lanes = [0] if len(scene.things) == 1 else list(rng.permutation([1, 2]))
    size = np.array(
        [
            (BALL_RADIUS if thing.shape == Shape.BALL else CUBE_HALF)
            * LANE_SCALE[lane]
            * rng.uniform(1 - SIZE_SPREAD, 1 + SIZE_SPREAD)
            for thing, lane in zip(scene.things, lanes, strict=True)
        ]
    )
    ground = np.array([LANES[lane] for lane in lanes])
    twins = len(scene.things) > 1 and scene.things[0] == scene.things[1]
    while True:
        paths = [
            _move(scene, thing.shape, size[i], ground[i], times, rng)
            for i, thing in enumerate(scene.things)
        ]
        if not twins:
            break
        gap = paths[1].position[:, 0] - paths[0].position[:, 0]
        if gap.min() > TWIN_GAP:
            break
    contacts = sorted(
        (
            Contact(seconds=at, thing=i, speed=speed)
            for i, path in enumerate(paths)
            for at, speed in path.contacts
            if at < seconds
        ),
        key=lambda contact: contact.seconds,
    )
    return Motions(
        position=np.stack([path.position for path in paths], axis=1),
        angle=np.stack([path.angle for path in paths], axis=1),
        rolling=np.stack([path.rolling for path in paths], axis=1),
        size=size,
        ground=ground,
        contacts=tuple(contacts),
    )


def _move(
    scene: Scene,
    shape: Shape,
    size: float,
    ground: float,
    times: np.ndarray,
    rng: np.random.Generator,
) -> Path:
    if scene.motion == Motion.ROLL and shape == Shape.CUBE:
        return _tumble(scene.ground, size, ground, times, rng)
    start = rng.uniform(size, 1 - size)
    toward_room = 1.0 if rng.random() < 1 - start else -1.0
    if scene.motion == Motion.ROLL:
        speed = rng.uniform(0.28, 0.62)
        return _fly(scene, shape, size, ground, times, (start, 0.0, toward_room * speed, 0.0))
    height = rng.uniform(0.30, ground - 2 * size - 0.04)
    speed = rng.uniform(0.08, 0.36)
    state = (start, height, toward_room * speed, rng.uniform(-0.25, 0.25))
    return _fly(scene, shape, size, ground, times, state)


def _fly(
    scene: Scene,
    shape: Shape,
    size: float,
    ground: float,
    times: np.ndarray,
    state: tuple[float, float, float, float],
) -> Path:
    """Flight, hits on the ground and the sides of the picture, then rolling to rest.

    `state` is (x, height above rest, speed in x, speed upwards).
    """
    path = Path(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    x, height, vx, vy = state
    airborne = height > 0
    now, end = 0.0, float(times[-1]) + 1.0
    slowing = DECELERATION[scene.ground] if shape == Shape.BALL else DRAG_OF_CUBES
    while now < end:
        drag = 0.0 if airborne else slowing
        to_wall = _time_to_reach((1 - size - x) if vx > 0 else (x - size), abs(vx), drag)
        to_floor = (
            (vy + math.sqrt(vy * vy + 2 * GRAVITY * height)) / GRAVITY if airborne else math.inf
        )
        step = min(to_wall, to_floor, end - now)
        inside = (times >= now - 1e-9) & (times < now + step - 1e-9)
        t = times[inside] - now
        stop = abs(vx) / drag if drag else math.inf
        moving = np.minimum(t, stop)
        path.position[inside, 0] = x + vx * moving - math.copysign(drag, vx) * moving**2 / 2
        rise = height + vy * t - GRAVITY * t**2 / 2 if airborne else np.zeros_like(t)
        path.position[inside, 1] = ground - size - rise
        if not airborne and shape == Shape.BALL:
            path.rolling[inside] = np.abs(vx) - drag * moving
        moving_end = min(step, stop)
        x += vx * moving_end - math.copysign(drag, vx) * moving_end**2 / 2
        vx -= math.copysign(min(drag * moving_end, abs(vx)), vx)
        now += step
        if now >= end:
            break
        if airborne:
            height = max(0.0, height + vy * step - GRAVITY * step**2 / 2)
            vy -= GRAVITY * step
        if step == to_wall:
            path.contacts.append((now, abs(vx)))
            vx *= -WALL_RESTITUTION
        else:
            path.contacts.append((now, abs(vy)))
            height, vy = 0.0, -vy * RESTITUTION[scene.ground]
            airborne = vy > REST_SPEED
    return path


def _time_to_reach(distance: float, speed: float, drag: float) -> float:
    """Seconds to cover a distance while slowing down, infinite if it comes to rest before."""
    if speed <= 0:
        return math.inf
    if drag == 0:
        return max(distance, 0.0) / speed
    room = speed * speed - 2 * drag * distance
    return math.inf if room < 0 else max(0.0, (speed - math.sqrt(room)) / drag)


def _tumble(
    surface: Ground, size: float, ground: float, times: np.ndarray, rng: np.random.Generator
) -> Path:
    """A cube rolls: quarter turns about its lower corner, each ending flat with a hit."""
    path = Path(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    edge = 2 * size
    x = rng.uniform(size, 1 - size)
    direction = 1.0 if rng.random() < 1 - x else -1.0
    turn = rng.uniform(0.32, 0.52)  # seconds of the first quarter turn
    now, angle = 0.0, 0.0
    while now < times[-1] + 1:
        if not size <= x + direction * edge <= 1 - size:
            direction = -direction
        inside = (times >= now - 1e-9) & (times < now + turn - 1e-9)
        u = (times[inside] - now) / turn
        quarter = math.pi / 2 * (u + TUMBLE_HESITATION * np.sin(2 * math.pi * u) / (2 * math.pi))
        lean = math.pi / 4 + quarter  # of the diagonal from the pivot to the centre
        reach = size * math.sqrt(2)
        path.position[inside, 0] = x + direction * (size - reach * np.cos(lean))
        path.position[inside, 1] = ground - reach * np.sin(lean)
        path.angle[inside] = angle + direction * quarter
        now += turn
        x += direction * edge
        angle += direction * math.pi / 2
        path.contacts.append((now, 1.3 * edge / turn))  # the far corner comes down faster
        turn *= TUMBLE_SLOWING[surface]
    return path
