"""Finds the stored file of a side of a battle, or of the source of its prompt. Only reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from arena.catalog.index import CatalogIndex, catalog_index
from arena.errors import NotFound
from arena.models import BattleFile, Voter
from arena.voting.battles import BattleRow, has_expired, index_with, is_withdrawn, read_battle
from arena.voting.statements import Query

CLIP_MEDIA_TYPE = "video/mp4"
# One message for unknown, forged and other voters' URLs, so that nobody can distinguish them.
NO_CLIP = "No clip at this URL for this voter."
_KEY = Query(
    "SELECT key FROM voter WHERE id {listed} UNION ALL SELECT key FROM visitor WHERE id {listed}",
    [cast(Table, Voter.__table__).c.key],
)


@dataclass(frozen=True)
class StoredFile:
    """A file of a battle in the media store.

    Attributes:
        path: in the store.
        sha256: of its content, in hexadecimal.
        bytes: its size.
        media_type: such as `video/mp4`.
        clip_id: the clip whose rendition it is; None for a source.
        prompt_id: the prompt of the battle.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    clip_id: int | None
    prompt_id: str


def stored_file(
    session: Session, index: CatalogIndex, battle: BattleRow, file: BattleFile
) -> StoredFile:
    """Return where a file of a battle is stored, and what its content should be.

    Raises:
        NotFound: the battle shows no source.
    """
    if file is BattleFile.SOURCE:
        return _stored_source(index, battle)
    track = index.of(session, battle.track_id)
    clip = track.clips[battle.clip_a_id if file is BattleFile.A else battle.clip_b_id]
    if clip.path is None or clip.sha256 is None:
        raise NotFound(NO_CLIP)
    return StoredFile(
        path=clip.path,
        sha256=clip.sha256,
        bytes=track.track.bytes,
        media_type=CLIP_MEDIA_TYPE,
        clip_id=clip.id,
        prompt_id=battle.prompt_id,
    )


def _stored_source(index: CatalogIndex, battle: BattleRow) -> StoredFile:
    prompt = index.prompts[battle.prompt_id]
    if prompt.source_path is None:
        raise NotFound("This battle shows no source.")
    return StoredFile(
        path=prompt.source_path,
        sha256=str(prompt.source_sha256),
        bytes=prompt.source_bytes,
        media_type=str(prompt.source_media_type),
        clip_id=None,
        prompt_id=prompt.id,
    )


def index_of(session: Session, battle: BattleRow) -> CatalogIndex:
    """Return a catalog that has what a stored battle shows."""
    return index_with(session, catalog_index(session), [battle])


def file_of(
    session: Session, *, battle_id: int, file: BattleFile, voter_key: str, now: datetime
) -> StoredFile:
    """Return a file of a voter's battle until the battle expires.

    Raises:
        NotFound: this voter has no such battle, it has expired, or the file is withheld.
    """
    battle = read_battle(session, battle_id)
    if battle is None or has_expired(battle, now):
        raise NotFound(NO_CLIP)
    if _KEY.rows(session.connection(), [battle.voter_id]) != [[voter_key]]:
        raise NotFound(NO_CLIP)
    index = index_of(session, battle)
    if is_withdrawn(index, session, battle):
        raise NotFound(NO_CLIP)
    return stored_file(session, index, battle, file)
