"""What Foal's world can contain: the words of a scene, its random choice, its held-out split."""

import zlib
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
MOST_THINGS = 2
TWO_THINGS_SHARE = 0.45
TWINS_SHARE = 0.15  # of the scenes with two things: the same colour and shape twice
HELD_OUT_MODULUS = 7  # one combination in seven is never trained on


class Shape(StrEnum):
    BALL = "ball"
    CUBE = "cube"


class Motion(StrEnum):
    BOUNCE = "bounce"
    ROLL = "roll"


class Ground(StrEnum):
    GRASS = "grass"
    SAND = "sand"
    ICE = "ice"


class Time(StrEnum):
    DAY = "day"
    NIGHT = "night"


@dataclass(frozen=True, order=True)
class Thing:
    """One object; fields in the order by which the things of a scene are sorted."""

    colour: str
    shape: Shape


@dataclass(frozen=True)
class Scene:
    """Everything a caption can say. `things` is sorted, so that equal scenes are equal."""

    things: tuple[Thing, ...]
    motion: Motion
    ground: Ground
    time: Time

    @property
    def key(self) -> str:
        """One text per combination, the input of the held-out split."""
        things = "+".join(f"{thing.colour} {thing.shape}" for thing in self.things)
        return f"{things}|{self.motion}|{self.ground}|{self.time}"

    @property
    def held_out(self) -> bool:
        """Whether training must never see this combination."""
        return zlib.crc32(self.key.encode()) % HELD_OUT_MODULUS == 0


def sort_things(things: list[Thing]) -> tuple[Thing, ...]:
    order = list(COLOURS)
    return tuple(sorted(things, key=lambda thing: (order.index(thing.colour), thing.shape)))


def draw_scene(
    rng: np.random.Generator, *, held_out: bool | None = False, things: int | None = None
) -> Scene:
    """A random scene; `held_out` None draws from all combinations, `things` fixes their number."""
    while True:
        count = things or (2 if rng.random() < TWO_THINGS_SHARE else 1)
        chosen = [_draw_thing(rng)]
        if count == MOST_THINGS:
            chosen.append(chosen[0] if rng.random() < TWINS_SHARE else _draw_thing(rng))
        scene = Scene(
            things=sort_things(chosen),
            motion=_pick(rng, list(Motion)),
            ground=_pick(rng, list(Ground)),
            time=_pick(rng, list(Time)),
        )
        if held_out is None or scene.held_out == held_out:
            return scene


def _draw_thing(rng: np.random.Generator) -> Thing:
    return Thing(colour=_pick(rng, list(COLOURS)), shape=_pick(rng, list(Shape)))


def _pick(rng: np.random.Generator, choices: list[Choice]) -> Choice:
    return choices[int(rng.integers(len(choices)))]
