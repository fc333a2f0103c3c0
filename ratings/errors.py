"""What can be wrong with votes or with what was asked of them.

RatingsError
├── VotesError    the table of votes: a row, a column or the file
└── OptionError   an argument that means nothing, or nothing for these votes
"""


class RatingsError(ValueError):
    """A mistake that the caller can mend; its message is one sentence."""


class VotesError(RatingsError):
    """The table of votes cannot be read as it is.

    Attributes:
        row: the offending row, counted from 1 without the header, or None.
    """

    def __init__(self, reason: str, *, row: int | None = None) -> None:
        self.reason = reason
        self.row = row
        super().__init__(reason if row is None else f"row {row}: {reason}")


class OptionError(RatingsError):
    """An option is unknown, out of range, or does not fit these votes."""
