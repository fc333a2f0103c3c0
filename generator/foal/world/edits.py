"""Editing instructions: recolour, remove, change the material or the time of day."""

from dataclasses import dataclass, replace

import numpy as np

from generator.foal.world.captions import describe_thing
from generator.foal.world.scenes import COLOURS, Material, Motion, Scene, Thing, Time, pick

_MATERIALS = {Material.METAL: ("metal", "metallic"), Material.WOOD: ("wooden", "wood")}
_TIME_TEXTS = {
    Time.NIGHT: ("make it night", "turn it to night"),
    Time.DAY: ("make it day", "turn it to day"),
}


@dataclass(frozen=True)
class Edit:
    """An instruction and the scene that results from it."""

    text: str
    target: Scene
    kept: tuple[int, ...]  # for each thing of the target, its index in the source


def sample_edit(scene: Scene, rng: np.random.Generator) -> Edit:
    """Sample a random edit of a scene, in a random wording."""
    kinds = ["colour", "material", "time"]
    if len(scene.things) > (2 if scene.motion == Motion.COLLIDE else 1):
        kinds.append("remove")
    kind = kinds[int(rng.integers(len(kinds)))]
    all_indices = tuple(range(len(scene.things)))
    if kind == "time":
        time = Time.NIGHT if scene.time == Time.DAY else Time.DAY
        return Edit(pick(rng, _TIME_TEXTS[time]), replace(scene, time=time), all_indices)
    index = int(rng.integers(len(scene.things)))
    thing = scene.things[index]
    name = distinguishing_name(scene, index, rng)
    if kind == "remove":
        remaining = [other for other in all_indices if other != index]
        target = replace(scene, things=tuple(scene.things[i] for i in remaining))
        return Edit(f"{pick(rng, ('remove', 'delete'))} the {name}", target, tuple(remaining))
    if kind == "colour":
        colour = pick(rng, tuple(c for c in COLOURS if c != thing.colour))
        text = pick(
            rng,
            (
                f"make the {name} {colour}",
                f"turn the {name} {colour}",
                f"paint the {name} {colour}",
                f"change the {name} to {colour}",
                f"recolour the {name} {colour}",
            ),
        )
        new_thing = replace(thing, colour=colour)
    else:
        material = pick(rng, tuple(m for m in _MATERIALS if m != thing.material))
        word = pick(rng, _MATERIALS[material])
        text = pick(
            rng,
            (
                f"make the {name} {word}",
                f"turn the {name} into {word}",
                f"change the {name} to {word}",
            ),
        )
        new_thing = replace(thing, material=material)
    return _replace_thing(scene, index, new_thing, text)


def distinguishing_name(scene: Scene, index: int, rng: np.random.Generator) -> str:
    """A name that distinguishes a thing from the others: a short one, or its full name."""
    thing, others = scene.things[index], scene.things[:index] + scene.things[index + 1 :]
    short = [str(thing.shape)] * all(other.shape != thing.shape for other in others)
    middle = [f"{thing.colour} {thing.shape}"] * all(
        (other.colour, other.shape) != (thing.colour, thing.shape) for other in others
    )
    return pick(rng, (*short, *middle, describe_thing(thing, rng)))


def _replace_thing(scene: Scene, index: int, new_thing: Thing, text: str) -> Edit:
    things = [new_thing if i == index else thing for i, thing in enumerate(scene.things)]
    return Edit(text, replace(scene, things=tuple(things)), tuple(range(len(things))))
