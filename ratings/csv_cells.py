"""Cells of CSV files that a spreadsheet would run as a formula, and the names they stand for.

A text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe in front.
So does one that has apostrophes before such a character, so that every text is read back as it was.
"""

import re
from collections.abc import Sequence
from typing import Any

FORMULA = re.compile(r"'*[=+\-@\t\r]")
ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def escape_cell(text: str) -> str:
    """Return a text as a CSV file for spreadsheets has it."""
    return f"'{text}" if FORMULA.match(text) else text


def unescape_cell(text: str) -> str:
    """Return the text that `escape_cell` was given."""
    return text[1:] if ESCAPED.match(text) else text


def unescape_cells(texts: Sequence[Any]) -> Sequence[Any]:
    """Return the different texts of a column as `escape_cell` was given them.

    A column with a text that would have been escaped comes from another program: it stays as it is.
    """
    escaped = any(isinstance(text, str) and ESCAPED.match(text) for text in texts)
    if not escaped or any(isinstance(text, str) and text[:1] in "=+-@\t\r" for text in texts):
        return texts
    return [unescape_cell(text) if isinstance(text, str) else text for text in texts]
