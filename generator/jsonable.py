"""What models and servers say, as JSON and every database can hold it."""

import math
from collections.abc import Mapping
from typing import Any

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def storable_text(text: str) -> str:
    """The text without what UTF-8 cannot write (lone surrogates), nor a database keep (NUL)."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", UNKNOWN)


def to_jsonable(values: Any) -> Any:
    """The same in what JSON can hold: what it cannot hold is written as text."""
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
