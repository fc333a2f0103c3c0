"""What Foal's world can contain: the words of a scene, its random choice, its held-out split."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")

# Hues at least 18 degrees apart, so that shading and night never turn one name into another.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.13, 0.15),
    "orange": (0.95, 0.45, 0.10),
    "yellow": (0.97, 0.84, 0.16),
    "green": (0.12, 0.66, 0.26),
    "blue": (0.14, 0.32, 0.90),
    "purple": (0.58, 0.22, 0.80),
}
MOST_THINGS = 3
COUNT_PROBABILITIES = (0.45, 0.35, 0.20)  # of scenes with one, two and three things
DUPLICATE_PROBABILITY = 0.15  # of things that look exactly like the one before
PLAIN_PROBABILITY = 0.6  # of things, and as many that are neither small nor large
STILL_PROBABILITY = 0.7  # of scenes that the camera does not move in
HELD_OUT_MODULUS = 7  # one combination in seven is never trained on


class Shape(StrEnum):
    BALL = "ball"
    CUBE = "cube"


class Material(StrEnum):
    PLAIN = "plain"  # what a thing is that no word says more of
    METAL = "metal"
    WOOD = "wooden"


class Size(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"  # no word
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
    STILL = "still"  # no word
    LEFT = "left"  # the camera pans to the left
    RIGHT = "right"
    IN = "in"  # it zooms in
    OUT = "out"


@dataclass(frozen=True, order=True)
class Thing:
    """One object; fields in the order by which the things of a scene are sorted."""

    colour: str
    shape: Shape
    material: Material = Material.PLAIN
    size: Size = Size.MEDIUM


@dataclass(frozen=True)
class Scene:
    """Everything a caption can say. `things` is sorted, so that equal scenes are equal."""

    things: tuple[Thing, ...]
    motion: Motion
    ground: Ground
    time: Time
    camera: Camera = Camera.STILL

    @property
    def held_out(self) -> bool:
        """Whether training must never see this scene: one of its combinations is held out."""
        return any(is_held_out(thing, self.motion) for thing in self.things)


def is_held_out(thing: Thing, motion: Motion) -> bool:
    """Whether this colour, shape and material never moves like this in training."""
    key = f"{thing.colour} {thing.shape} {thing.material}|{motion}"
    return zlib.crc32(key.encode()) % HELD_OUT_MODULUS == 0


def sort_things(things: Sequence[Thing]) -> tuple[Thing, ...]:
    """By colour as COLOURS has them, then shape, material and size."""
    order = list(COLOURS)
    return tuple(sorted(things, key=lambda t: (order.index(t.colour), t.shape, t.material, t.size)))


def sample_scene(
    rng: np.random.Generator, *, held_out: bool | None = False, things: int | None = None
) -> Scene:
    """A random scene; `held_out` None draws from all combinations, `things` fixes their number."""
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
    """A random thing, plain and of medium size more often than not."""
    plain, medium = rng.random(2) < PLAIN_PROBABILITY
    return Thing(
        colour=pick(rng, list(COLOURS)),
        shape=pick(rng, list(Shape)),
        material=Material.PLAIN if plain else pick(rng, [Material.METAL, Material.WOOD]),
        size=Size.MEDIUM if medium else pick(rng, [Size.SMALL, Size.LARGE]),
    )


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """One of the choices, all alike."""
    return choices[int(rng.integers(len(choices)))]
