"""Publishes releases: writes them to ARENA_HOME/releases, where the arena serves them.

One process publishes at a time. A release is written under a draft's name and renamed once it is
complete; drafts that a killed process left behind are deleted by the next one.
"""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from arena.audit.keys import open_signer
from arena.context import Arena
from arena.errors import ReleaseError
from arena.files import atomic_write
from arena.published import releases_folder
from arena.release.export import ReleaseSummary, export_release
from arena.site import read_site

LOCK = ".lock"
DRAFT = ".draft"  # ends the names that `arena.files.temporary_name` gives


def export_arena(
    arena: Arena,
    folder: Path,
    *,
    track: str | None = None,
    formats: Sequence[str] = ("parquet", "csv"),
    with_media: bool = False,
    spreadsheet: bool = False,
    now: datetime,
) -> ReleaseSummary:
    """Write a release of an arena into a new folder; raises what `export_release` does."""
    return export_release(
        arena.database,
        folder,
        signer=open_signer(arena.settings.home, arena.database, now=now),
        track=track,
        formats=formats,
        store=arena.store,
        with_media=with_media,
        spreadsheet=spreadsheet,
        site=read_site(arena.settings),
        home=arena.settings.home,
        now=now,
    )


def publish_release(
    arena: Arena, *, release_id: str | None = None, now: datetime, **options: Any
) -> ReleaseSummary | None:
    """Write a release to the folder that the arena serves.

    Args:
        arena: whose votes they are.
        release_id: of the release; None: its day and track, with a number if that exists already.
        now: aware.
        options: those of `export_arena`.

    Returns:
        What was written; None if a release of the given id exists already.

    Raises:
        ReleaseError: as `export_release`.
    """
    home = arena.settings.home
    with _publishing(home) as folder:
        if release_id is not None and (folder / release_id).exists():
            return None
        track = options.get("track")
        name = release_id or _free_id(folder, now, track)
        return export_arena(arena, folder / name, now=now, **options)


def copy_release(source: Path, target: Path) -> None:
    """Copy a release to a new folder, completely or not at all.

    Raises:
        ReleaseError: the folder is not empty, or cannot be written.
    """
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ReleaseError(f"{target} is not empty: choose a new folder for the release.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as draft:
            shutil.copytree(source, draft)
    except OSError as error:
        raise ReleaseError(
            f"The release {target} cannot be written ({error.strerror or error}): free some space, "
            "or choose another folder."
        ) from error


@contextmanager
def _publishing(home: Path) -> Iterator[Path]:
    """Yield the folder of published releases, without drafts, to one process at a time."""
    folder = releases_folder(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for path in folder.iterdir():
                if path.name.startswith(".") and path.name.endswith(DRAFT):
                    shutil.rmtree(path, ignore_errors=True)
            yield folder
    except OSError as error:
        raise ReleaseError(
            f"{folder} cannot be written ({error.strerror or error}): free some space, or change "
            "who may write there."
        ) from error


def _free_id(folder: Path, now: datetime, track: str | None) -> str:
    day = now.astimezone(UTC).date().isoformat()
    name = day if track is None else f"{day}-{track}"
    for number in count(1):
        found = name if number == 1 else f"{name}-{number}"
        if not (folder / found).exists():
            return found
    raise AssertionError("unreachable")
