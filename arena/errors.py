"""The errors that a user of the arena can meet, one cause each.

    ArenaError
    ├── ConfigurationError      a setting is missing, wrong or unsafe
    ├── DatabaseError
    │   ├── DatabaseOutdated    older than this code: `arena db upgrade`
    │   ├── DatabaseTooNew      written by a newer version of the code
    │   └── StoreUnavailable    cannot be read or written now
    ├── CatalogError            a track, entrant or prompt that cannot be entered as given
    │   └── NotFound            no track, entrant, prompt, battle, receipt or release of that name
    ├── ProductionError         clips that could not be made or taken in
    ├── ReleaseError            a release that cannot be written, or does not verify
    └── BallotError             a battle or vote that the rules refuse
        ├── NoPair  ├── AlreadyVoted  ├── BattleExpired
        └── TooEarly  ├── TooMany  └── MalformedVote

Every error carries its exit status for the command line, and its HTTP status and problem type
(RFC 9457) for the API; it is shown once, by whoever stands outermost.
"""


class ArenaError(Exception):
    """A cause that the user can do something about; `str(error)` is the sentence to show."""

    exit_status = 1
    http_status = 500
    type = "internal"
    title = "The arena could not do this"


class ConfigurationError(ArenaError):
    type = "configuration"


class DatabaseError(ArenaError):
    http_status = 503
    type = "store-unavailable"
    title = "The store is unavailable"


class DatabaseOutdated(DatabaseError): ...


class DatabaseTooNew(DatabaseError): ...


class StoreUnavailable(DatabaseError): ...


class CatalogError(ArenaError):
    http_status = 422
    type = "catalog"
    title = "This cannot be entered as given"


class NotFound(CatalogError):
    http_status = 404
    type = "not-found"
    title = "There is nothing of that name"


class ProductionError(ArenaError):
    type = "production"


class ReleaseError(ArenaError):
    type = "release"


class BallotError(ArenaError):
    http_status = 409
    type = "ballot"


class NoPair(BallotError):
    type = "no-pair"
    title = "No pair is left"


class AlreadyVoted(BallotError):
    type = "already-voted"
    title = "This battle has its vote"


class BattleExpired(BallotError):
    http_status = 410
    type = "expired"
    title = "This battle has expired"


class TooEarly(BallotError):
    http_status = 425
    type = "too-early"
    title = "The clips have not been watched yet"


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
    title = "This is no vote"
