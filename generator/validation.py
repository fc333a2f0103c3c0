"""Validation errors of pydantic as one sentence for the user: the generator's only translator.

The arena has a translator of its own, `arena.validation`: only `arena.production` may import the
generator.
"""

from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

# In place of pydantic's messages that speak of Python types or regular expressions.
REASONS = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a table of keys and values",
    "string_type": "should be a string",
    "string_too_short": "should not be empty",
    "string_pattern_mismatch": "does not have the required form",
    "too_short": "should have at least one entry",
    "date_from_datetime_parsing": "should be a date such as 2026-11-23",
    "date_type": "should be a date such as 2026-11-23",
}


class FieldError(NamedTuple):
    """What is wrong with one field; `type` is pydantic's name of the error."""

    path: tuple[str, ...]  # from the outermost key to the field
    type: str
    reason: str  # part of a sentence
    value: Any

    @property
    def key(self) -> str:
        """The path with dots, as TOML writes it; empty for the whole document."""
        return ".".join(self.path)


def first_error(error: ValidationError) -> FieldError:
    """The first error; an unknown key comes before others, which are often due to its spelling."""
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    reason = first["msg"].removeprefix("Value error, ")
    return FieldError(
        path=tuple(str(part) for part in first["loc"]),
        type=first["type"],
        reason=reason[:1].lower() + reason[1:],
        value=first["input"],
    )


def describe_validation_error(
    error: ValidationError, model: type[BaseModel], *, prefix: str = ""
) -> str:
    """The first error as part of a sentence: the key, what is wrong, what to do.

    Args:
        error: raised by `model`.
        model: its field names are suggested for a misspelled key.
        prefix: put before the key, such as "backend.".
    """
    first = first_error(error)
    key = prefix + first.key or "the file"
    if first.type == "missing":
        return f"{key} is missing; add it"
    if first.type == "extra_forbidden":
        similar = get_close_matches(first.path[-1], model.model_fields, n=1)
        advice = f"correct it to {similar[0]}" if similar else "remove it or correct its spelling"
        return f"{key} is not a known key; {advice}"
    if first.type in REASONS:
        return f"{key} is wrong (it is {first.value!r} and {REASONS[first.type]}); correct it"
    return f"{key} is wrong ({first.reason}); correct it"
