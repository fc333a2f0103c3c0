"""Captions: write a scene in many wordings. `prompts` parses any text back."""

from collections.abc import Callable

import numpy as np

from generator.foal.world.scenes import Camera, Scene, SceneObject, pick
from generator.foal.world.vocabulary import (
    CAMERAS,
    COUNTS,
    MATERIAL_WORDS,
    PLURALS,
    PREPOSITIONS,
    SIZE_WORDS,
    TIMES,
    VERBS,
)

OMIT_PROBABILITY = 0.08  # that a caption omits the ground; the same for the time of day

_Choose = Callable[[tuple[str, ...]], str]


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
