"""Shows leaderboards: the last snapshot, or a new one if votes have been cast since.

Nothing here runs in the request of a vote. A leaderboard is computed in a transaction that only
reads, and stored in a short one; if the database cannot be read or written, the last leaderboard is
shown all the same.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.catalog import find_track, list_tracks
from arena.database import Database
from arena.errors import DatabaseError, NotFound, StoreUnavailable
from arena.models import OVERALL, Prompt, PromptCategory, Track, VoterKind
from arena.standings.boards import Board
from arena.standings.snapshots import (
    ComputedBoard,
    as_stale,
    compute_board,
    is_fresh,
    latest_snapshot,
    store_snapshot,
)
from ratings import RatingsError

TURN_S = 10.0  # how long a reader waits for another one who computes the same leaderboard
STORE_S = 1.0  # how long it waits to store what it computed; the next reader would try again

log = logging.getLogger(__name__)

Key = tuple[str, str, VoterKind]  # track, category and voters


class _Memory:
    """The leaderboards that this process has shown last, by database."""

    def __init__(self) -> None:
        self.boards: dict[Key, ComputedBoard] = {}
        self._turns: defaultdict[Key, Lock] = defaultdict(Lock)

    @contextmanager
    def turn(self, key: Key) -> Iterator[None]:
        """Wait until nobody else computes this leaderboard."""
        lock = self._turns[key]
        if not lock.acquire(timeout=TURN_S):
            raise StoreUnavailable("The leaderboard is still being computed: try again.")
        try:
            yield
        finally:
            lock.release()


_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def leaderboard(
    database: Database,
    *,
    track_name: str,
    category: str = OVERALL,
    voters: VoterKind = VoterKind.PERSON,
    now: datetime,
) -> Board:
    """Return the track's leaderboard: the last snapshot, or a new one if it lags behind the votes.

    Where no newer one can be had, because the database cannot be read, the last one is returned
    with `stale` set. One that cannot be stored is shown as well.

    Raises:
        NotFound: no such track, or none of its prompts has this category.
        StoreUnavailable: the database cannot be read, and there is no earlier leaderboard.
    """
    key = (track_name, category, voters)
    memory = _memories.setdefault(database, _Memory())
    last = memory.boards.get(key)
    try:
        last, fresh = _find_last(database, key, memory, now=now)
        if last is None or not fresh:
            with memory.turn(key):
                last, fresh = _find_last(database, key, memory, now=now)
                if last is None or not fresh:
                    last = _compute(database, key, now=now)
                    memory.boards[key] = last
                    _store(database, last)
    except (DatabaseError, RatingsError) as error:
        if last is None:
            raise
        if isinstance(error, RatingsError):
            log.error("The leaderboard of %s cannot be computed: %s.", track_name, error)
        return as_stale(last)
    memory.boards[key] = last
    return last.board


def _find_last(
    database: Database, key: Key, memory: _Memory, *, now: datetime
) -> tuple[ComputedBoard | None, bool]:
    """Return the last leaderboard, stored or not, and whether it may still be shown."""
    track_name, category, voters = key
    with database.reading() as session:
        track = find_track(session, track_name)
        known = known_categories(session, track)
        if category not in known:
            raise NotFound(
                f"The track {track.name} has no category '{category}'; it has: {', '.join(known)}."
            )
        stored = latest_snapshot(session, track=track, category=category, voters=voters)
        found = [last for last in (stored, memory.boards.get(key)) if last is not None]
        if not found:
            return None, False
        # One that could not be stored is newer than the stored one.
        last = max(found, key=lambda computed: computed.board.watermark)
        return last, is_fresh(session, last, now=now)


def _compute(database: Database, key: Key, *, now: datetime) -> ComputedBoard:
    track_name, category, voters = key
    with database.reading() as session:
        track = find_track(session, track_name)
        return compute_board(session, track=track, category=category, voters=voters, now=now)


def _store(database: Database, computed: ComputedBoard) -> None:
    """Store a leaderboard if the database accepts it now; the database logs why not."""
    try:
        with database.writing(until=time.monotonic() + STORE_S) as session:
            store_snapshot(session, computed, replace_newer=False)
    except DatabaseError:
        return


def known_categories(session: Session, track: Track) -> list[str]:
    """Return `overall`, then the categories of the track's prompts, sorted."""
    query = (
        select(PromptCategory.category)
        .join(Prompt, Prompt.id == PromptCategory.prompt_id)
        .where(Prompt.tracks.any(Track.id == track.id))
        .distinct()
        .order_by(PromptCategory.category)
    )
    return [OVERALL, *session.scalars(query)]


def tracks_with(database: Database, category: str) -> list[str]:
    """Return the names of the tracks that have entrants, and prompts of this category."""
    with database.reading() as session:
        return [
            track.name
            for track in list_tracks(session)
            if track.entrants and category in known_categories(session, track)
        ]
