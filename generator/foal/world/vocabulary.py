"""The words of captions: those that the model was trained on, and what each of them means."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from generator.foal.world.scenes import (
    COLOURS,
    Camera,
    Ground,
    Material,
    Motion,
    Shape,
    Size,
    Time,
)

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


def _words(*groups: Mapping[Any, tuple[str, ...]]) -> dict[str, StrEnum]:
    return {word: key for group in groups for key, words in group.items() for word in words}


MEANING: dict[str, StrEnum] = {
    **_words(VERBS, SIZE_WORDS, MATERIAL_WORDS),
    "wood": Material.WOOD,
    **{str(shape): shape for shape in Shape},
    **{plural: shape for shape, plural in PLURALS.items()},
    **{str(ground): ground for ground in Ground},
    **{"day": Time.DAY, "daylight": Time.DAY, "sunny": Time.DAY},
    **{"night": Time.NIGHT, "dark": Time.NIGHT, "moonlight": Time.NIGHT},
}
PAN_DIRECTIONS = {"left": Camera.LEFT, "right": Camera.RIGHT}
ZOOM_DIRECTIONS = {"in": Camera.IN, "out": Camera.OUT}
ZOOMING = ("zooms", "zoom", "zooming")
PANNING = ("camera", "pans", "pan", "panning")
VOCABULARY: tuple[str, ...] = tuple(
    sorted(
        {
            *COLOURS,
            *COUNTS,
            *MEANING,
            *PAN_DIRECTIONS,
            *ZOOMING,
            *PANNING,
            *_OTHER_WORDS.split(),
            *EDITING,
            *_EDIT_WORDS.split(),
        }
    )
)


def split_words(text: str) -> list[str]:
    """Split a text into lower-case words; digits and other alphabets count as words."""
    return re.findall(r"\w+", text.lower())
