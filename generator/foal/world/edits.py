"""Edits of a clip in words: recolour, remove, another material, another time of day."""

from dataclasses import dataclass, replace

import numpy as np

from generator.foal.world.captions import describe_thing
from generator.foal.world.scenes import COLOURS, Material, Motion, Scene, Thing, Time, pick

_MATERIALS = {Material.METAL: ("metal", "metallic"), Material.WOOD: ("wooden", "wood")}
_NIGHTS = {
    Time.NIGHT: ("make it night", "turn it to night"),
    Time.DAY: ("make it day", "turn it to day"),
}


@dataclass(frozen=True)
class Edit:
    """An instruction and the scene that results; `kept` are the source's things that stay."""

    text: str
    target: Scene
    kept: tuple[int, ...]  # for each thing of the target, its number in the source


def draw_edit(scene: Scene, rng: np.random.Generator) -> Edit:
    """A random edit that changes the scene, in random words."""
    kinds = ["colour", "material", "time"]
    if len(scene.things) > (2 if scene.motion == Motion.COLLIDE else 1):
        kinds.append("remove")
    kind = kinds[int(rng.integers(len(kinds)))]
    everything = tuple(range(len(scene.things)))
    if kind == "time":
        time = Time.NIGHT if scene.time == Time.DAY else Time.DAY
        return Edit(pick(rng, _NIGHTS[time]), replace(scene, time=time), everything)
    which = int(rng.integers(len(scene.things)))
    thing = scene.things[which]
    name = name_apart(scene, which, rng)
    if kind == "remove":
        left = [other for other in everything if other != which]
        target = replace(scene, things=tuple(scene.things[i] for i in left))
        return Edit(f"{pick(rng, ('remove', 'delete'))} the {name}", target, tuple(left))
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
        changed = replace(thing, colour=colour)
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
        changed = replace(thing, material=material)
    return _changed(scene, which, changed, text)


def name_apart(scene: Scene, which: int, rng: np.random.Generator) -> str:
    """The fewest words that tell a thing from the others, or all its words."""
    thing, others = scene.things[which], scene.things[:which] + scene.things[which + 1 :]
    short = [str(thing.shape)] * all(other.shape != thing.shape for other in others)
    middle = [f"{thing.colour} {thing.shape}"] * all(
        (other.colour, other.shape) != (thing.colour, thing.shape) for other in others
    )
    return pick(rng, (*short, *middle, describe_thing(thing, rng)))


def _changed(scene: Scene, which: int, changed: Thing, text: str) -> Edit:
    things = [changed if i == which else thing for i, thing in enumerate(scene.things)]
    return Edit(text, replace(scene, things=tuple(things)), tuple(range(len(things))))
