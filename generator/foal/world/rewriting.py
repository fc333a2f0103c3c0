"""Rewrite a prompt as a caption of the training grammar, so that no other word changes its meaning.

A prompt that is already such a caption is kept. `rewrite_prompt` is the place to start.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from generator.foal.world.prompts import Description, ObjectRequest, is_content, parse_prompt
from generator.foal.world.scenes import COLOURS, Camera, Ground, Material, Motion, Shape
from generator.foal.world.vocabulary import (
    CAMERAS,
    COUNTS,
    MATERIAL_WORDS,
    PLURALS,
    PREPOSITIONS,
    SIZE_WORDS,
    TIMES,
    VERBS,
    VOCABULARY,
    split_words,
)
from generator.foal.world.wording import read_words


@dataclass(frozen=True)
class Rewritten:
    """A prompt as the model reads it, and the words of the original that it does not know."""

    text: str
    unknown: tuple[str, ...]


def rewrite_prompt(text: str) -> Rewritten:
    """Rewrite a text of any wording as a caption or an editing instruction of the training grammar.

    A text without an object of this world keeps its known words.
    """
    plain = " ".join(split_words(text))
    if _CAPTION.fullmatch(plain) or _INSTRUCTION.fullmatch(plain):
        return Rewritten(text, ())
    described = parse_prompt(text)
    unknown = tuple(dict.fromkeys(described.unknown))
    instruction = _instruction(described) if described.edit else None
    if instruction is not None:
        return Rewritten(instruction, unknown)
    if described.objects:
        return Rewritten(_caption(described), unknown)
    kept = [word for word in read_words(text) if is_content(word) and word.known in VOCABULARY]
    lost = tuple(word for word in unknown if word not in [each.text for each in kept])
    return Rewritten(" ".join(str(word.known) for word in kept), lost)


def _caption(described: Description) -> str:
    objects = described.objects
    groups = [(obj, objects.count(obj)) for obj in dict.fromkeys(objects)]
    parts = [" and ".join(_noun_phrase(obj, count) for obj, count in groups)]
    if described.motion is not None:
        third_person, base, _ = VERBS[described.motion]
        parts.append(third_person if len(objects) == 1 else base)
    if described.ground is not None:
        preposition = PREPOSITIONS[described.motion or Motion.BOUNCE][0]
        parts.append(f"{preposition} {described.ground}")
    if described.time is not None:
        parts.append(TIMES[described.time][0])
    if described.camera is not Camera.STILL:
        parts.append(CAMERAS[described.camera][0])
    return " ".join(parts)


def _noun_phrase(obj: ObjectRequest, count: int) -> str:
    name = _adjectives(obj)
    if count == 1:
        name += obj.shape
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    number = next(word for word, value in COUNTS.items() if value == count)
    return f"{number} {name}{PLURALS[obj.shape]}"


def _adjectives(obj: ObjectRequest) -> str:
    words = (SIZE_WORDS.get(obj.size, ("",))[0], obj.colour, _material_word(obj.material))
    return "".join(f"{word} " for word in words if word)


def _material_word(material: Material) -> str:
    return MATERIAL_WORDS.get(material, ("",))[0]


def _instruction(described: Description) -> str | None:
    """The instruction in words of the training; None if it asks for something else."""
    target, result = described.target, described.result
    if described.edit in ("remove", "delete"):
        return None if target is None else f"remove the {_adjectives(target)}{target.shape}"
    if described.time is not None and result not in COLOURS:
        return f"make it {described.time}"
    if target is None or result is None:
        return None
    word = {"metallic": "metal", "wood": "wooden"}.get(result, result)
    return f"make the {_adjectives(target)}{target.shape} {word}"


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


def _caption_pattern() -> re.Pattern[str]:
    """What `captions.describe` writes."""
    sizes = _any(word for words in SIZE_WORDS.values() for word in words)
    materials = _any(word for words in MATERIAL_WORDS.values() for word in words)
    adjectives = rf"(?:{sizes} )?{_any(COLOURS)} (?:{materials} )?"
    shape, shapes = _any(Shape), _any(PLURALS.values())
    third, base, participle = (_any(forms[i] for forms in VERBS.values()) for i in range(3))
    single, number = rf"an? {adjectives}{shape}", _any(COUNTS)
    several = rf"{number} {adjectives}{shapes}"
    some = rf"(?:{single}|{several})"
    subjects = rf"(?:{some}(?: and {some}){{1,2}}|{several}|{adjectives}{shapes})"
    action = _any(
        (
            rf"{single} (?:{third}|(?:is )?{participle})",
            rf"(?:an? )?{participle} {adjectives}{shape}",
            rf"the {adjectives}{shape} {third}",
            rf"{subjects} (?:are {participle}|{base})",
        )
    )
    where = rf"{_any(sorted({p for ps in PREPOSITIONS.values() for p in ps}))} {_any(Ground)}"
    time = _any(text for texts in TIMES.values() for text in texts)
    camera = rf"(?:while )?{_any(text for texts in CAMERAS.values() for text in texts)}"
    return re.compile(rf"(?:{time} )?{action}(?: {where})?(?: {time})?(?: {camera})?")


def _instruction_pattern() -> re.Pattern[str]:
    """What `edits.sample_edit` writes."""
    sizes = _any(word for words in SIZE_WORDS.values() for word in words)
    materials = r"(?:metal|metallic|wooden)"
    name = rf"(?:{sizes} )?(?:{_any(COLOURS)} )?(?:{materials} )?{_any(Shape)}"
    colour, result = _any(COLOURS), r"(?:metal|metallic|wooden|wood)"
    return re.compile(
        rf"(?:make it|turn it to) (?:night|day)|(?:remove|delete) the {name}"
        rf"|(?:make|turn|paint|recolour) the {name} {colour}|change the {name} to {colour}"
        rf"|make the {name} {result}|turn the {name} into {result}|change the {name} to {result}"
    )


_CAPTION, _INSTRUCTION = _caption_pattern(), _instruction_pattern()
