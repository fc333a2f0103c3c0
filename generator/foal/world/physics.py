"""Simulation of a scene: trajectories of its objects, their contacts, and the camera.

Trajectories are exact between contacts, so that every contact has its exact time. Units are image
heights and seconds; x to the right, y down, the image of a still camera is [0, 1] x [0, 1].
`flights` simulates flight, rolling and sliding, `collisions` collisions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generator.foal.world.camera import PAN, ZOOM
from generator.foal.world.collisions import simulate_collisions
from generator.foal.world.flights import Start, Trajectory, simulate_flight, simulate_tumble
from generator.foal.world.scenes import Camera, Ground, Material, Motion, Scene, Shape, Size

BALL_RADIUS = 0.086
CUBE_HALF = 0.074  # half an edge; appears as large as the ball
SIZES = {Size.SMALL: 0.72, Size.MEDIUM: 1.0, Size.LARGE: 1.30}
SIZE_VARIATION = 0.06  # sizes vary by up to this fraction
# y of the ground for n objects, from back to front, and the scale of objects at each of these.
GROUND_LEVELS = {1: (0.84,), 2: (0.79, 0.90), 3: (0.77, 0.84, 0.91)}
DEPTH_SCALE = {0.77: 0.90, 0.79: 0.92, 0.84: 1.0, 0.90: 1.06, 0.91: 1.08}
WALL_MARGIN = 0.11  # from the image's edge to the walls if the camera moves: objects stay in view
ROLL_DECELERATION = {Ground.GRASS: 0.10, Ground.SAND: 0.16, Ground.ICE: 0.015}  # image heights / s2
SLIDE_DECELERATION = {Ground.GRASS: 0.30, Ground.SAND: 0.42, Ground.ICE: 0.06}
ROPE_GRAVITY = 3.2  # larger than GRAVITY, so that a full swing fits into a clip
ROPE_TOP = -0.03
ORBIT_CENTRE = (0.5, 0.42)


@dataclass(frozen=True)
class Contact:
    """One hit: time (s), index of the object, impact speed (image heights / s)."""

    seconds: float
    index: int
    speed: float


@dataclass(frozen=True)
class Motions:
    """Motion of the n objects of a clip and of its camera at T times."""

    position: np.ndarray  # (T, n, 2), centres
    angle: np.ndarray  # (T, n), radians, clockwise on the screen
    speed: np.ndarray  # (T, n), of motion with continuous sound, else 0
    size: np.ndarray  # (n,): a ball's radius, half a cube's edge
    ground: np.ndarray  # (n,): y of the ground below the object; larger is nearer
    rope: np.ndarray  # (n,): x of its rope's anchor, NaN without a rope
    view: np.ndarray  # (T, 2): pan to the right, logarithm of the zoom
    contacts: tuple[Contact, ...]

    def select(self, objects: Sequence[int]) -> "Motions":
        """Select some objects, in the given order."""
        indices = list(objects)
        return Motions(
            position=self.position[:, indices],
            angle=self.angle[:, indices],
            speed=self.speed[:, indices],
            size=self.size[indices],
            ground=self.ground[indices],
            rope=self.rope[indices],
            view=self.view,
            contacts=tuple(
                Contact(contact.seconds, indices.index(contact.index), contact.speed)
                for contact in self.contacts
                if contact.index in indices
            ),
        )


def simulate(scene: Scene, rng: np.random.Generator, *, seconds: float, rate: float) -> Motions:
    """Simulate a scene from random initial states.

    Identical objects are numbered from left to right by their initial positions.

    Args:
        scene: what moves, and how.
        rng: draws sizes and initial states.
        seconds: length of the clip.
        rate: samples per second.
    """
    times = np.arange(round(seconds * rate)) / rate
    count = len(scene.objects)
    if scene.motion == Motion.COLLIDE:
        ground = np.full(count, GROUND_LEVELS[1][0])
    else:
        ground = rng.permutation(GROUND_LEVELS[count])
    size = np.array(
        [
            (BALL_RADIUS if obj.shape == Shape.BALL else CUBE_HALF)
            * SIZES[obj.size]
            * DEPTH_SCALE[float(ground_y)]
            * rng.uniform(1 - SIZE_VARIATION, 1 + SIZE_VARIATION)
            for obj, ground_y in zip(scene.objects, ground, strict=True)
        ]
    )
    rope = np.full(count, np.nan)
    match scene.motion:
        case Motion.SWING:
            trajectories, rope = _simulate_swing(size, ground, times, rng)
        case Motion.ORBIT:
            trajectories = _simulate_orbit(size, times, rng)
        case Motion.COLLIDE:
            trajectories = simulate_collisions(
                scene, size, ground, wall_positions(scene), times, rng
            )
        case _:
            trajectories = [
                _simulate_independent(scene, i, float(size[i]), float(ground[i]), times, rng)
                for i in range(count)
            ]
    order = _left_to_right(scene, trajectories)
    trajectories = [trajectories[i] for i in order]
    contacts = (
        Contact(seconds=moment, index=i, speed=speed)
        for i, trajectory in enumerate(trajectories)
        for moment, speed in trajectory.contacts
        if moment < seconds
    )
    return Motions(
        position=np.stack([trajectory.position for trajectory in trajectories], axis=1),
        angle=np.stack([trajectory.angle for trajectory in trajectories], axis=1),
        speed=np.stack([trajectory.speed for trajectory in trajectories], axis=1),
        size=size[order],
        ground=ground[order],
        rope=rope[order],
        view=_camera_view(scene.camera, times, seconds),
        contacts=tuple(sorted(contacts, key=lambda contact: contact.seconds)),
    )


def wall_positions(scene: Scene) -> tuple[float, float]:
    """Return x of the left and the right wall, off which objects bounce."""
    margin = 0.0 if scene.camera == Camera.STILL else WALL_MARGIN
    return margin, 1 - margin


def _left_to_right(scene: Scene, trajectories: list[Trajectory]) -> list[int]:
    """Index of the trajectory of each object: identical objects by initial position."""
    order = list(range(len(trajectories)))
    for obj in set(scene.objects):
        identical = [i for i, other in enumerate(scene.objects) if other == obj]
        for position, trajectory in zip(
            identical, sorted(identical, key=lambda i: trajectories[i].position[0, 0]), strict=True
        ):
            order[position] = trajectory
    return order


def _simulate_independent(
    scene: Scene,
    index: int,
    size: float,
    ground: float,
    times: np.ndarray,
    rng: np.random.Generator,
) -> Trajectory:
    """Simulate an object that bounces, rolls or slides without meeting others."""
    obj, walls = scene.objects[index], wall_positions(scene)
    low, high = walls[0] + size, walls[1] - size
    if scene.motion == Motion.ROLL and obj.shape == Shape.CUBE:
        return simulate_tumble(scene.ground, size, ground, walls, times, rng)
    x = rng.uniform(low, high)
    direction = 1.0 if rng.random() < (high - x) / (high - low) else -1.0
    rotates = obj.shape == Shape.BALL and obj.material == Material.WOOD
    if scene.motion == Motion.BOUNCE:
        height = rng.uniform(0.30, ground - 2 * size - 0.04)
        start = Start(x, height, direction * rng.uniform(0.08, 0.36), rng.uniform(-0.25, 0.25))
        deceleration = ROLL_DECELERATION[scene.ground] if obj.shape == Shape.BALL else 0.9
    elif scene.motion == Motion.ROLL:
        start = Start(x, 0.0, direction * rng.uniform(0.28, 0.62), 0.0)
        deceleration = ROLL_DECELERATION[scene.ground]
    else:
        start = Start(x, 0.0, direction * rng.uniform(0.40, 0.80), 0.0)
        deceleration, rotates = SLIDE_DECELERATION[scene.ground], False
    audible = scene.motion != Motion.BOUNCE or obj.shape == Shape.BALL
    return simulate_flight(
        scene.ground,
        size,
        ground,
        walls,
        times,
        start,
        deceleration=deceleration,
        rotates=rotates,
        audible=audible,
    )


def _simulate_swing(
    size: np.ndarray, ground: np.ndarray, times: np.ndarray, rng: np.random.Generator
) -> tuple[list[Trajectory], np.ndarray]:
    """Simulate pendulums side by side: theta = A exp(-d t) cos(w t + phase)."""
    count = len(size)
    rope = 0.5 + (np.arange(count) - (count - 1) / 2) * (0.62 / count)
    rope = rng.permutation(rope + rng.uniform(-0.03, 0.03, count))
    trajectories = []
    for i in range(count):
        max_length = ground[i] - size[i] - 0.05 - ROPE_TOP
        length = rng.uniform(0.55, 1.0) * min(max_length, 0.62)
        rate = math.sqrt(ROPE_GRAVITY / length)
        amplitude = rng.uniform(0.6, 1.0) * min(0.75, (0.46 / count) / length)
        phase, damping = rng.uniform(0, 2 * math.pi), rng.uniform(0.02, 0.10)
        envelope = amplitude * np.exp(-damping * times)
        theta = envelope * np.cos(rate * times + phase)
        speed = np.abs(envelope * rate * np.sin(rate * times + phase)) * length
        position = np.stack(
            [rope[i] + length * np.sin(theta), ROPE_TOP + length * np.cos(theta)], 1
        )
        trajectories.append(Trajectory(position, -theta, speed))
    return trajectories, rope


def _simulate_orbit(
    size: np.ndarray, times: np.ndarray, rng: np.random.Generator
) -> list[Trajectory]:
    """Simulate circular orbits about one centre, with objects evenly spaced."""
    count = len(size)
    radius = rng.uniform(0.19, 0.26)
    angular_velocity = rng.uniform(1.6, 3.4) * (1 if rng.random() < 0.5 else -1)
    first = rng.uniform(0, 2 * math.pi)
    trajectories = []
    for i in rng.permutation(count):
        angle = first + angular_velocity * times + 2 * math.pi * i / count
        position = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius
        speed = np.full(len(times), abs(angular_velocity) * radius)
        trajectories.append(Trajectory(position + ORBIT_CENTRE, np.zeros(len(times)), speed))
    return trajectories


def _camera_view(camera: Camera, times: np.ndarray, seconds: float) -> np.ndarray:
    """Pan and log zoom over the clip (T, 2): one eased move from start to end."""
    view = np.zeros((len(times), 2))
    progress = times / seconds
    eased = progress * progress * (3 - 2 * progress)
    if camera in (Camera.LEFT, Camera.RIGHT):
        view[:, 0] = PAN * (2 * eased - 1) * (1 if camera == Camera.RIGHT else -1)
    elif camera in (Camera.IN, Camera.OUT):
        view[:, 1] = math.log(ZOOM) * (eased if camera == Camera.IN else 1 - eased)
    return view
