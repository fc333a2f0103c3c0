"""Captions: a scene in many wordings, and back from any text to what it asks for."""

import re
from dataclasses import dataclass

import numpy as np

from generator.foal.scenes import COLOURS, MOST_THINGS, Ground, Motion, Scene, Shape, Thing, Time

SILENT_SHARE = 0.08  # of captions that leave the ground out, and of those that leave the time out
VERBS = {
    Motion.BOUNCE: ("bounces", "bounce", "bouncing"),
    Motion.ROLL: ("rolls", "roll", "rolling"),
}
TIMES = {
    Time.DAY: ("by day", "in daylight", "during the day", "on a sunny day"),
    Time.NIGHT: ("at night", "in the dark", "in the moonlight", "on a dark night"),
}
WHERE = {Motion.BOUNCE: ("on",), Motion.ROLL: ("on", "over", "across")}
PLURALS = {Shape.BALL: "balls", Shape.CUBE: "cubes"}
_OTHER_WORDS = "a an the and is are two on over across by in during at"

_MEANING: dict[str, Shape | Motion | Ground | Time] = {
    **{word: motion for motion, forms in VERBS.items() for word in forms},
    **{str(shape): shape for shape in Shape},
    **{plural: shape for shape, plural in PLURALS.items()},
    **{str(ground): ground for ground in Ground},
    **{"day": Time.DAY, "daylight": Time.DAY, "sunny": Time.DAY},
    **{"night": Time.NIGHT, "dark": Time.NIGHT, "moonlight": Time.NIGHT},
}
VOCABULARY: tuple[str, ...] = tuple(
    sorted({*COLOURS, *_MEANING, *_OTHER_WORDS.split(), *"sunny dark".split()})
)


@dataclass(frozen=True)
class ThingWish:
    """A thing as a text asks for it; None where the text does not say."""

    shape: Shape
    colour: str | None


@dataclass(frozen=True)
class Description:
    """What a text asks for, and the words that this world does not know."""

    things: tuple[ThingWish, ...]
    motion: Motion | None
    ground: Ground | None
    time: Time | None
    unknown: tuple[str, ...]

    @property
    def in_world(self) -> bool:
        """Whether the text asks for anything that a clip of this world can be checked for."""
        return bool(self.things)


def split_words(text: str) -> list[str]:
    """Lower-case words of a text, digits and other alphabets kept as words of their own."""
    return re.findall(r"\w+", text.lower())


def parse_prompt(text: str) -> Description:
    """Read a text with any wording. Words and things beyond this world land in `unknown`."""
    things: list[ThingWish] = []
    colours: list[str] = []
    found: dict[type, Shape | Motion | Ground | Time] = {}
    unknown: list[str] = []
    for word in split_words(text):
        meaning = _MEANING.get(word)
        if word in COLOURS:
            colours.append(word)
        elif isinstance(meaning, Shape):
            wishes: list[str | None] = list(colours) or [None]
            if word in PLURALS.values() and len(wishes) == 1:
                wishes *= 2
            things += [ThingWish(meaning, colour) for colour in wishes]
            if len(things) > MOST_THINGS:
                unknown.append(word)
            colours = []
        elif meaning is not None:
            found.setdefault(type(meaning), meaning)
        elif word not in VOCABULARY:
            unknown.append(word)
    motion, ground, time = (found.get(kind) for kind in (Motion, Ground, Time))
    return Description(
        things=tuple(things[:MOST_THINGS]),
        motion=Motion(motion) if motion else None,
        ground=Ground(ground) if ground else None,
        time=Time(time) if time else None,
        unknown=tuple(unknown),
    )


def describe(scene: Scene, rng: np.random.Generator) -> str:
    """One of the scene's many captions."""
    ground = "" if rng.random() < SILENT_SHARE else f"{_one(rng, WHERE[scene.motion])} "
    ground = ground and ground + scene.ground
    time = "" if rng.random() < SILENT_SHARE else _one(rng, TIMES[scene.time])
    action = _action(scene, rng)
    if time and rng.random() < 0.15:
        return _join(time, action, ground)
    return _join(action, ground, time)


def plain_caption(scene: Scene) -> str:
    """The scene's first wording: complete, the same every time."""
    third, plain, _ = VERBS[scene.motion]
    things = scene.things
    who = " and ".join(_a(f"{thing.colour} {thing.shape}") for thing in things)
    if len(things) > 1 and things[0] == things[1]:
        who = f"two {_many(things[0])}"
    verb = third if len(things) == 1 else plain
    return _join(who, verb, f"{WHERE[scene.motion][0]} {scene.ground}", TIMES[scene.time][0])


def _action(scene: Scene, rng: np.random.Generator) -> str:
    third, plain, ing = VERBS[scene.motion]
    things = scene.things
    if len(things) == 1:
        name = f"{things[0].colour} {things[0].shape}"
        return _one(
            rng,
            (
                f"{_a(name)} {third}",
                f"{_a(name)} {third}",
                f"{_a(name)} is {ing}",
                f"{_a(name)} {ing}",
                f"{_a(f'{ing} {name}')}",
                f"{ing} {name}",
                f"the {name} {third}",
            ),
        )
    if things[0] == things[1]:
        name = _many(things[0])
        forms = (
            f"two {name} {plain}",
            f"two {name} {ing}",
            f"{name} {plain}",
            f"{name} {ing}",
            f"two {ing} {name}",
            f"{name} are {ing}",
        )
        return _one(rng, forms)
    first, second = things if rng.random() < 0.5 else things[::-1]
    names = [f"{thing.colour} {thing.shape}" for thing in (first, second)]
    both = [f"{_a(names[0])} and {_a(names[1])} {verb}" for verb in (plain, plain, f"are {ing}")]
    both += [f"{_a(f'{ing} {names[0]}')} and {_a(f'{ing} {names[1]}')}"]
    if first.shape == second.shape:
        both += [f"{first.colour} and {second.colour} {PLURALS[first.shape]} {plain}"]
    return _one(rng, tuple(both))


def _many(thing: Thing) -> str:
    return f"{thing.colour} {PLURALS[thing.shape]}"


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _one(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
