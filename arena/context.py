"""Opens and creates arenas: settings, database and media store together."""

from dataclasses import dataclass
from datetime import UTC, datetime

from arena import database
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import TrackEntry, read_prompts, read_track
from arena.catalog.sources import copied_sources, store_missing_sources
from arena.catalog.tracks import add_track, list_tracks
from arena.database import Database
from arena.errors import CatalogError
from arena.media import MediaStore, open_store
from arena.models import Track
from arena.settings import Settings, make_home
from arena.shipped import Collection, prompt_file, track_files


@dataclass(frozen=True)
class Arena:
    """An opened arena, as commands and the web server use it."""

    settings: Settings
    database: Database
    store: MediaStore


def utc_now() -> datetime:
    """Return the current time: the clock for functions that take the time as an argument."""
    return datetime.now(UTC)


def open_arena(settings: Settings) -> Arena:
    """Open an arena that `arena init` created.

    Raises:
        ConfigurationError: there is no arena, or a setting is wrong.
        DatabaseError: the database is missing, outdated, too new or unreadable.
    """
    settings.check_home()
    settings.signing_key()
    opened = Database(settings.database)
    database.check(opened)
    return Arena(settings=settings, database=opened, store=open_store(settings.media))


def make_arena(settings: Settings, collection: Collection | None) -> Arena:
    """Create folder, key, database and shipped tracks and prompts; keep what already exists.

    Args:
        settings: say where.
        collection: the shipped tracks and prompts to add, if any.

    Raises:
        CatalogError: the demo or the contest is requested in an arena whose tracks have other
            settings.
    """
    make_home(settings)
    opened = Database(settings.database)
    database.upgrade(opened)
    arena = Arena(settings=settings, database=opened, store=open_store(settings.media))
    if collection is not None:
        _add_shipped(arena, collection)
    store_missing_sources(opened, arena.store)
    return arena


def _is_same_size(track: Track, entry: TrackEntry) -> bool:
    """Whether the clips of both look the same and differ in their coding alone."""
    keys = ("modality", "audio", "width", "height", "fps", "frames")
    return all(getattr(track, key) == getattr(entry, key) for key in keys)


def _add_shipped(arena: Arena, collection: Collection) -> None:
    """Add the shipped tracks and prompts, the standard ones only to an arena without tracks."""
    if collection is Collection.STANDARD:
        with arena.database.reading() as session:
            if list_tracks(session):
                return
    now = utc_now()
    prompts = read_prompts(prompt_file(collection))
    with (
        copied_sources(arena.database, arena.store, prompts, keep_stored=True) as sources,
        arena.database.writing() as session,
    ):
        if collection is Collection.STANDARD and list_tracks(session):
            return
        try:
            known = {track.name: track for track in list_tracks(session)}
            for path in track_files(collection):
                entry = read_track(path)
                if entry.name in known and _is_same_size(known[entry.name], entry):
                    continue  # made by an earlier version, whose rate and bytes it keeps
                add_track(session, entry, now=now)
        except CatalogError as error:
            raise CatalogError(
                f"{error} The {collection} needs its own arena: set ARENA_HOME to a new folder."
            ) from error
        import_prompts(session, prompts, sources=sources, now=now)
