"""Trajectories with gravity, bounces and friction, exact between contacts."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from generator.foal.world.scenes import Ground

GRAVITY = 1.8  # image heights / s2: a drop from half the image takes .75 s
RESTITUTION = {Ground.GRASS: 0.74, Ground.SAND: 0.62, Ground.ICE: 0.84}
WALL_RESTITUTION = 0.8
REST_SPEED = 0.16  # image heights / s: a slower rebound stays on the ground
TUMBLE_SLOWDOWN = {
    Ground.GRASS: 1.10,
    Ground.SAND: 1.16,
    Ground.ICE: 1.03,
}  # factor of duration per quarter turn
TUMBLE_HESITATION = 0.55  # 0 rotates uniformly, 1 would stop on the edge


@dataclass
class Trajectory:
    """Motion of one object at T sampled times, and its contacts."""

    position: np.ndarray  # (T, 2), centre
    angle: np.ndarray  # (T,), radians, clockwise on the screen
    speed: np.ndarray  # (T,), of motion with continuous sound, else 0
    contacts: list[tuple[float, float]] = field(default_factory=list)  # time in s, impact speed


class Start(NamedTuple):
    """Initial state: position, height above the ground, velocity with vy upwards."""

    x: float
    height: float
    vx: float
    vy: float


def simulate_flight(
    surface: Ground,
    size: float,
    ground: float,
    walls: tuple[float, float],
    times: np.ndarray,
    start: Start,
    *,
    deceleration: float,
    rotates: bool,
    audible: bool,
) -> Trajectory:
    """Simulate flight with bounces off ground and walls, then rolling or sliding to rest.

    Args:
        surface: kind of ground.
        size: half the object's width.
        ground: y of the ground below it.
        walls: x of the left and the right wall.
        times: times to sample, s.
        start: initial state.
        deceleration: on the ground, image heights / s2.
        rotates: whether its angle follows its path, as a rolling ball's does.
        audible: whether moving along the ground makes a continuous sound.
    """
    trajectory = Trajectory(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    x, height, vx, vy = start
    airborne = height > 0
    time, end = 0.0, float(times[-1]) + 1.0
    while time < end:
        friction = 0.0 if airborne else deceleration
        time_to_wall = _time_to_reach(
            (walls[1] - size - x) if vx > 0 else (x - size - walls[0]), abs(vx), friction
        )
        time_to_floor = (
            (vy + math.sqrt(vy * vy + 2 * GRAVITY * height)) / GRAVITY if airborne else math.inf
        )
        dt = min(time_to_wall, time_to_floor, end - time)
        mask = (times >= time - 1e-9) & (times < time + dt - 1e-9)
        t = times[mask] - time
        stop = abs(vx) / friction if friction else math.inf
        moving_time = np.minimum(t, stop)
        trajectory.position[mask, 0] = (
            x + vx * moving_time - math.copysign(friction, vx) * moving_time**2 / 2
        )
        elevation = height + vy * t - GRAVITY * t**2 / 2 if airborne else np.zeros_like(t)
        trajectory.position[mask, 1] = ground - size - elevation
        if not airborne and audible:
            trajectory.speed[mask] = np.abs(vx) - friction * moving_time
        moving_end = min(dt, stop)
        x += vx * moving_end - math.copysign(friction, vx) * moving_end**2 / 2
        vx -= math.copysign(min(friction * moving_end, abs(vx)), vx)
        time += dt
        if time >= end:
            break
        if airborne:
            height = max(0.0, height + vy * dt - GRAVITY * dt**2 / 2)
            vy -= GRAVITY * dt
        if dt == time_to_wall:
            trajectory.contacts.append((time, abs(vx)))
            vx *= -WALL_RESTITUTION
        else:
            trajectory.contacts.append((time, abs(vy)))
            height, vy = 0.0, -vy * RESTITUTION[surface]
            airborne = vy > REST_SPEED
    if rotates:
        trajectory.angle[:] = (trajectory.position[:, 0] - trajectory.position[0, 0]) / size
    return trajectory


def _time_to_reach(distance: float, speed: float, friction: float) -> float:
    """Seconds to cover a distance while slowing down; infinite if it stops earlier."""
    if speed <= 0:
        return math.inf
    if friction == 0:
        return max(distance, 0.0) / speed
    discriminant = speed * speed - 2 * friction * distance
    return math.inf if discriminant < 0 else max(0.0, (speed - math.sqrt(discriminant)) / friction)


def simulate_tumble(
    surface: Ground,
    size: float,
    ground: float,
    walls: tuple[float, float],
    times: np.ndarray,
    rng: np.random.Generator,
) -> Trajectory:
    """Simulate a rolling cube: quarter turns about its lower corner, each ending in a hit."""
    trajectory = Trajectory(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times)))
    edge = 2 * size
    low, high = walls[0] + size, walls[1] - size
    x = rng.uniform(low, high)
    direction = 1.0 if rng.random() < (high - x) / (high - low) else -1.0
    duration = rng.uniform(0.32, 0.52)  # of the first quarter turn, s
    time, angle = 0.0, 0.0
    while time < times[-1] + 1:
        if not low <= x + direction * edge <= high:
            direction = -direction
        mask = (times >= time - 1e-9) & (times < time + duration - 1e-9)
        u = (times[mask] - time) / duration
        quarter = math.pi / 2 * (u + TUMBLE_HESITATION * np.sin(2 * math.pi * u) / (2 * math.pi))
        diagonal_angle = math.pi / 4 + quarter  # of the line from the pivot to the centre
        half_diagonal = size * math.sqrt(2)
        trajectory.position[mask, 0] = x + direction * (
            size - half_diagonal * np.cos(diagonal_angle)
        )
        trajectory.position[mask, 1] = ground - half_diagonal * np.sin(diagonal_angle)
        trajectory.angle[mask] = angle + direction * quarter
        time += duration
        x += direction * edge
        angle += direction * math.pi / 2
        trajectory.contacts.append((time, 1.3 * edge / duration))  # the far corner lands faster
        duration *= TUMBLE_SLOWDOWN[surface]
    return trajectory
