"""Scenes of Foal's world: vocabulary, random sampling and the held-out split."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")

# Hues are at least 18 degrees apart, so that shading and night never change a colour's name.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.13, 0.15),
    "orange": (0.95, 0.45, 0.10),
    "yellow": (0.97, 0.84, 0.16),
    "green": (0.12, 0.66, 0.26),
    "blue": (0.14, 0.32, 0.90),
    "purple": (0.58, 0.22, 0.80),
}
MAX_OBJECTS = 3
COUNT_PROBABILITIES = (0.45, 0.35, 0.20)  # of one, two and three objects
DUPLICATE_PROBABILITY = 0.15  # that an object is identical to the previous one
PLAIN_PROBABILITY = 0.6  # of a plain material, and of the medium size
STILL_PROBABILITY = 0.7  # of a still camera
HELD_OUT_MODULUS = 7  # one in seven combinations is held out of training


class Shape(StrEnum):
    BALL = "ball"
    CUBE = "cube"


class Material(StrEnum):
    PLAIN = "plain"  # the default, without a word
    METAL = "metal"
    WOOD = "wooden"


class Size(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"  # the default, without a word
    LARGE = "large"


class Motion(StrEnum):
    BOUNCE = "bounce"
    ROLL = "roll"
    SLIDE = "slide"
    SWING = "swing"
    ORBIT = "orbit"
    COLLIDE = "collide"


class Ground(StrEnum):
    GRASS = "grass"
    SAND = "sand"
    ICE = "ice"


class Time(StrEnum):
    DAY = "day"
    NIGHT = "night"


class Camera(StrEnum):
    STILL = "still"  # the default, without a word
    LEFT = "left"  # the camera pans to the left
    RIGHT = "right"
    IN = "in"  # the camera zooms in
    OUT = "out"


@dataclass(frozen=True, order=True)
class SceneObject:
    """One object of a scene; its fields are in the order by which objects are sorted."""

    colour: str
    shape: Shape
    material: Material = Material.PLAIN
    size: Size = Size.MEDIUM


@dataclass(frozen=True)
class Scene:
    """Everything a caption can say; `objects` must be sorted, so that equal scenes are equal."""

    objects: tuple[SceneObject, ...]
    motion: Motion
    ground: Ground
    time: Time
    camera: Camera = Camera.STILL

    @property
    def held_out(self) -> bool:
        """Whether any of the scene's combinations is held out of training."""
        return any(is_held_out(obj, self.motion) for obj in self.objects)


def is_held_out(obj: SceneObject, motion: Motion) -> bool:
    """Whether this colour, shape and material with this motion is held out of training."""
    key = f"{obj.colour} {obj.shape} {obj.material}|{motion}"
    return zlib.crc32(key.encode()) % HELD_OUT_MODULUS == 0


def sort_objects(objects: Sequence[SceneObject]) -> tuple[SceneObject, ...]:
    """Sort by colour in the order of COLOURS, then shape, material and size."""
    order = list(COLOURS)
    return tuple(
        sorted(objects, key=lambda t: (order.index(t.colour), t.shape, t.material, t.size))
    )


def sample_scene(
    rng: np.random.Generator, *, held_out: bool | None = False, objects: int | None = None
) -> Scene:
    """Sample a random scene.

    Args:
        rng: the source of randomness.
        held_out: whether the scene is held out of training; None draws from all combinations.
        objects: number of objects; random if not given.
    """
    while True:
        motion = pick(rng, list(Motion))
        count = objects or 1 + int(rng.choice(MAX_OBJECTS, p=COUNT_PROBABILITIES))
        if motion == Motion.COLLIDE and count == 1:
            if objects == 1:
                continue
            count = 2
        chosen = [sample_object(rng)]
        while len(chosen) < count:
            chosen.append(
                chosen[-1] if rng.random() < DUPLICATE_PROBABILITY else sample_object(rng)
            )
        moving = rng.random() >= STILL_PROBABILITY
        scene = Scene(
            objects=sort_objects(chosen),
            motion=motion,
            ground=pick(rng, list(Ground)),
            time=pick(rng, list(Time)),
            camera=pick(rng, list(Camera)[1:]) if moving else Camera.STILL,
        )
        if held_out is None or scene.held_out == held_out:
            return scene


def sample_object(rng: np.random.Generator) -> SceneObject:
    """Sample a random object; most are plain and most of medium size."""
    plain, medium = rng.random(2) < PLAIN_PROBABILITY
    return SceneObject(
        colour=pick(rng, list(COLOURS)),
        shape=pick(rng, list(Shape)),
        material=Material.PLAIN if plain else pick(rng, [Material.METAL, Material.WOOD]),
        size=Size.MEDIUM if medium else pick(rng, [Size.SMALL, Size.LARGE]),
    )


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Pick one of the choices uniformly."""
    return choices[int(rng.integers(len(choices)))]
