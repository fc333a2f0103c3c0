"""Exceptions: invalid votes, or invalid options.

RatingsError
├── VotesError    the table of votes: a row, a column or the file
└── OptionError   an argument that is invalid, or does not fit these votes
"""


class RatingsError(ValueError):
    """An error that the caller can fix; its message is one sentence."""


class VotesError(RatingsError):
    """The table of votes is invalid.

    Attributes:
        reason: the message without the row.
        row: the invalid row, counted from 1 without the header, or None.
    """

    def __init__(self, reason: str, *, row: int | None = None) -> None:
        self.reason = reason
        self.row = row
        super().__init__(reason if row is None else f"row {row}: {reason}")


class OptionError(RatingsError):
    """An option is unknown, out of range, or does not fit these votes."""
