"""The errors that a user of the arena can encounter, one class per cause.

    ArenaError
    ├── ConfigurationError      a setting is missing, wrong or unsafe
    ├── DatabaseError
    │   ├── DatabaseOutdated    written by an older version: `arena db upgrade`
    │   ├── DatabaseTooNew      written by a newer version
    │   └── StoreUnavailable    cannot be read or written now
    ├── CatalogError            a track, entrant or prompt that cannot be added
    │   └── NotFound            no track, entrant, prompt, battle, receipt or release of that name
    ├── ProductionError         clips that cannot be generated or imported
    ├── ReleaseError            a release that cannot be written or does not verify
    ├── AuditError              a check of what the arena promises that found a fault
    └── BallotError             a battle or vote that the rules refuse
        ├── NoPair
        ├── SmallCategory
        ├── AlreadyVoted
        ├── NotWithdrawable
        ├── BattleExpired
        ├── TooEarly
        ├── TooMany
        └── MalformedVote

Every error has an exit status for the command line, and an HTTP status and problem type (RFC 9457)
for the API. It is reported once, by the outermost handler.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any


class ArenaError(Exception):
    """An error that the user can act on; `str(error)` is the sentence to show."""

    exit_status = 1
    http_status = 500
    type = "internal"
    title = "Internal error"
    # What a program may want to know beside the sentence: further members of the problem document.
    details: Mapping[str, Any] = MappingProxyType({})


class ConfigurationError(ArenaError):
    type = "configuration"


class DatabaseError(ArenaError):
    http_status = 503
    type = "store-unavailable"
    title = "The arena is temporarily unavailable"


class DatabaseOutdated(DatabaseError): ...


class DatabaseTooNew(DatabaseError): ...


class StoreUnavailable(DatabaseError):
    """A database or media store that cannot be used now.

    Attributes:
        sentence: what to show to anybody.
        cause: what the driver reported, for operators: it may contain addresses; "" if the
            sentence says it all.
    """

    def __init__(self, sentence: str, *, cause: str = "") -> None:
        super().__init__(f"{sentence} ({cause})" if cause else sentence)
        self.sentence, self.cause = sentence, cause


class CatalogError(ArenaError):
    http_status = 422
    type = "catalog"
    title = "Invalid catalog entry"


class NotFound(CatalogError):
    http_status = 404
    type = "not-found"
    title = "Not found"


class ProductionError(ArenaError):
    type = "production"


class ReleaseError(ArenaError):
    type = "release"


class AuditError(ArenaError):
    type = "audit"


class BallotError(ArenaError):
    http_status = 409
    type = "ballot"


class NoPair(BallotError):
    """No pair is left; `details` say what the voter contributed to each track."""

    type = "no-pair"
    title = "No pair left"

    def __init__(self, message: str, *, contributed: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.details = {"contributed": list(contributed)}


class SmallCategory(BallotError):
    type = "small-category"
    title = "Too few prompts"


class AlreadyVoted(BallotError):
    type = "already-voted"
    title = "Already voted"


class NotWithdrawable(BallotError):
    type = "not-withdrawable"
    title = "Cannot be withdrawn"


class BattleExpired(BallotError):
    http_status = 410
    type = "expired"
    title = "Battle expired"


class TooEarly(BallotError):
    http_status = 425
    type = "too-early"
    title = "Too early"


class TooMany(BallotError):
    http_status = 429
    type = "too-many"
    title = "Too many votes or skips"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MalformedVote(BallotError):
    http_status = 422
    type = "malformed"
    title = "Malformed vote"
