"""Whether the values of `[backend.call]` can be what a pipeline's call takes."""

import typing
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from generator.errors import SpecError
from generator.spec import Entrant

SIDES = ("height", "width")
# What pipelines call one thing, the usual name first.
FRAME_COUNT = ("num_frames", "video_length")
FRAME_RATE = ("frame_rate", "fps")
COUNTS = (*FRAME_COUNT, "num_inference_steps")
MOST_PIXELS_A_SIDE = 8192  # beyond what any of these models was trained on, and a rendition holds
MOST = 100_000  # frames or steps


def check_values(entrant: Entrant, call: Callable[..., Any]) -> None:
    """Refuse values of another type than the call's signature has, and sizes that nothing has.

    Raises:
        SpecError: naming the argument.
    """
    try:
        types = typing.get_type_hints(call)
    except Exception:  # whatever a name in a model's own code means, or not
        types = {}
    for key, value in entrant.backend.call.items():
        where = f"{entrant.name}: backend.call.{key} is {value!r}"
        if key in types and not _fits(value, types[key]):
            raise SpecError(f"{where}; the pipeline takes {_in_words(types[key])}.")
        if key in (*SIDES, *COUNTS):
            most = MOST_PIXELS_A_SIDE if key in SIDES else MOST
            if type(value) is not int or not 1 <= value <= most:
                raise SpecError(f"{where}; give a whole number from 1 to {most}.")
        if key in FRAME_RATE and (type(value) not in (int, float) or not 0 < value <= MOST):
            raise SpecError(f"{where}; give frames a second.")


def _fits(value: Any, kind: Any) -> bool:
    """Of single values only; "3" is not 3, and true is not 1."""
    if isinstance(value, list | dict):
        return True
    try:
        adapter = TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return True  # of a type that says nothing of values
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    except Exception:  # a type of a model's own code may do anything
        return True
    return True


def _in_words(kind: Any) -> str:
    told = getattr(kind, "__name__", None) if isinstance(kind, type) else None
    return told or str(kind).replace("typing.", "")
