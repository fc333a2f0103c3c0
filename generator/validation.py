"""What pydantic found wrong with a file, as an operator would say it."""

from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

# Where its own words are of Python, or of regular expressions.
WORDS = {
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "dict_type": "should be a table of keys and values",
    "string_type": "should be a text",
    "string_too_short": "should not be empty",
    "string_pattern_mismatch": "is not of the form that it has to have",
    "too_short": "should have at least one entry",
    "date_from_datetime_parsing": "should be a date such as 2026-11-23",
    "date_type": "should be a date such as 2026-11-23",
}


def describe_validation_error(
    error: ValidationError, model: type[BaseModel], *, prefix: str = ""
) -> str:
    """The first thing that is wrong, as part of a sentence.

    A key that is misspelt comes before the one that is missing for it.
    """
    found = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = prefix + ".".join(str(part) for part in found["loc"]) or "the file"
    match found["type"]:
        case "missing":
            return f"{key} is missing; add it"
        case "extra_forbidden":
            close = get_close_matches(str(found["loc"][-1]), model.model_fields, n=1)
            meant = f"correct it to {close[0]}" if close else "remove it or correct its spelling"
            return f"{key} is not a key it may have; {meant}"
    return f"{key} is wrong ({_told(found)}); correct it"


def _told(found: ErrorDetails) -> str:
    if found["type"] in WORDS:
        return f"it is {found['input']!r} and {WORDS[found['type']]}"
    reason = found["msg"].removeprefix("Value error, ")
    return f"{reason[:1].lower()}{reason[1:]}"
