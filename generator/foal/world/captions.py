"""Captions: write a scene in many wordings, and parse any text into what it asks for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from generator.foal.world.scenes import (
    COLOURS,
    MAX_OBJECTS,
    Camera,
    Ground,
    Material,
    Motion,
    Scene,
    SceneObject,
    Shape,
    Size,
    Time,
    pick,
)

OMIT_PROBABILITY = 0.08  # that a caption omits the ground; the same for the time of day
VERBS = {  # third person singular, plural, present participle
    Motion.BOUNCE: ("bounces", "bounce", "bouncing"),
    Motion.ROLL: ("rolls", "roll", "rolling"),
    Motion.SLIDE: ("slides", "slide", "sliding"),
    Motion.SWING: ("swings", "swing", "swinging"),
    Motion.ORBIT: ("orbits", "orbit", "orbiting"),
    Motion.COLLIDE: ("collides", "collide", "colliding"),
}
TIMES = {
    Time.DAY: ("by day", "in daylight", "during the day", "on a sunny day"),
    Time.NIGHT: ("at night", "in the dark", "in the moonlight", "on a dark night"),
}
PREPOSITIONS = {
    Motion.BOUNCE: ("on",),
    Motion.ROLL: ("on", "over", "across"),
    Motion.SLIDE: ("on", "over", "across"),
    Motion.SWING: ("over", "above"),
    Motion.ORBIT: ("over", "above"),
    Motion.COLLIDE: ("on",),
}
CAMERAS = {
    Camera.LEFT: ("the camera pans left", "the camera pans to the left", "panning left"),
    Camera.RIGHT: ("the camera pans right", "the camera pans to the right", "panning right"),
    Camera.IN: ("the camera zooms in", "zooming in"),
    Camera.OUT: ("the camera zooms out", "zooming out"),
}
SIZE_WORDS = {Size.SMALL: ("small", "little"), Size.LARGE: ("large", "big")}
MATERIAL_WORDS = {Material.METAL: ("metal", "metallic"), Material.WOOD: ("wooden",)}
PLURALS = {Shape.BALL: "balls", Shape.CUBE: "cubes"}
COUNTS = {"two": 2, "three": 3}
# "orange" is a colour; "in" and "out" refer to the camera only after a word for zooming.
_OTHER_WORDS = "a an the and is are on over above across by in out to during at while"
# A text that begins with one of these is an editing instruction, not the caption of a clip.
EDITING = ("make", "turn", "change", "remove", "delete", "recolour", "paint")
_EDIT_WORDS = "into it as"

_Choose = Callable[[tuple[str, ...]], str]


def _words(*groups: Mapping[Any, tuple[str, ...]]) -> dict[str, StrEnum]:
    return {word: key for group in groups for key, words in group.items() for word in words}


_MEANING: dict[str, StrEnum] = {
    **_words(VERBS, SIZE_WORDS, MATERIAL_WORDS),
    "wood": Material.WOOD,
    **{str(shape): shape for shape in Shape},
    **{plural: shape for shape, plural in PLURALS.items()},
    **{str(ground): ground for ground in Ground},
    **{"day": Time.DAY, "daylight": Time.DAY, "sunny": Time.DAY},
    **{"night": Time.NIGHT, "dark": Time.NIGHT, "moonlight": Time.NIGHT},
}
_CAMERA_WORDS = {"left": Camera.LEFT, "right": Camera.RIGHT}
_ZOOMS = {"in": Camera.IN, "out": Camera.OUT}
_ZOOMING = ("zooms", "zoom", "zooming")
_PANNING = ("camera", "pans", "pan", "panning")
VOCABULARY: tuple[str, ...] = tuple(
    sorted(
        {
            *COLOURS,
            *COUNTS,
            *_MEANING,
            *_CAMERA_WORDS,
            *_ZOOMING,
            *_PANNING,
            *_OTHER_WORDS.split(),
            *EDITING,
            *_EDIT_WORDS.split(),
        }
    )
)


@dataclass(frozen=True)
class ObjectRequest:
    """An object requested by a text; the colour is None if the text does not say."""

    shape: Shape
    colour: str | None
    material: Material = Material.PLAIN
    size: Size = Size.MEDIUM


@dataclass(frozen=True)
class Description:
    """What a text asks for (None or empty if it does not say), and its unknown words."""

    objects: tuple[ObjectRequest, ...]
    motion: Motion | None
    ground: Ground | None
    time: Time | None
    unknown: tuple[str, ...]
    camera: Camera = Camera.STILL

    @property
    def in_world(self) -> bool:
        """Whether the text asks for any object of this world, so that a clip can be checked."""
        return bool(self.objects)


def split_words(text: str) -> list[str]:
    """Split a text into lower-case words; digits and other alphabets count as words."""
    return re.findall(r"\w+", text.lower())


def parse_prompt(text: str) -> Description:
    """Parse a text of any wording; words and surplus objects are returned in `unknown`.

    An editing instruction requests no objects, since its source determines what the clip shows.
    """
    parser = _Parser()
    words = split_words(text)
    for word in words:
        parser.feed(word)
    if words and words[0] in EDITING:
        parser.objects.clear()
    kinds = (parser.attributes.get(kind) for kind in (Motion, Ground, Time))
    motion, ground, time = kinds
    return Description(
        objects=tuple(parser.objects[:MAX_OBJECTS]),
        motion=Motion(motion) if motion else None,
        ground=Ground(ground) if ground else None,
        time=Time(time) if time else None,
        unknown=tuple(parser.unknown),
        camera=parser.camera,
    )


class _Parser:
    """Word by word parser: collects adjectives until the noun they describe."""

    def __init__(self) -> None:
        self.objects: list[ObjectRequest] = []
        self.attributes: dict[type, StrEnum] = {}
        self.unknown: list[str] = []
        self.camera = Camera.STILL
        self._previous = ""
        self._reset()

    def _reset(self) -> None:
        self._colours: list[str] = []
        self._count = 0
        self._material, self._size = Material.PLAIN, Size.MEDIUM

    def feed(self, word: str) -> None:
        meaning = _MEANING.get(word)
        if word in COLOURS:
            self._colours.append(word)
        elif word in COUNTS:
            self._count = COUNTS[word]
        elif isinstance(meaning, Shape):
            self._add(word, meaning)
        elif isinstance(meaning, Material):
            self._material = meaning
        elif isinstance(meaning, Size):
            self._size = meaning
        elif meaning is not None:
            self.attributes.setdefault(type(meaning), meaning)
        elif word in _CAMERA_WORDS:
            self.camera = _CAMERA_WORDS[word]
        elif self._previous in _ZOOMING and word in _ZOOMS:
            self.camera = _ZOOMS[word]
        elif word not in VOCABULARY:
            self.unknown.append(word)
        self._previous = word

    def _add(self, word: str, shape: Shape) -> None:
        colours: list[str | None] = list(self._colours) or [None]
        is_plural = word in PLURALS.values()
        count = self._count or (2 if is_plural and len(colours) == 1 else len(colours))
        if count > len(colours):
            colours = (colours * count)[:count]
        self.objects += [
            ObjectRequest(shape, colour, self._material, self._size) for colour in colours
        ]
        if len(self.objects) > MAX_OBJECTS:
            self.unknown.append(word)
        self._reset()


def describe(scene: Scene, rng: np.random.Generator) -> str:
    """Write a random caption of a scene."""
    ground = "" if rng.random() < OMIT_PROBABILITY else f"{pick(rng, PREPOSITIONS[scene.motion])} "
    ground = ground and ground + scene.ground
    time = "" if rng.random() < OMIT_PROBABILITY else pick(rng, TIMES[scene.time])
    camera = "" if scene.camera == Camera.STILL else pick(rng, CAMERAS[scene.camera])
    if camera and rng.random() < 0.3:
        camera = f"while {camera}"
    action = _action(scene, rng)
    if time and rng.random() < 0.15:
        return _join(time, action, ground, camera)
    return _join(action, ground, time, camera)


def plain_caption(scene: Scene) -> str:
    """Write the scene's canonical caption: complete and always the same."""
    third_person, base, _ = VERBS[scene.motion]
    groups = _groups(scene)
    subjects = _and_list([_noun_phrase(obj, count, _first_word) for obj, count in groups])
    verb = third_person if len(scene.objects) == 1 else base
    camera = "" if scene.camera == Camera.STILL else CAMERAS[scene.camera][0]
    where = f"{PREPOSITIONS[scene.motion][0]} {scene.ground}"
    return _join(subjects, verb, where, TIMES[scene.time][0], camera)


