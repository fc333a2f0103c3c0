"""Text for people: plurals, and text from files made safe for a terminal.

Control characters are shown, never sent. An escape sequence in a model's name could
otherwise rewrite what a terminal shows, and a bidirectional control could make a line read
differently from what it says.
"""

import json
from collections.abc import Callable

JOINERS = "\u200c\u200d"  # letters of some scripts and parts of emoji; harmless


def pluralize(number: int, noun: str) -> str:
    """Return a count with its noun: "1 vote", "1,200 votes"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    r"""Return the text with each control character as an escape like `\x1b`; line breaks stay."""
    return _escaped(text, lambda character: character.encode("unicode_escape", "surrogatepass"))


def printable_json(document: str) -> str:
    r"""Return a JSON document with every control character in its strings as `\u001b`."""
    return _escaped(document, lambda character: json.dumps(character)[1:-1].encode())


def _escaped(text: str, escape: Callable[[str], bytes]) -> str:
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character == "\n" or character in JOINERS
        else escape(character).decode("ascii")
        for character in text
    )
