"""An arena as it is opened by every command: its settings, its database, its media."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from arena import database
from arena.catalog import catalog
from arena.catalog.schemas import read_prompts, read_track
from arena.database import Database
from arena.errors import CatalogError
from arena.media import MediaStore, open_store
from arena.settings import Settings, make_home
from arena.shipped import Collection, prompt_file, track_files


@dataclass(frozen=True)
class Arena:
    settings: Settings
    database: Database
    store: MediaStore


def utc_now() -> datetime:
    """The clock that commands pass to the rooms, which take their time as an argument."""
    return datetime.now(UTC)


def open_arena(settings: Settings) -> Arena:
    """An arena that `arena init` has made.

    Raises:
        ConfigurationError, DatabaseError: where it is not there, outdated, too new or unreadable.
    """
    settings.signing_key()
    opened = Database(settings.database)
    database.check(opened)
    return Arena(settings=settings, database=opened, store=open_store(settings.media))


def make_arena(settings: Settings, collection: Collection) -> Arena:
    """Make the home, the key, the database at head, shipped tracks and prompts; keep what is there.

    Raises:
        CatalogError: the demo is asked for where the tracks have other terms.
    """
    make_home(settings)
    opened = Database(settings.database)
    database.upgrade(opened)
    arena = Arena(settings=settings, database=opened, store=open_store(settings.media))
    with opened.writing() as session:
        _enter_shipped(session, collection)
    return arena


def _enter_shipped(session: Session, collection: Collection) -> None:
    """Enter the shipped tracks and prompts in an arena that has no tracks of its own."""
    if collection is Collection.STANDARD and catalog.list_tracks(session):
        return
    now = utc_now()
    try:
        for path in track_files(collection):
            catalog.add_track(session, read_track(path), now=now)
    except CatalogError as error:
        raise CatalogError(
            f"{error} The demo needs an arena of its own: set ARENA_HOME to a new folder."
        ) from error
    catalog.import_prompts(session, read_prompts(prompt_file(collection)), now=now)