def describe_object(obj: SceneObject, rng: np.random.Generator) -> str:
    """Name an object by its adjectives and shape, without an article."""
    return _adjectives(obj, lambda words: pick(rng, words)) + str(obj.shape)


def _action(scene: Scene, rng: np.random.Generator) -> str:
    third_person, base, participle = VERBS[scene.motion]

    def choose(words: tuple[str, ...]) -> str:
        return pick(rng, words)

    groups = _groups(scene)
    groups = [groups[i] for i in rng.permutation(len(groups))]
    subjects = [_noun_phrase(obj, count, choose) for obj, count in groups]
    if len(scene.objects) == 1:
        name = describe_object(groups[0][0], rng)
        wordings: tuple[str, ...] = (
            f"{subjects[0]} {third_person}",
            f"{subjects[0]} {third_person}",
            f"{subjects[0]} is {participle}",
            f"{subjects[0]} {participle}",
            _with_article(f"{participle} {name}"),
            f"{participle} {name}",
            f"the {name} {third_person}",
        )
        return pick(rng, wordings)
    if len(groups) == 1 and len(scene.objects) == 2 and rng.random() < 0.3:
        subjects = [subjects[0].removeprefix("two ")]
    subject = _and_list(subjects)
    return pick(rng, (f"{subject} {base}", f"{subject} {base}", f"{subject} are {participle}"))


def _groups(scene: Scene) -> list[tuple[SceneObject, int]]:
    return [(obj, scene.objects.count(obj)) for obj in dict.fromkeys(scene.objects)]


def _first_word(words: tuple[str, ...]) -> str:
    return words[0]


def _noun_phrase(obj: SceneObject, count: int, choose: _Choose) -> str:
    """A noun phrase such as "a small red ball" or "two metal cubes"."""
    name = _adjectives(obj, choose)
    if count == 1:
        return _with_article(name + obj.shape)
    number = next(word for word, value in COUNTS.items() if value == count)
    return f"{number} {name}{PLURALS[obj.shape]}"


def _adjectives(obj: SceneObject, choose: _Choose) -> str:
    size = f"{choose(SIZE_WORDS[obj.size])} " if obj.size in SIZE_WORDS else ""
    material = MATERIAL_WORDS.get(obj.material)
    return f"{size}{obj.colour} " + (f"{choose(material)} " if material else "")


def _and_list(names: list[str]) -> str:
    return " and ".join(names)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
