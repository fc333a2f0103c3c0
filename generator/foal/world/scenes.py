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
MOST_THINGS = 3
COUNT_PROBABILITIES = (0.45, 0.35, 0.20)  # of one, two and three things
DUPLICATE_PROBABILITY = 0.15  # that a thing is identical to the previous one
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
class Thing:
    """One object of a scene; its fields are in the order by which things are sorted."""

    colour: str
    shape: Shape
    material: Material = Material.PLAIN
    size: Size = Size.MEDIUM


@dataclass(frozen=True)
class Scene:
    """Everything a caption can say; `things` must be sorted, so that equal scenes compare equal."""

    things: tuple[Thing, ...]
    motion: Motion
    ground: Ground
    time: Time
    camera: Camera = Camera.STILL

    @property
    def held_out(self) -> bool:
        """Whether any of the scene's combinations is held out of training."""
        return any(is_held_out(thing, self.motion) for thing in self.things)


def is_held_out(thing: Thing, motion: Motion) -> bool:
    """Whether this colour, shape and material with this motion is held out of training."""
    key = f"{thing.colour} {thing.shape} {thing.material}|{motion}"
    return zlib.crc32(key.encode()) % HELD_OUT_MODULUS == 0


def sort_things(things: Sequence[Thing]) -> tuple[Thing, ...]:
    """Sort by colour in the order of COLOURS, then shape, material and size."""
    order = list(COLOURS)
    return tuple(sorted(things, key=lambda t: (order.index(t.colour), t.shape, t.material, t.size)))


def sample_scene(
    rng: np.random.Generator, *, held_out: bool | None = False, things: int | None = None
) -> Scene:
    """Sample a random scene.

    Args:
        rng: the source of randomness.
        held_out: whether the scene is held out of training; None draws from all combinations.
        things: number of things; random if not given.
    """
    while True:
        motion = pick(rng, list(Motion))
        count = things or 1 + int(rng.choice(MOST_THINGS, p=COUNT_PROBABILITIES))
        if motion == Motion.COLLIDE and count == 1:
            if things == 1:
                continue
            count = 2
        chosen = [sample_thing(rng)]
        while len(chosen) < count:
            chosen.append(chosen[-1] if rng.random() < DUPLICATE_PROBABILITY else sample_thing(rng))
        moving = rng.random() >= STILL_PROBABILITY
        scene = Scene(
            things=sort_things(chosen),
            motion=motion,
            ground=pick(rng, list(Ground)),
            time=pick(rng, list(Time)),
            camera=pick(rng, list(Camera)[1:]) if moving else Camera.STILL,
        )
        if held_out is None or scene.held_out == held_out:
            return scene


def sample_thing(rng: np.random.Generator) -> Thing:
    """Sample a random thing; most are plain and most of medium size."""
    plain, medium = rng.random(2) < PLAIN_PROBABILITY
    return Thing(
        colour=pick(rng, list(COLOURS)),
        shape=pick(rng, list(Shape)),
        material=Material.PLAIN if plain else pick(rng, [Material.METAL, Material.WOOD]),
        size=Size.MEDIUM if medium else pick(rng, [Size.SMALL, Size.LARGE]),
    )


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Pick one of the choices uniformly."""
    return choices[int(rng.integers(len(choices)))]
