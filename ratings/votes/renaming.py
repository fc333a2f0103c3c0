"""Read tables whose columns and words have other names than those of the known layouts."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from ratings.errors import OptionError
from ratings.votes.columns import LAYOUTS, READ_TOO, USED

# Columns and words that others can be named after.
_MAIN = LAYOUTS[0]
_COLUMNS = (*_MAIN.columns, "id", *READ_TOO, *USED)


@dataclass(frozen=True)
class Renames:
    """Columns and words of a table, by the names that they have here.

    Attributes:
        columns: for each column of the main layout, the name in the table.
        words: for each word of the winner's column in the table, one of the main layout.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in _COLUMNS:
                raise OptionError(f"no column is named {name!r}; use one of {', '.join(_COLUMNS)}")
        for word in self.words.values():
            if word not in _MAIN.words:
                raise OptionError(f"no answer is {word!r}; use one of {', '.join(_MAIN.words)}")

    def target(self, name: str) -> str:
        """The name here of a column of the table."""
        return next((own for own, other in self.columns.items() if other == name), name)

    def header(self, names: Iterable[str]) -> list[str]:
        """The names here of the table's columns; a column that another replaces is left out."""
        replaced = set(self.columns) - set(self.columns.values())
        return [self.target(str(name)) for name in names if name not in replaced]

    def sources(self, wanted: Collection[str]) -> set[str]:
        """The names in the table of columns wanted here."""
        return {self.columns.get(name, name) for name in wanted}

    def apply(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rename the columns and words of a table that was read."""
        if self.columns:
            frame = frame.rename(columns=self.target)
        if not self.words or not len(frame.columns):
            return frame
        winner = next((name for name in _winners() if name in frame), None)
        if winner is None:
            return frame
        column = frame[winner]
        renamed = column.astype("object").map(lambda word: self.words.get(str(word), word))
        return frame.assign(**{winner: renamed.astype("category")})


def _winners() -> list[str]:
    return list(dict.fromkeys(layout.winner for layout in LAYOUTS))


NO_RENAMES = Renames()
