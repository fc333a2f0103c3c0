"""Text for people: plurals, and text from files and servers made safe for a terminal.

Control characters are shown, never sent. An escape sequence in a prompt or an error could
otherwise rewrite what a terminal shows, and a bidirectional control could make a line read
differently from what it says.
"""

# The same as in `ratings.printable`: neither package imports the other.
JOINERS = "\u200c\u200d"  # letters of some scripts and parts of emoji; harmless


def pluralize(number: int, noun: str) -> str:
    """Return a count with its noun: "1 clip", "1,200 clips"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    r"""Return the text with each control character as an escape like `\x1b`; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character == "\n" or character in JOINERS
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )
