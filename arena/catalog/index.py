"""The catalog in memory: which clips battles may show, by track, category and pair of entrants.

Requests of voters draw from it, so their cost does not grow with prompts and clips. It is read
again when the catalog's version in the database has changed.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Row, or_, select
from sqlalchemy.orm import Session

from arena.catalog.track_index import (
    EntrantPair,
    IndexedClip,
    IndexedEntrant,
    IndexedPrompt,
    IndexedTrack,
    Task,
    TrackIndex,
)
from arena.catalog.withholding import is_withheld
from arena.catalog_version import read_version
from arena.models import (
    Clip,
    ClipStatus,
    Entrant,
    Prompt,
    PromptCategory,
    Track,
    copy_seed,
)

# Reading a large catalog again takes a noticeable part of a second. While it changes all the time,
# for instance because clips are being made, it is read at most this often.
FEW_CLIPS = 2000  # a smaller catalog is read again at once
MAX_AGE_S = 1.0


class CatalogIndex:
    """The catalog at one version. Clips of a track are read when they are first needed."""

    def __init__(self, session: Session, version: int) -> None:
        self.version = version
        self.tracks = {track.id: track for track in _read_tracks(session)}
        self.tracks_by_name = {track.name: track for track in self.tracks.values()}
        self.entrants = _read_entrants(session)
        self.prompts = _read_prompts(session)
        self._indexes: dict[int, TrackIndex] = {}

    @property
    def clips_read(self) -> int:
        """How many clips this index has read so far."""
        return sum(len(each.clips) for each in list(self._indexes.values()))

    def of(self, session: Session, track_id: int) -> TrackIndex:
        """Return one track's clips."""
        found = self._indexes.get(track_id)
        if found is None:
            found = self._read_track(session, self.tracks[track_id])
            # A transaction that began before the last change sees the clips of an earlier version.
            if read_version(session) == self.version:
                self._indexes[track_id] = found
        return found

    def _read_track(self, session: Session, track: IndexedTrack) -> TrackIndex:
        query = select(
            *(Clip.id, Clip.entrant_id, Clip.prompt_id, Clip.seed),
            *(Clip.rendition_path, Clip.sha256, Clip.master_sha256, Clip.status, Clip.damage),
            is_withheld().label("withheld"),
        ).where(Clip.track_id == track.id)
        rows = session.connection().execute(query).all()
        clips = {row[0]: IndexedClip(*row[:6]) for row in rows}
        found = [row for row in rows if self._is_shown(track, row)]
        shown = [row for row in found if row.damage is None]
        return TrackIndex(
            track,
            clips,
            frozenset(row[0] for row in shown),
            _copies(shown, [row for row in found if row.damage is not None]),
            _same_bytes(shown),
            self.prompts,
        )

    def _is_shown(self, track: IndexedTrack, row: Row[*tuple[object, ...]]) -> bool:
        # Missing ones were added since the rest of this index was read.
        prompt = self.prompts.get(row.prompt_id)
        entrant = self.entrants.get(row.entrant_id)
        if prompt is None or entrant is None:
            return False
        return (
            not (track.is_closed or row.withheld or prompt.is_retired or entrant.is_retired)
            and row.status is ClipStatus.READY
            and (prompt.shows_source or not track.shows_source)
        )


def _read_tracks(session: Session) -> list[IndexedTrack]:
    rows = session.connection().execute(
        select(
            *(Track.id, Track.name, Track.modality, Track.audio, Track.bytes, Track.min_watch_ms),
            *(Track.reveal, Track.sampler, Track.reasons, Track.closed_at.is_not(None)),
        )
    )
    return [
        IndexedTrack(
            id=row[0],
            name=row[1],
            modality=row[2],
            audio=row[3],
            bytes=row[4],
            min_watch_ms=row[5],
            reveal=row[6],
            sampler=row[7],
            reasons=row[8],
            is_closed=row[9],
        )
        for row in rows
    ]


