"""Editing instructions: recolour, remove, change the material or the time of day."""

from dataclasses import dataclass, replace

import numpy as np

from generator.foal.world.captions import describe_object
from generator.foal.world.scenes import COLOURS, Material, Motion, Scene, SceneObject, Time, pick

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
    kept: tuple[int, ...]  # for each object of the target, its index in the source


def sample_edit(scene: Scene, rng: np.random.Generator) -> Edit:
    """Sample a random edit of a scene, in a random wording."""
    kinds = ["colour", "material", "time"]
    if len(scene.objects) > (2 if scene.motion == Motion.COLLIDE else 1):
        kinds.append("remove")
    kind = kinds[int(rng.integers(len(kinds)))]
    all_indices = tuple(range(len(scene.objects)))
    if kind == "time":
        time = Time.NIGHT if scene.time == Time.DAY else Time.DAY
        return Edit(pick(rng, _TIME_TEXTS[time]), replace(scene, time=time), all_indices)
    index = int(rng.integers(len(scene.objects)))
    obj = scene.objects[index]
    name = distinguishing_name(scene, index, rng)
    if kind == "remove":
        remaining = [other for other in all_indices if other != index]
        target = replace(scene, objects=tuple(scene.objects[i] for i in remaining))
        return Edit(f"{pick(rng, ('remove', 'delete'))} the {name}", target, tuple(remaining))
    if kind == "colour":
        colour = pick(rng, tuple(c for c in COLOURS if c != obj.colour))
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
        new_object = replace(obj, colour=colour)
    else:
        material = pick(rng, tuple(m for m in _MATERIALS if m != obj.material))
        word = pick(rng, _MATERIALS[material])
        text = pick(
            rng,
            (
                f"make the {name} {word}",
                f"turn the {name} into {word}",
                f"change the {name} to {word}",
            ),
        )
        new_object = replace(obj, material=material)
    return _replace_object(scene, index, new_object, text)


def distinguishing_name(scene: Scene, index: int, rng: np.random.Generator) -> str:
    """A name that distinguishes an object from the others: a short one, or its full name."""
    obj, others = scene.objects[index], scene.objects[:index] + scene.objects[index + 1 :]
    short = [str(obj.shape)] * all(other.shape != obj.shape for other in others)
    middle = [f"{obj.colour} {obj.shape}"] * all(
        (other.colour, other.shape) != (obj.colour, obj.shape) for other in others
    )
    return pick(rng, (*short, *middle, describe_object(obj, rng)))


def _replace_object(scene: Scene, index: int, new_object: SceneObject, text: str) -> Edit:
    objects = [new_object if i == index else obj for i, obj in enumerate(scene.objects)]
    return Edit(text, replace(scene, objects=tuple(objects)), tuple(range(len(objects))))
