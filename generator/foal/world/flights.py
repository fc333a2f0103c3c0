"""Paths of things that fly, roll and slide: flights, hits and rubbing, exact between contacts."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from generator.foal.world.scenes import Ground

GRAVITY = 1.8  # picture heights / s2: a drop from half the picture lasts .75 s
RESTITUTION = {Ground.GRASS: 0.74, Ground.SAND: 0.62, Ground.ICE: 0.84}
WALL_RESTITUTION = 0.8
REST_SPEED = 0.16  # slower than this after a hit, a thing stays on the ground
TUMBLE_SLOWING = {Ground.GRASS: 1.10, Ground.SAND: 1.16, Ground.ICE: 1.03}  # per quarter turn
TUMBLE_HESITATION = 0.55  # 0 turns evenly, 1 would stop on the edge


@dataclass
class Path:
    """One thing over the clip: arrays over the sampled moments, and its contacts."""

    position: np.ndarray  # (T, 2), centre
    angle: np.ndarray  # (T,), radians, clockwise on the screen
    speed: np.ndarray  # (T,), of what can be heard all the time
    contacts: list[tuple[float, float]] = field(default_factory=list)  # seconds, speed


class Start(NamedTuple):
    """Where a thing is at first and how fast: height above rest, speed upwards."""

    x: float
    height: float
    vx: float
    vy: float


def fly(
    surface: Ground,
    size: float,
    ground: float,
    sides: tuple[float, float],
    times: np.ndarray,
    start: Start,
    *,
    slowing: float,
    turning: bool,
    heard: bool,
) -> Path:
    """Flight, hits on the ground and the sides, then rolling or sliding to rest.

    Args:
        surface: what the ground is made of.
        size: half the thing's width.
        ground: y at which it touches the ground.
        sides: x of what it bounces off.
        times: moments to sample, s.
        start: its first state.
        slowing: on the ground, per s2.
        turning: whether it turns as it goes along, as a ball does.
        heard: whether going along the ground makes a sound.
    """
    path = Path(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    x, height, vx, vy = start
    airborne = height > 0
    now, end = 0.0, float(times[-1]) + 1.0
    while now < end:
        drag = 0.0 if airborne else slowing
        to_wall = _time_to_reach(
            (sides[1] - size - x) if vx > 0 else (x - size - sides[0]), abs(vx), drag
        )
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
        if not airborne and heard:
            path.speed[inside] = np.abs(vx) - drag * moving
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
            height, vy = 0.0, -vy * RESTITUTION[surface]
            airborne = vy > REST_SPEED
    if turning:
        path.angle[:] = (path.position[:, 0] - path.position[0, 0]) / size
    return path


def _time_to_reach(distance: float, speed: float, drag: float) -> float:
    """Seconds to cover a distance while slowing down, infinite if it comes to rest before."""
    if speed <= 0:
        return math.inf
    if drag == 0:
        return max(distance, 0.0) / speed
    room = speed * speed - 2 * drag * distance
    return math.inf if room < 0 else max(0.0, (speed - math.sqrt(room)) / drag)


def tumble(
    surface: Ground,
    size: float,
    ground: float,
    sides: tuple[float, float],
    times: np.ndarray,
    rng: np.random.Generator,
) -> Path:
    """A cube rolls: quarter turns about its lower corner, each ending flat with a hit."""
    path = Path(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    edge = 2 * size
    low, high = sides[0] + size, sides[1] - size
    x = rng.uniform(low, high)
    direction = 1.0 if rng.random() < (high - x) / (high - low) else -1.0
    turn = rng.uniform(0.32, 0.52)  # seconds of the first quarter turn
    now, angle = 0.0, 0.0
    while now < times[-1] + 1:
        if not low <= x + direction * edge <= high:
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
