"""Removes keys from what a service answers, which may repeat them in its errors."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MIN_LENGTH = 8  # of a key: a shorter text may be a part of an id
HIDDEN = "…"


class Redactor:
    """Replaces keys in texts, also in percent-encoded ones.

    Args:
        secrets: the keys.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        texts = {form for each in secrets for form in (each, quote(each, safe=""))}
        self._texts = sorted(
            (each for each in texts if len(each) >= MIN_LENGTH), key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """Return a text without keys."""
        for each in self._texts:
            text = text.replace(each, HIDDEN)
        return text

    def tree(self, value: Any) -> Any:
        """Return a value of JSON without keys, however they were escaped in its text.

        A value that is nested too deeply for Python is returned as None.
        """
        try:
            return self._tree(value)
        except RecursionError:
            return None

    def _tree(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self._tree(each) for name, each in value.items()}
            case list():
                return [self._tree(each) for each in value]
        return value
