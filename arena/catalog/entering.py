"""Enters a model into the catalog: its row, and the commitment and the opening of a codename."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from arena.catalog.entrants import AddedEntrant, add_entrant, commit_to
from arena.catalog.openings import Opening, new_opening, opening_path, read_opening, write_opening
from arena.catalog.schemas import EntrantEntry
from arena.catalog.variants import same_fingerprint
from arena.database import Database
from arena.models import Entrant, Track

WHAT = {"weights_sha256": "weights", "endpoint_sha256": "service", "clips_sha256": "clips"}


@dataclass(frozen=True)
class Entered:
    """What entering a model changed.

    Attributes:
        added: of the catalog.
        opening: the file that was written for a codename; None: none was needed.
        warnings: sentences for the operator; they use public names.
    """

    added: AddedEntrant
    opening: Path | None
    warnings: tuple[str, ...]


def enter(
    database: Database,
    home: Path,
    entry: EntrantEntry,
    *,
    fingerprint: str,
    check: Callable[[list[Track]], object] = lambda _tracks: None,
    now: datetime,
) -> Entered:
    """Add an entrant; a codename gets its opening before its commitment is stored.

    The file is on the disk before the database commits, so that no commitment is public whose
    opening was lost; a file without an entrant, of a command that was killed, is used again.

    Args:
        database: of the arena.
        home: ARENA_HOME.
        entry: what its file says.
        fingerprint: what it runs, as `Entrant.fingerprint` holds it.
        check: called with the tracks in which it competes; raises if it cannot.
        now: aware.

    Raises:
        CatalogError: see `add_entrant`; or the opening cannot be written.
    """

    def store(session: Session) -> Entered:
        added = add_entrant(session, entry, fingerprint=fingerprint, now=now)
        entrant = added.entrant
        check([track for track in entrant.tracks if track.name in entry.tracks])
        warnings = tuple(_describe_copies(session, entrant))
        path = None
        if entrant.codename and entrant.stealth and entrant.commitment is None:
            path = opening_path(home, entrant.codename)
            commit_to(session, entrant, _opening(path, entrant))
        return Entered(added, path, warnings)

    return database.write(store)


def _opening(path: Path, entrant: Entrant) -> Opening:
    """The opening of an entrant that has none, written to its file unless it is there."""
    fingerprint = str(entrant.fingerprint)
    if path.exists():
        found = read_opening(path)
        stored = (found.name, found.creator, found.fingerprint)
        if stored == (entrant.name, entrant.creator, fingerprint):
            return found
    opening = new_opening(name=entrant.name, creator=entrant.creator, fingerprint=fingerprint)
    write_opening(path, opening)
    return opening


def _describe_copies(session: Session, entrant: Entrant) -> list[str]:
    """Sentences about other entrants that run the same, by their public names."""
    if entrant.fingerprint is None:
        return []
    what = WHAT[entrant.fingerprint.partition(":")[0]]
    return [
        f"{entrant.shown_name} has the same {what} as {other.shown_name}, by their SHA-256."
        for other in same_fingerprint(session, entrant.fingerprint, besides=entrant.id)
    ]
