"""Things on one line that run into each other: nearly elastic, without rubbing, exact in time."""

import math

import numpy as np

from generator.foal.world.flights import Path
from generator.foal.world.scenes import Material, Scene, Shape

RESTITUTION = 0.9
GAP = 0.10  # picture heights between things before they meet


def collide(
    scene: Scene,
    size: np.ndarray,
    ground: np.ndarray,
    sides: tuple[float, float],
    times: np.ndarray,
    rng: np.random.Generator,
) -> list[Path]:
    """Paths of things on one line, in the scene's order.

    Args:
        scene: its things.
        size: half the width of each.
        ground: y at which each touches the ground.
        sides: x of what they bounce off.
        times: moments to sample, s.
        rng: draws order, places and speeds.
    """
    count = len(size)
    shapes = [thing.shape for thing in scene.things]
    order = rng.permutation(count)
    low, high = sides
    half, mass = size[order], size[order] ** 2
    reach = np.array(
        [
            2 * math.sqrt(half[i] * half[i + 1])
            if shapes[order[i]] == shapes[order[i + 1]] == Shape.BALL
            else half[i] + half[i + 1]
            for i in range(count - 1)
        ]
    )
    room_left = float(high - low - half[0] - half[-1] - reach.sum())
    gap = min(GAP, room_left / (count + 1))
    parts = rng.dirichlet(np.full(count + 1, 1.5)) * (room_left - gap * (count - 1))
    gaps = reach + gap + parts[1:-1]
    x = low + half[0] + parts[0] + np.concatenate([[0.0], np.cumsum(gaps)])
    v = np.zeros(count)
    v[0], v[-1] = rng.uniform(0.22, 0.55), -rng.uniform(0.22, 0.55)
    if count == 2 and rng.random() < 0.3:
        v[int(rng.integers(2))] = 0.0
    paths = [Path(np.zeros((len(times), 2)), np.zeros(len(times)), np.zeros(len(times))) for _ in x]
    now, end = 0.0, float(times[-1]) + 1.0
    while now < end:
        step, pair = _next_meeting(x, v, reach, (low + half[0], high - half[-1]))
        step = min(step, end - now)
        inside = (times >= now - 1e-9) & (times < now + step - 1e-9)
        for path, at, speed, tall, lane in zip(paths, x, v, half, ground, strict=True):
            path.position[inside, 0] = at + speed * (times[inside] - now)
            path.position[inside, 1] = lane - tall
            path.speed[inside] = abs(speed)
        x, now = x + v * step, now + step
        if now >= end:
            break
        if 0 <= pair < count - 1:
            closing = v[pair] - v[pair + 1]
            push = (1 + RESTITUTION) * closing / (1 / mass[pair] + 1 / mass[pair + 1])
            v[pair] -= push / mass[pair]
            v[pair + 1] += push / mass[pair + 1]
            for which in (pair, pair + 1):
                paths[which].contacts.append((now, 1.4 * closing))
        else:
            which = 0 if pair < 0 else count - 1
            paths[which].contacts.append((now, abs(v[which])))
            v[which] *= -RESTITUTION
    for path, which in zip(paths, order, strict=True):
        if shapes[which] == Shape.BALL and scene.things[which].material == Material.WOOD:
            path.angle[:] = (path.position[:, 0] - path.position[0, 0]) / size[which]
    found: list[Path] = [paths[0]] * count
    for place, which in enumerate(order):
        found[which] = paths[place]
    return found


def _next_meeting(
    x: np.ndarray, v: np.ndarray, reach: np.ndarray, sides: tuple[float, float]
) -> tuple[float, int]:
    """Seconds until something meets, and the left one of the pair; -1 and n - 1 are the sides."""
    soonest, pair = math.inf, 0
    for i in range(len(x) - 1):
        closing = v[i] - v[i + 1]
        if closing > 1e-9:
            wait = max(0.0, x[i + 1] - x[i] - reach[i]) / closing
            if wait < soonest:
                soonest, pair = wait, i
    if v[0] < -1e-9 and (wait := max(0.0, x[0] - sides[0]) / -v[0]) < soonest:
        soonest, pair = wait, -1
    if v[-1] > 1e-9 and (wait := max(0.0, sides[1] - x[-1]) / v[-1]) < soonest:
        soonest, pair = wait, len(x) - 1
    return soonest, pair
