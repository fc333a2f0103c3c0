"""Whether every row of a CSV file has as many cells as its header.

pandas fills short rows with empty cells and cuts long ones, and a shifted cell is a wrong vote. Its
parser does not tell, and Python's takes ten times as long; so the bytes that pandas is given are
counted on the way: commas and ends of lines outside quotes. Only a file in which these numbers
are not alike is read again, row by row, and that decides: a quote within a cell, as in 5" or 7",
misleads the counting and is no mistake.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratings.errors import VotesError

_COMMA, _END, _QUOTE = b',\n"'
_MEND_LONG = "put a cell that holds a comma in double quotes"
# Bytes of a line without an end: an open quote, which pandas refuses itself.
_MOST_PENDING = 1 << 25


class RowLengths:
    """Counts the commas of lines while their bytes pass by."""

    def __init__(self) -> None:
        self._commas: int | None = None  # of the header
        self._pending = b""
        self.uneven = False

    def feed(self, part: bytes | memoryview) -> None:
        """Count what comes next."""
        if self.uneven:
            return
        text = b"".join((self._pending, part))
        data = np.frombuffer(text, dtype=np.uint8)
        where = np.flatnonzero((data == _COMMA) | (data == _END) | (data == _QUOTE))
        mark = data[where]
        quote = mark == _QUOTE
        if quote.any():
            outside = ~quote & (np.cumsum(quote) % 2 == 0)
            where, mark = where[outside], mark[outside]
        ends = np.flatnonzero(mark == _END)
        if len(ends):
            self._compare(text, np.diff(ends, prepend=-1) - 1, where[ends])
        self._pending = text[int(where[ends[-1]]) + 1 :] if len(ends) else text
        self.uneven |= len(self._pending) > _MOST_PENDING

    def finish(self) -> None:
        """Count the last line, which may have no end."""
        if self._pending.strip():
            self.feed(b"\n")

    def _compare(self, text: bytes, commas: NDArray[Any], ends: NDArray[Any]) -> None:
        """Hold whole lines, by their commas and where they end in the text, against the header."""
        first = 0
        while self._commas is None and first < len(commas):
            start = int(ends[first - 1]) + 1 if first else 0
            if text[start : int(ends[first])].strip():
                self._commas = int(commas[first])
            first += 1
        for line in np.flatnonzero(commas[first:] != self._commas) + first:
            start = int(ends[line - 1]) + 1 if line else 0
            if commas[line] or text[start : int(ends[line])].strip():  # an empty line is no row
                self.uneven = True
                return


def check_row_lengths(path: Path) -> None:
    """Name the first row with fewer or more cells than the header, if there is one.

    Raises:
        VotesError: with the row.
    """
    header, row = 0, 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for cells in csv.reader(file):
                if not any(cell.strip() for cell in cells) and len(cells) < 2:
                    continue
                if not header:
                    header = len(cells)
                    continue
                row += 1
                if len(cells) != header:
                    mend = "leave none out" if len(cells) < header else _MEND_LONG
                    raise VotesError(
                        f"{len(cells)} cells, the header has {header}: {mend}", row=row
                    )
        except csv.Error:
            return  # a cell too long for Python's parser, which pandas has read


def find_other_encoding(path: Path) -> str:
    """Which line is no UTF-8, and what to do about it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"line {number} is no UTF-8 text; save the file with the encoding UTF-8"
    return "it is no UTF-8 text; save the file with the encoding UTF-8"
