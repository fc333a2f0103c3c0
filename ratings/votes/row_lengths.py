"""Check that every row of a CSV file has as many cells as its header.

pandas silently pads short rows and truncates long ones, and a shifted cell is a wrong vote. The csv
module would find them but takes as long as half of the rest. So while pandas reads the file, the
commas outside quotes are counted line by line. Only a file whose lines have different counts is
read again with the csv module, which decides: a quote within a cell, as in 5" or 7", misleads the
count but is valid.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError
from ratings.printable import pluralize

_END, _QUOTE = b'\n"'
_FIX_LONG = "put cells that contain commas in double quotes"
# Bytes of a line without an end, due to an unclosed quote, which pandas refuses.
_MAX_PENDING = 1 << 25


class RowLengths:
    """Counts the commas of every line of a stream of bytes."""

    def __init__(self, delimiter: str = ",") -> None:
        self._delimiter = ord(delimiter)
        self._commas: int | None = None  # of the header
        self._pending = b""
        self.uneven = False

    def feed(self, part: bytes | memoryview) -> None:
        """Count the next bytes."""
        if self.uneven:
            return
        text = b"".join((self._pending, part))
        if b"\r" in text:  # Excel for Mac ends rows with it alone; an empty line more is harmless
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        data = np.frombuffer(text, dtype=np.uint8)
        position = np.flatnonzero((data == self._delimiter) | (data == _END) | (data == _QUOTE))
        mark = data[position]
        quote = mark == _QUOTE
        if quote.any():
            outside = ~quote & (np.cumsum(quote) % 2 == 0)
            position, mark = position[outside], mark[outside]
        ends = np.flatnonzero(mark == _END)
        if len(ends):
            self._compare(text, np.diff(ends, prepend=-1) - 1, position[ends])
        self._pending = text[int(position[ends[-1]]) + 1 :] if len(ends) else text
        self.uneven |= len(self._pending) > _MAX_PENDING

    def finish(self) -> None:
        """Count the last line, which may lack a newline."""
        if self._pending.strip():
            self.feed(b"\n")

    def _compare(self, text: bytes, commas: NDArray[Any], ends: NDArray[Any]) -> None:
        """Compare complete lines with the header, by number of commas."""
        first = 0
        while self._commas is None and first < len(commas):
            start = int(ends[first - 1]) + 1 if first else 0
            if text[start : int(ends[first])].strip():
                self._commas = int(commas[first])
            first += 1
        for line in np.flatnonzero(commas[first:] != self._commas) + first:
            start = int(ends[line - 1]) + 1 if line else 0
            if commas[line] or text[start : int(ends[line])].strip():  # an empty line is not a row
                self.uneven = True
                return


def check_row_lengths(path: Path, delimiter: str = ",") -> None:
    """Find the first row with fewer or more cells than the header.

    Raises:
        VotesError: there is one; names the row.
    """
    header, row = 0, 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for cells in csv.reader(file, delimiter=delimiter):
                if not any(cell.strip() for cell in cells) and len(cells) < 2:
                    continue
                if not header:
                    header = len(cells)
                    continue
                row += 1
                if len(cells) != header:
                    fix = "leave no cell out" if len(cells) < header else _FIX_LONG
                    raise VotesError(
                        f"{pluralize(len(cells), 'cell')}, the header has {header}: {fix}", row=row
                    )
        except csv.Error:
            return  # a cell too long for the csv module, which pandas accepts


def find_other_encoding(path: Path) -> str:
    """The message for a file that is not UTF-8; names the line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"line {number} is not UTF-8 text; save the file with the encoding UTF-8"
    return "it is not UTF-8 text; save the file with the encoding UTF-8"
