"""Shows leaderboards: the last snapshot, or a new one if votes have been cast since.

Nothing here runs in the request of a vote. A leaderboard is computed in a transaction that only
reads, and stored in a short one; if the database cannot be read or written, the last leaderboard is
shown all the same.

A process that serves follows the background job (`job`), here or in another process: it shows the
newest snapshot and computes nothing. Every other process computes what it shows, if votes have been
cast since the snapshot.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.errors import DatabaseError, NotFound, StoreUnavailable
from arena.models import OVERALL, Prompt, PromptCategory, Track, VoterKind
from arena.standings.boards import Board, with_names
from arena.standings.computing import ComputedBoard, compute_board, empty_board
from arena.standings.lots import is_lot, moves_in_lots, waits_for_lot
from arena.standings.snapshots import (
    as_stale,
    is_fresh,
    lags,
    latest_id,
    newest_vote,
    read_snapshot,
    store_snapshot,
)
from ratings.errors import RatingsError

# What reads votes and computes loads slowly; a leaderboard that is stored is read without.
if TYPE_CHECKING:
    from arena.standings.vote_arrays import VoteArrays
    from arena.standings.vote_reader import VoteReader

TURN_S = 10.0  # how long a reader waits for another one who computes the same leaderboard
STORE_S = 1.0  # how long it waits to store what it computed; the next reader would try again
CHECK_S = 1.0  # how often a process that follows the job looks for a newer snapshot
KEPT_S = 3.0  # how old what is shown may be while another reader looks for a newer one
RELOAD_S = 5.0  # how often it reads one again, whose names may have changed
POLL_S = 0.05  # while the first snapshot is being computed
# Up to this number of votes, a leaderboard without a snapshot is computed for its first reader.
FEW_VOTES = 20_000
_COMPUTING = "The leaderboard is still being computed: try again."

log = logging.getLogger(__name__)

Key = tuple[str, str, VoterKind]  # track, category and voters


@dataclass(frozen=True)
class _Read:
    """A snapshot as it was read, with the times of that and of the last check, monotonic."""

    number: int
    computed: ComputedBoard
    read_at: float


@dataclass(frozen=True)
class _Followed:
    """What a process that follows the job shows, until it looks again."""

    board: Board
    checked_at: float


class _Memory:
    """The votes that this process has read and the leaderboards that it has shown last."""

    def __init__(self) -> None:
        self.boards: dict[Key, ComputedBoard] = {}
        self.follows = False
        self.read: dict[Key, _Read] = {}
        self.followed: dict[Key, _Followed] = {}
        self.reading = Lock()  # of the arrays
        self._turns: defaultdict[Key, Lock] = defaultdict(Lock)
        self.looking: defaultdict[Key, Lock] = defaultdict(Lock)  # for a newer snapshot

    @cached_property
    def arrays(self) -> VoteArrays:
        from arena.standings.vote_arrays import VoteArrays

        return VoteArrays()

    @cached_property
    def reader(self) -> VoteReader:
        from arena.standings.vote_reader import VoteReader

        return VoteReader(self.arrays)

    @contextmanager
    def turn(self, key: Key) -> Iterator[None]:
        """Wait until nobody else computes this leaderboard."""
        lock = self._turns[key]
        if not lock.acquire(timeout=TURN_S):
            raise StoreUnavailable(_COMPUTING)
        try:
            yield
        finally:
            lock.release()


_memories: WeakKeyDictionary[Database, _Memory] = WeakKeyDictionary()


def _memory(database: Database) -> _Memory:
    return _memories.setdefault(database, _Memory())


def follow_job(database: Database, *, follows: bool = True) -> None:
    """Show what the background job stores, in this process, instead of computing it."""
    _memory(database).follows = follows


def keep_in_memory(database: Database, computed: ComputedBoard) -> None:
    """Show a leaderboard in this process even if it cannot be stored."""
    board = computed.board
    _memory(database).boards[board.track, board.category, board.voters] = computed


def leaderboard(
    database: Database,
    *,
    track_name: str,
    category: str = OVERALL,
    voters: VoterKind = VoterKind.PERSON,
    now: datetime,
    with_details: bool = True,
) -> Board:
    """Return the track's leaderboard: the last snapshot, or a new one if it lags behind the votes.

    Where no newer one can be had, because the database cannot be read, the last one is returned
    with `stale` set. One that cannot be stored is shown as well.

    Args:
        database: has the votes.
        track_name: of the leaderboard.
        category: of the leaderboard.
        voters: whose votes it counts.
        now: the current time.
        with_details: whether what is shown beside the ratings is needed: a leaderboard without is
            computed faster.

    Raises:
        NotFound: no such track, or none of its prompts has this category.
        StoreUnavailable: the database cannot be read, and there is no earlier leaderboard.
    """
    key = (track_name, category, voters)
    memory = _memory(database)
    if memory.follows:
        return _follow(database, key, memory, now=now)
    last = memory.boards.get(key)
    try:
        last, fresh = _find_last(database, key, memory, now=now, with_details=with_details)
        if last is None or not fresh:
            with memory.turn(key):
                last, fresh = _find_last(database, key, memory, now=now, with_details=with_details)
                if last is None or not fresh:
                    last = _compute(database, key, memory, last, now=now, with_details=with_details)
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


def plan(
    database: Database, *, track_name: str, category: str = OVERALL, power: float
) -> dict[str, Any] | None:
    """Plan how many more votes by people tell neighbours on a leaderboard apart.

    Returns:
        The cell `plan` of a leaderboard's details for this power; None if fewer than two models
        are rated.

    Raises:
        NotFound: no such track.
        OptionError: a power that is not from 0.5 to below 1.
    """
    from arena.standings.details import compute_plan
    from arena.standings.rated_votes import select_votes

    memory = _memory(database)
    with memory.reading:
        _read_votes(database, memory)
        with database.reading() as session:
            track = find_track(session, track_name)
            votes = select_votes(
                session, memory.arrays, track=track, category=category, voters=VoterKind.PERSON
            )
            found = compute_plan(votes, ties=track.ties, power=power)
    names = {entrant.id: entrant.shown_name for entrant in votes.entrants.values()}
    return found and with_names(found, names)


def _find_last(
    database: Database, key: Key, memory: _Memory, *, now: datetime, with_details: bool
) -> tuple[ComputedBoard | None, bool]:
    """Return the last leaderboard, stored or not, and whether it may still be shown."""
    with database.reading() as session:
        last = _last(session, key, memory)
        if last is None:
            return None, False
        track = find_track(session, key[0])
        if moves_in_lots(session, track, key[2]):
            return last, waits_for_lot(session, last.board, track, now=now)
        is_complete = last.details is not None or not with_details
        return last, is_complete and is_fresh(session, last, now=now)


def _last(session: Session, key: Key, memory: _Memory) -> ComputedBoard | None:
    """Return the last leaderboard, stored or not."""
    track_name, category, voters = key
    track = find_track(session, track_name)
    known = known_categories(session, track)
    if category not in known:
        raise NotFound(
            f"The track {track.name} has no category '{category}'; it has: {', '.join(known)}."
        )
    number = latest_id(session, track=track, category=category, voters=voters)
    stored = None if number is None else _read(session, key, memory, number, track)
    found = [last for last in (stored, memory.boards.get(key)) if last is not None]
    # One that could not be stored is newer than the stored one.
    return max(found, key=lambda computed: computed.board.watermark, default=None)


def _read(
    session: Session, key: Key, memory: _Memory, number: int, track: Track
) -> ComputedBoard | None:
    """Read a snapshot, unless it has been read a moment ago."""
    read, now = memory.read.get(key), time.monotonic()
    if memory.follows and read and read.number == number and now - read.read_at < RELOAD_S:
        return read.computed
    computed = read_snapshot(session, number, track=track)
    if computed is not None:
        memory.read[key] = _Read(number, computed, now)
    return computed


def _follow(database: Database, key: Key, memory: _Memory, *, now: datetime) -> Board:
    """Return the newest snapshot; `stale` if votes have waited for a newer one for too long."""
    followed = memory.followed.get(key)
    age = time.monotonic() - followed.checked_at if followed else math.inf
    if followed and age < CHECK_S:
        return followed.board
    # One reader looks for all: many at once would keep the interpreter from votes.
    looking = memory.looking[key]
    may_wait = followed is None or age > KEPT_S
    if not looking.acquire(timeout=TURN_S if may_wait else 0):
        if followed is None:
            raise StoreUnavailable(_COMPUTING)
        return followed.board
    try:
        if memory.followed.get(key) is followed:
            memory.followed[key] = _Followed(
                _look(database, key, memory, now=now), time.monotonic()
            )
        return memory.followed[key].board
    finally:
        looking.release()


def _look(database: Database, key: Key, memory: _Memory, *, now: datetime) -> Board:
    deadline = time.monotonic() + TURN_S
    while True:
        try:
            with database.reading() as session:
                last = _last(session, key, memory)
                in_lots = moves_in_lots(session, find_track(session, key[0]), key[2])
                late = last is not None and not in_lots and lags(session, last, now=now)
                few = last is None and newest_vote(session) <= FEW_VOTES
        except DatabaseError:
            last, late, few = memory.boards.get(key), True, False
            if last is None:
                raise
        if last is None and few:
            last = _compute(database, key, memory, now=now, with_details=False)
        if last is not None:
            break
        if time.monotonic() >= deadline:
            raise StoreUnavailable(_COMPUTING)
        time.sleep(POLL_S)
    memory.boards[key] = last
    return as_stale(last) if late else last.board


def _compute(
    database: Database,
    key: Key,
    memory: _Memory,
    last: ComputedBoard | None = None,
    *,
    now: datetime,
    with_details: bool,
) -> ComputedBoard:
    """Compute a leaderboard; return the last one if that moves in lots, and this is none."""
    track_name, category, voters = key
    with memory.reading:
        _read_votes(database, memory)
        with database.reading() as session:
            track = find_track(session, track_name)
            in_lots = moves_in_lots(session, track, voters)
            computed = compute_board(
                *(session, memory.arrays),
                track=track,
                category=category,
                voters=voters,
                now=now,
                with_details=with_details or in_lots,
            )
            if not in_lots or is_lot(last.board if last else None, computed.board):
                return computed
            return last or empty_board(
                session, track=track, category=category, voters=voters, now=now
            )


def _read_votes(database: Database, memory: _Memory) -> None:
    """Read the votes that are new to this process."""
    more = True
    while more:
        with database.reading() as session:
            more = memory.reader.read(session)


def _store(database: Database, computed: ComputedBoard) -> None:
    """Store a leaderboard if the database accepts it now; the database logs why not."""
    try:
        database.write(
            lambda session: store_snapshot(session, computed, replace_newer=False),
            until=time.monotonic() + STORE_S,
        )
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
