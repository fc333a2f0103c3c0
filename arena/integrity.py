"""Whether stored files are still the ones that were stored: when they are used, and in a sweep.

A file that is damaged is withheld from battles (`catalog.withholding`). One that is merely away,
because the media store does not respond or another folder is mounted in its place, is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from arena.catalog.withholding import is_withheld
from arena.database import Database
from arena.errors import NotFound, StoreUnavailable
from arena.media import MediaStore, find_damage
from arena.models import Clip, ClipStatus, Prompt, WithheldCause
from arena.voting.reports import withhold_file
from arena.voting.served_files import CLIP_MEDIA_TYPE, StoredFile

SAMPLE = 5  # clips, of which one must be in the media store
ELSEWHERE = "The media store does not have the arena's clips: check what is mounted there."


class FileKind(StrEnum):
    CLIP = "clip"
    SOURCE = "source"
    MASTER = "master"


@dataclass(frozen=True)
class CheckedFile:
    """A stored file, and what is wrong with it, as a phrase; None if it is intact.

    Attributes:
        kind: what the file is; a master is in no battle.
        file: where it is stored, and what it should contain; the size of a master is not recorded.
        owner: whose file it is, as a phrase for messages.
        damage: what is wrong.
    """

    kind: FileKind
    file: StoredFile
    owner: str
    damage: str | None = None


class FileChecker:
    """Checks the files that this process uses: by their hash once, then by what the store says.

    What is not covered: a change that keeps size and time of change, until the next sweep.
    """

    def __init__(self, store: MediaStore) -> None:
        self._store = store
        self._intact: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def find_damage(self, file: StoredFile) -> str | None:
        """Return what is wrong with a file, as a phrase; None if it is intact.

        Raises:
            StoreUnavailable: the media store cannot be read.
        """
        try:
            stamp = self._store.stamp(file.path)
        except NotFound:
            return f"its file {file.path} is missing"
        if self._intact.get(file.path) == (file.sha256, stamp):
            return None
        damage = find_damage(self._store, file.path, sha256=file.sha256, size=file.bytes)
        if damage is None:
            self._intact[file.path] = (file.sha256, stamp)
        return damage


def withhold_damaged(
    database: Database,
    store: MediaStore,
    file: StoredFile,
    damage: str,
    *,
    now: datetime,
    until: float | None = None,
) -> bool:
    """Withhold a damaged clip or source from battles; return whether it was shown until now.

    Args:
        database: is written.
        store: holds the file.
        file: of a clip or source.
        damage: what is wrong with it, as a phrase.
        now: aware.
        until: see `Database.writing`.

    Raises:
        StoreUnavailable: the database cannot be written, or the store has none of the clips.
    """
    if not has_clips(database, store):
        raise StoreUnavailable(ELSEWHERE)
    with database.writing(until=until) as session:
        return withhold_file(session, file, cause=WithheldCause.DAMAGED, reason=damage, now=now)


def has_clips(database: Database, store: MediaStore) -> bool:
    """Whether at least one of a few random clips is in the store; true if there are no clips."""
    query = (
        select(Clip.rendition_path)
        .where(Clip.status == ClipStatus.READY, Clip.rendition_path.is_not(None))
        .order_by(func.random())
        .limit(SAMPLE)
    )
    with database.reading() as session:
        paths = list(session.scalars(query))
    return not paths or any(path is not None and store.exists(path) for path in paths)


def list_files(database: Database, *, masters: bool) -> list[CheckedFile]:
    """Return the files of clips and sources that battles may show, and masters if requested."""
    clips = (
        select(Clip)
        .where(Clip.status == ClipStatus.READY, ~is_withheld())
        .options(joinedload(Clip.track), joinedload(Clip.entrant))
        .order_by(Clip.id)
    )
    sources = (
        select(Prompt)
        .where(Prompt.source_path.is_not(None), Prompt.source_fault.is_(None))
        .order_by(Prompt.id)
    )
    with database.reading() as session:
        found = [file for clip in session.scalars(clips) for file in _files_of(clip, masters)]
        return found + [_source_of(prompt) for prompt in session.scalars(sources)]


def check_files(
    database: Database, store: MediaStore, *, masters: bool = True
) -> Iterator[CheckedFile]:
    """Read every stored file and yield it with what is wrong with it; changes nothing.

    Raises:
        StoreUnavailable: a store cannot be read.
    """
    for checked in list_files(database, masters=masters):
        yield check_file(store, checked)


def check_file(store: MediaStore, checked: CheckedFile) -> CheckedFile:
    """Read a stored file; return it with what is wrong with it."""
    size = None if checked.kind is FileKind.MASTER else checked.file.bytes
    damage = find_damage(store, checked.file.path, sha256=checked.file.sha256, size=size)
    return CheckedFile(checked.kind, checked.file, checked.owner, damage)


def _files_of(clip: Clip, masters: bool) -> Iterator[CheckedFile]:
    owner = (
        f"clip {clip.id} ({clip.entrant.shown_name}, track {clip.track.name}, "
        f"prompt {clip.prompt_id}, seed {clip.seed})"
    )
    files = [(FileKind.CLIP, clip.rendition_path, clip.sha256, clip.track.bytes)]
    if masters:
        files.append((FileKind.MASTER, clip.master_path, clip.master_sha256, 0))
    for kind, path, sha256, size in files:
        if path is not None and sha256 is not None:
            file = StoredFile(path, sha256, size, CLIP_MEDIA_TYPE, clip.id, clip.prompt_id)
            yield CheckedFile(kind, file, owner)


def _source_of(prompt: Prompt) -> CheckedFile:
    file = StoredFile(
        path=str(prompt.source_path),
        sha256=str(prompt.source_sha256),
        bytes=prompt.source_bytes or 0,
        media_type=str(prompt.source_media_type),
        clip_id=None,
        prompt_id=prompt.id,
    )
    return CheckedFile(FileKind.SOURCE, file, f"the source of prompt {prompt.id}")
