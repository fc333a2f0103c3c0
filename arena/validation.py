"""Turns pydantic's validation errors into the one sentence that a user sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True)
class Problem:
    """The first thing that is wrong with some input.

    Attributes:
        location: the field, with dots between its parts; empty for the input as a whole.
        message: what is wrong with it, without a full stop.
        type: pydantic's type of error, such as `missing`.
        input: the value that was refused.
    """

    location: str
    message: str
    type: str
    input: Any


def first_problem(
    error: ValidationError | Sequence[Any], *, ignore: frozenset[str] = frozenset()
) -> Problem:
    """Return the problem to report: unknown keys first, since a misspelt one is also missing.

    Args:
        error: pydantic's error, or its list of details.
        ignore: parts of a location that mean nothing to the user, such as `body`.
    """
    details = error.errors() if isinstance(error, ValidationError) else error
    first = min(details, key=lambda detail: bool(detail["type"] != "extra_forbidden"))
    return Problem(
        location=".".join(str(part) for part in first["loc"] if part not in ignore),
        message=str(first["msg"]).removeprefix("Value error, "),
        type=str(first["type"]),
        input=first.get("input"),
    )


def describe_key_error(error: ValidationError) -> str:
    """Describe what is wrong with a file's keys, as part of a sentence that names the file."""
    problem = first_problem(error)
    key = problem.location or "the file"
    if problem.type == "missing":
        return f"the key '{key}' is missing"
    if problem.type == "extra_forbidden":
        return f"the key '{key}' is unknown"
    if problem.type == "string_pattern_mismatch":
        return (
            f"{key} = {problem.input!r}: use lower-case letters and digits, joined by single "
            "hyphens"
        )
    return f"{key} = {problem.input!r}: {problem.message}"
