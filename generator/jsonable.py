"""Conversion of what models and servers report to values that JSON and databases can store."""

import math
import re
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Escape sequences of terminals, such as those for colours, for moving the cursor or for a title.
_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Marks that reorder the text around them on a screen.
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def storable_text(text: str) -> str:
    """Replace what UTF-8 cannot encode (lone surrogates) and control characters.

    Databases cannot store NUL, and a terminal obeys the others. Tabs and line ends are kept.
    """
    return _CONTROL.sub(REPLACEMENT, text.encode("utf-8", "replace").decode("utf-8"))


def one_line(text: str) -> str:
    """A text of a server or model as a part of a sentence: one line, safe to print.

    Terminal escape sequences, control characters and direction marks are removed.
    """
    text = _ESCAPE_SEQUENCE.sub("", text.encode("utf-8", "replace").decode("utf-8"))
    return _DIRECTION.sub("", _CONTROL.sub("", " ".join(text.split())))


def to_jsonable(values: Any) -> Any:
    """Convert to JSON types; other values, NaN and infinity become strings."""
    if isinstance(values, str):
        return storable_text(values)
    if values is None or isinstance(values, bool | int):
        return values
    if isinstance(values, float):
        return values if math.isfinite(values) else str(values)
    if isinstance(values, Mapping):
        return {storable_text(str(key)): to_jsonable(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [to_jsonable(value) for value in values]
    return storable_text(str(values))
