"""Reads answers: values by their places, and what an error means."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

from generator.backends.api.schema_parts import Errors
from generator.jsonable import one_line

MAX_MESSAGE = 300  # characters of a service's message
MAX_STATUS = 80
MISSING = "missing"  # the word for a status that is left out
_STEP = re.compile(r"([A-Za-z0-9_-]+)(?:\[([A-Za-z0-9_-]+)=([A-Za-z0-9_-]+)\])?")

# What an HTTP status means for whoever has to do something about it.
ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "check the key, and that it is of this region",
    HTTPStatus.PAYMENT_REQUIRED: "the account has no money left: top it up",
    HTTPStatus.FORBIDDEN: "check the key, its region, and whether the model is enabled for it",
    HTTPStatus.NOT_FOUND: "check backend.model and the provider file",
    HTTPStatus.TOO_MANY_REQUESTS: "too many orders, or a quota is used up",
}


class Meaning(Enum):
    """What an answer means for an order."""

    LATER = "later"  # not now: nothing was accepted, ask again
    REFUSED = "refused"  # by the service's rules of content
    FAILED = "failed"
    UNCLEAR = "unclear"  # an error of the server, which may have accepted the request


@dataclass(frozen=True)
class Answer:
    """A response: `data` is its JSON, or None if it is not JSON; `file` may come instead.

    The names of `headers` are in lower case.
    """

    status: int
    data: Any
    text: str
    retry_after_s: float | None = None
    file: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def parse_json(data: bytes) -> Any:
    """The JSON value of a body; None if it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def at(data: Any, place: str | None) -> Any:
    """The value at a place such as `data.0.outputs[type=video].url`; None if it is not there.

    A number is an element of a list, and is skipped where there is no list;
    `name[key=value]` is the first object of the list `name` whose key has the value.
    """
    if place is None:
        return None
    for part in place.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            return None
        name, key, wanted = match.groups()
        if name.isdigit() and isinstance(data, list):
            data = data[int(name)] if int(name) < len(data) else None
        elif name.isdigit() and not (isinstance(data, dict) and name in data):
            pass
        else:
            data = data.get(name) if isinstance(data, dict) else None
        if key is not None:
            elements = data if isinstance(data, list) else []
            data = next(
                (each for each in elements if isinstance(each, dict) and each.get(key) == wanted),
                None,
            )
        if data is None:
            return None
    return data


def word_at(data: Any, place: str) -> str:
    """A status as text: `true` for a truth value, `MISSING` if there is none."""
    value = at(data, place)
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    return one_line(str(value))[:MAX_STATUS] if isinstance(value, str | int | float) else "?"


def text_at(data: Any, places: Iterable[str]) -> str | None:
    """The first text or number at one of the places; from a list of texts, all of them."""
    for place in places:
        value = at(data, place)
        if isinstance(value, list):
            value = "; ".join(str(each) for each in value[:5] if isinstance(each, str | int))
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return one_line(str(value))
    return None


def number_at(data: Any, place: str | None) -> float | None:
    """A finite number that is not negative, also one written as text."""
    value = at(data, place)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < float("inf") else None


def meaning_of(answer: Answer, errors: Errors) -> Meaning:
    """What an answer without success means: by its code, else by its HTTP status."""
    code = text_at(answer.data, errors.code_at)
    if code is not None and (found := _by_code(code, errors)) is not None:
        return found
    message = (text_at(answer.data, errors.message_at) or "").lower()
    if any(phrase.lower() in message for phrase in errors.phrases):
        return Meaning.REFUSED
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Meaning.LATER
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Meaning.UNCLEAR
    return Meaning.FAILED


def reason_of(answer: Answer, errors: Errors) -> str:
    """The service's message and code, as a part of a sentence."""
    code = text_at(answer.data, errors.code_at)
    message = text_at(answer.data, errors.message_at)
    if code is None and message is None:
        is_text = answer.data is None and answer.text
        message = "the answer is not JSON" if is_text else None
    parts = [message or "no reason given", f"({code})" if code else ""]
    if not answer.ok:
        parts.append(f"[HTTP {answer.status}]")
        if advice := ADVICE.get(answer.status):
            parts.append(f"- {advice}")
    line = " ".join(part for part in parts if part)
    return line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}…"


def _by_code(code: str, errors: Errors) -> Meaning | None:
    """By the exact code, else by the longest prefix."""
    best: tuple[int, Meaning] | None = None
    for meaning, patterns in (
        (Meaning.FAILED, errors.failed),
        (Meaning.REFUSED, errors.refused),
        (Meaning.LATER, errors.later),
    ):
        for pattern in patterns:
            prefix = pattern.removesuffix("*")
            if pattern == code:
                fit = 10**6
            elif prefix != pattern and code.startswith(prefix):
                fit = len(prefix)
            else:
                continue
            if best is None or fit > best[0]:
                best = fit, meaning
    return best[1] if best else None
