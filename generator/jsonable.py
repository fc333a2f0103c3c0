"""Conversion of what models and servers report to values that JSON and databases can store."""

import math
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable_text(text: str) -> str:
    """Replace what UTF-8 cannot encode (lone surrogates) and databases cannot store (NUL)."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", REPLACEMENT)


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