def _read_entrants(session: Session) -> dict[int, IndexedEntrant]:
    entrants = session.scalars(select(Entrant).execution_options(populate_existing=True))
    return {
        entrant.id: IndexedEntrant(
            id=entrant.id,
            name=entrant.shown_name,
            creator=entrant.shown_creator,
            is_retired=entrant.retired_at is not None,
        )
        for entrant in entrants
    }


def _read_prompts(session: Session) -> dict[str, IndexedPrompt]:
    connection = session.connection()
    categories: dict[str, list[str]] = defaultdict(list)
    for prompt_id, category in connection.execute(
        select(PromptCategory.prompt_id, PromptCategory.category).order_by(PromptCategory.category)
    ):
        categories[prompt_id].append(category)
    query = select(
        *(Prompt.id, Prompt.text, or_(Prompt.private, Prompt.held_out)),
        Prompt.retired_at.is_not(None),
        *(Prompt.source_path, Prompt.source_sha256, Prompt.source_bytes),
        *(Prompt.source_media_type, Prompt.source_width, Prompt.source_height),
        Prompt.source_fault,
    )
    return {
        row[0]: IndexedPrompt(
            id=row[0],
            text=row[1],
            categories=categories.get(row[0], []),
            is_held_out=bool(row[2]),
            is_retired=bool(row[3]),
            source_path=row[4],
            source_sha256=row[5],
            source_bytes=row[6] or 0,
            source_media_type=row[7],
            source_width=row[8] or 0,
            source_height=row[9] or 0,
            source_fault=row[10],
        )
        for row in connection.execute(query)
    }


def _copies(
    shown: Iterable[Row[*tuple[object, ...]]], copies: Iterable[Row[*tuple[object, ...]]]
) -> dict[int, int]:
    """Return the shown clip of each damaged copy, by the copy's id, if the copy is of its file."""
    by_key = {(row.entrant_id, row.prompt_id, row.seed): row for row in shown}
    found: dict[int, int] = {}
    for copy in copies:
        clip = by_key.get((copy.entrant_id, copy.prompt_id, copy_seed(copy.seed)))
        if clip is not None and clip.sha256 == copy.master_sha256:
            found[copy.id] = clip.id
    return dict(sorted(found.items()))


def _same_bytes(rows: Iterable[Row[*tuple[object, ...]]]) -> dict[EntrantPair, set[Task]]:
    """Return the tasks of which two entrants have the same rendition or master, by pair."""
    owners: dict[tuple[Task, str], list[int]] = defaultdict(list)
    for row in rows:
        for sha256 in {row.sha256, row.master_sha256} - {None}:
            owners[(row.prompt_id, row.seed), sha256].append(row.entrant_id)
    same: dict[EntrantPair, set[Task]] = defaultdict(set)
    for (task, _), entrant_ids in owners.items():
        for pair in combinations(sorted(set(entrant_ids)), 2):
            same[pair].add(task)
    return dict(same)


class _Held:
    """The newest index of one database, and when it was read."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.index: CatalogIndex | None = None
        self.read_at = 0.0

    def is_recent(self) -> bool:
        """Whether the catalog was read so lately that a newer version may wait."""
        if self.index is None or self.index.clips_read < FEW_CLIPS:
            return False
        return time.monotonic() - self.read_at < MAX_AGE_S


_held: WeakKeyDictionary[Engine, _Held] = WeakKeyDictionary()


def catalog_index(session: Session, *, exact: bool = False) -> CatalogIndex:
    """Return the catalog of the session's database.

    Args:
        session: in a transaction.
        exact: whether it must be that of this transaction; otherwise it may be a second old.
    """
    session.flush()
    held = _held.setdefault(session.get_bind().engine, _Held())
    version = read_version(session)
    index = held.index
    if index is not None and (index.version == version or (not exact and held.is_recent())):
        return index
    with held.lock:
        index = held.index
        if index is not None and index.version == version:
            return index
        held.index = CatalogIndex(session, version)
        held.read_at = time.monotonic()
        return held.index
