"""Collisions on one line: event-driven, nearly elastic, without friction."""

import math

import numpy as np

from generator.foal.world.flights import Trajectory
from generator.foal.world.scenes import Material, Scene, Shape

RESTITUTION = 0.9
MIN_GAP = 0.10  # image heights between neighbours at the start


def simulate_collisions(
    scene: Scene,
    size: np.ndarray,
    ground: np.ndarray,
    walls: tuple[float, float],
    times: np.ndarray,
    rng: np.random.Generator,
) -> list[Trajectory]:
    """Simulate objects on one line that run into each other and into the walls.

    Args:
        scene: the scene with its n objects.
        size: half the width of each object, (n,).
        ground: y of the ground below each object, (n,).
        walls: x of the left and the right wall.
        times: times to sample, s.
        rng: draws the order, initial positions and velocities.

    Returns:
        Trajectories in the order of the scene's objects.
    """
    count = len(size)
    shapes = [obj.shape for obj in scene.objects]
    order = rng.permutation(count)
    low, high = walls
    half_width, mass = size[order], size[order] ** 2
    contact_distance = np.array(
        [
            2 * math.sqrt(half_width[i] * half_width[i + 1])
            if shapes[order[i]] == shapes[order[i + 1]] == Shape.BALL
            else half_width[i] + half_width[i + 1]
            for i in range(count - 1)
        ]
    )
    free_length = float(high - low - half_width[0] - half_width[-1] - contact_distance.sum())
    gap = min(MIN_GAP, free_length / (count + 1))
    slack = rng.dirichlet(np.full(count + 1, 1.5)) * (free_length - gap * (count - 1))
    gaps = contact_distance + gap + slack[1:-1]
    x = low + half_width[0] + slack[0] + np.concatenate([[0.0], np.cumsum(gaps)])
    v = np.zeros(count)
    v[0], v[-1] = rng.uniform(0.22, 0.55), -rng.uniform(0.22, 0.55)
    if count == 2 and rng.random() < 0.3:
        v[int(rng.integers(2))] = 0.0
    trajectories = [
        Trajectory(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times))) for _ in x
    ]
    time, end = 0.0, float(times[-1]) + 1.0
    while time < end:
        dt, pair = _next_collision(
            x, v, contact_distance, (low + half_width[0], high - half_width[-1])
        )
        dt = min(dt, end - time)
        mask = (times >= time - 1e-9) & (times < time + dt - 1e-9)
        for trajectory, start_x, speed, half_height, ground_y in zip(
            trajectories, x, v, half_width, ground, strict=True
        ):
            trajectory.position[mask, 0] = start_x + speed * (times[mask] - time)
            trajectory.position[mask, 1] = ground_y - half_height
            trajectory.speed[mask] = abs(speed)
        x, time = x + v * dt, time + dt
        if time >= end:
            break
        if 0 <= pair < count - 1:
            closing_speed = v[pair] - v[pair + 1]
            impulse = (1 + RESTITUTION) * closing_speed / (1 / mass[pair] + 1 / mass[pair + 1])
            v[pair] -= impulse / mass[pair]
            v[pair + 1] += impulse / mass[pair + 1]
            for index in (pair, pair + 1):
                trajectories[index].contacts.append((time, 1.4 * closing_speed))
        else:
            index = 0 if pair < 0 else count - 1
            trajectories[index].contacts.append((time, abs(v[index])))
            v[index] *= -RESTITUTION
    for trajectory, index in zip(trajectories, order, strict=True):
        if shapes[index] == Shape.BALL and scene.objects[index].material == Material.WOOD:
            trajectory.angle[:] = (trajectory.position[:, 0] - trajectory.position[0, 0]) / size[
                index
            ]
    result: list[Trajectory] = [trajectories[0]] * count
    for slot, index in enumerate(order):
        result[index] = trajectories[slot]
    return result


def _next_collision(
    x: np.ndarray, v: np.ndarray, contact_distance: np.ndarray, walls: tuple[float, float]
) -> tuple[float, int]:
    """Seconds to the next collision, and its left object; -1 and n - 1 stand for the walls."""
    earliest, pair = math.inf, 0
    for i in range(len(x) - 1):
        closing_speed = v[i] - v[i + 1]
        if closing_speed > 1e-9:
            wait = max(0.0, x[i + 1] - x[i] - contact_distance[i]) / closing_speed
            if wait < earliest:
                earliest, pair = wait, i
    if v[0] < -1e-9 and (wait := max(0.0, x[0] - walls[0]) / -v[0]) < earliest:
        earliest, pair = wait, -1
    if v[-1] > 1e-9 and (wait := max(0.0, walls[1] - x[-1]) / v[-1]) < earliest:
        earliest, pair = wait, len(x) - 1
    return earliest, pair
