"""The background job that keeps every leaderboard's snapshot as new as the votes.

One process of an arena does it, elected by a lease; any number may run it. Each round reads the
votes that are new, computes the leaderboards that they change, outside any transaction that writes,
and stores them in a short one. What takes longer than ratings is computed less often. The pause
after a round depends on how much CPU time it took, so that the job never keeps a core busy.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from arena.catalog.tracks import find_track
from arena.context import utc_now
from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import DatabaseError, StoreUnavailable
from arena.models import Track
from arena.standings.arrays_file import FILE_NAME, load_arrays, save_arrays
from arena.standings.board_sources import BoardSource, read_sources
from arena.standings.computing import (
    ComputedBoard,
    board_of,
    compute_board,
    empty_board,
    with_details_of,
)
from arena.standings.held_votes import has_held, rate_without_holds, with_holds
from arena.standings.leased_job import LeasedJob
from arena.standings.lots import LOT_VOTES, is_lot, is_old_enough
from arena.standings.pool_sums import PoolSums
from arena.standings.rated_votes import entrants_by_name
from arena.standings.snapshots import (
    COMPUTE_SHARE,
    MAX_LAG,
    advance_watermark,
    latest_id,
    read_snapshot,
    store_snapshot,
)
from arena.standings.standings import Key, keep_in_memory
from arena.standings.vote_arrays import PoolKey, VoteArrays
from arena.standings.vote_reader import HOLD_S, VoteReader
from arena.voting.limits import CLOCK_TOLERANCE
from ratings import OutdatedSums, RatingsError

LEASE = "standings"
PAUSE_S = 2.0  # between rounds, at least
MAX_PAUSE_S = MAX_LAG.total_seconds() / 3
FLUSH_S = 2.0  # in a long round, leaderboards are stored this often
STORE_S = 2.0  # how long a round waits to store what it computed
# A snapshot's watermark follows the newest vote this often where no vote changed it.
TOUCH_S = MAX_LAG.total_seconds() / 3
DETAILS_SHARE = 0.05  # of the time spent on what is shown beside the ratings
DETAILS_ROUND_S = 1.0  # in one round; a leaderboard that takes longer is followed by a pause
# The file of the arrays is written once this number of votes is new, at most this often.
SAVE_VOTES, SAVE_S = 1000, 600.0

log = logging.getLogger(__name__)
Rated = TypeVar("Rated")


@dataclass(frozen=True)
class _State:
    """A leaderboard with its source, and when its details were computed, by `time.monotonic`."""

    computed: ComputedBoard
    source: BoardSource
    details_source: BoardSource | None = None
    detailed_at: float = 0.0
    details_s: float = 0.0
    tried_votes: int = 0  # where it moves in lots: it had too few votes when there were that many


def pause_after(cpu_s: float) -> float:
    """Return how many seconds the job pauses after a round that took this CPU time.

    All leaderboards together get `COMPUTE_SHARE` of a core, since votes are answered by the same
    process; but a round follows in time for leaderboards that lag `MAX_LAG` at most.
    """
    return max(PAUSE_S, min(cpu_s / COMPUTE_SHARE, MAX_PAUSE_S))


class StandingsJob(LeasedJob):
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        database: of the arena.
        folder: keeps the votes' arrays between restarts; None: they are read again.
    """

    def __init__(self, database: Database, *, folder: Path | None = None) -> None:
        self._database = database
        self._path = None if folder is None else folder / FILE_NAME
        super().__init__(database, LEASE)
        self._errors = ErrorLog(log, "Computing leaderboards")
        self._reader: VoteReader | None = None
        self._states: dict[Key, _State] = {}
        self._sums: dict[PoolKey, PoolSums] = {}
        self._details_at = 0.0
        self._saved_rows, self._saved_at = 0, time.monotonic()
        self._touched_at = time.monotonic()

    def _run_rounds(self) -> None:
        while True:
            started = time.thread_time()
            try:
                self.run_once(now=utc_now())
            except DatabaseError as error:
                log.debug("A round of the leaderboards' job failed: %s", error)
            except Exception:
                log.exception("A round of the leaderboards' job failed")
            if self._stop.wait(pause_after(time.thread_time() - started)):
                return

    def _end(self) -> None:
        self._save(at_end=True)

    def run_once(self, *, now: datetime) -> bool:
        """Do one round, if this process has the lease; whether it did.

        Where the database cannot be written, every process does it for its own readers.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        try:
            holds = self._lease.hold()
        except StoreUnavailable:
            holds = True
        if not holds:
            self._reader, self._states, self._sums = None, {}, {}
            return False
        self._read_votes()
        self._refresh(now)
        self._save()
        return True

    # --- votes ------------------------------------------------------------------------------------

    def _read_votes(self) -> None:
        if self._reader is None:
            self._reader = VoteReader(
                self._load(), hold_s=0 if self._database.is_sqlite else HOLD_S
            )
            self._saved_rows = self._arrays.rows
        more = True
        while more and not self._stop.is_set():
            with self._database.reading() as session:
                more = self._reader.read(session)

    def _load(self) -> VoteArrays:
        if self._path is None:
            return VoteArrays()
        with self._database.reading() as session:
            return load_arrays(self._path, session) or VoteArrays()

    @property
    def _arrays(self) -> VoteArrays:
        return VoteArrays() if self._reader is None else self._reader.arrays

    def _save(self, *, at_end: bool = False) -> None:
        """Keep the arrays in the file, if enough of them is new."""
        new, now = self._arrays.rows - self._saved_rows, time.monotonic()
        if self._path is None or self._reader is None or not new:
            return
        if not at_end and (new < SAVE_VOTES or now - self._saved_at < SAVE_S):
            return
        with self._database.reading() as session:
            save_arrays(self._path, self._arrays, session)
        self._saved_rows, self._saved_at = self._arrays.rows, now

    # --- leaderboards -----------------------------------------------------------------------------

    def _refresh(self, now: datetime) -> None:
        sources = read_sources(self._database, self._arrays)
        self._states = {key: state for key, state in self._states.items() if key in sources}
        changed: set[Key] = set()
        flushed = time.monotonic()
        for key, source in sources.items():
            if self._stop.is_set():
                break
            if self._is_due(key, source, now):
                self._compute(key, source, now=now)
                changed.add(key)
            if time.monotonic() - flushed > FLUSH_S:
                self._store(changed)
                changed, flushed = set(), time.monotonic()
        self._store(changed)
        self._refresh_details(sources, now)
        self._touch(sources, now)

    def _refresh_details(self, sources: dict[Key, BoardSource], now: datetime) -> None:
        until = time.monotonic() + DETAILS_ROUND_S
        changed: set[Key] = set()
        for key, source in sources.items():
            started = time.monotonic()
            if self._stop.is_set() or started > until or started < self._details_at:
                break
            if self._details_are_due(key, source):
                self._compute(key, source, now=now, with_details=True)
                changed.add(key)
                took = time.monotonic() - started
                if took > DETAILS_ROUND_S:
                    self._details_at = time.monotonic() + took / DETAILS_SHARE
        self._store(changed)

    def _is_due(self, key: Key, source: BoardSource, now: datetime) -> bool:
        state = self._states.get(key)
        if state is None:
            state = self._stored(key, source, now)
            if state is None:
                return True
            self._states[key] = state
        if state.source == source or not source.in_lots:
            return state.source != source
        known = max(state.computed.board.votes, state.tried_votes)
        is_full = source.votes - known >= LOT_VOTES
        return is_full and is_old_enough(state.computed.board, now=now)

    def _details_are_due(self, key: Key, source: BoardSource) -> bool:
        state = self._states.get(key)
        if state is None or state.details_source == source or source.in_lots:
            return False
        pause_s = state.details_s / DETAILS_SHARE
        return time.monotonic() - state.detailed_at >= pause_s or not state.detailed_at

    def _stored(self, key: Key, source: BoardSource, now: datetime) -> _State | None:
        """The stored leaderboard, if it is of all votes and entrants."""
        track_name, category, voters = key
        with self._database.reading() as session:
            track = find_track(session, track_name)
            number = latest_id(session, track=track, category=category, voters=voters)
            found = None if number is None else read_snapshot(session, number, track=track)
        if found is None or found.pairs is None or found.board.computed_at > now + CLOCK_TOLERANCE:
            return None
        entrants = {number for number, _ in source.entrants}
        if source.in_lots:  # of a lot; whether there is another one is not known yet
            return _State(found, replace(source, votes=-1))
        if found.board.watermark != self._arrays.watermark or entrants - set(found.entrant_ids):
            return None
        if found.hold_events != self._arrays.events or found.holds is None:
            return None
        known = None if found.details is None else source
        return _State(found, source, details_source=known)

    def _compute(
        self, key: Key, source: BoardSource, *, now: datetime, with_details: bool = False
    ) -> None:
        """Compute a leaderboard. One that cannot be computed stays as it is, and is logged."""
        track_name, category, voters = key
        last, started = self._states.get(key), time.monotonic()
        with_details = with_details or source.in_lots
        try:
            with self._database.reading() as session:
                track = find_track(session, track_name)
                computed = None
                if not with_details:
                    computed = self._rate_from_sums(session, track, key, source, now=now)
                if computed is None:
                    computed = compute_board(
                        *(session, self._arrays),
                        track=track,
                        category=category,
                        voters=voters,
                        now=now,
                        with_details=with_details,
                    )
                before = last.computed.board if last else None
                if source.in_lots and not is_lot(before, computed.board):
                    if last is not None:
                        self._states[key] = replace(last, tried_votes=source.votes)
                        return
                    computed = empty_board(
                        session, track=track, category=category, voters=voters, now=now
                    )
                    source = replace(source, votes=-1)  # it is of none of them
        except RatingsError as error:
            self._errors.failed(f"{track_name}, {category}: {error}")
            return
        if with_details:
            self._states[key] = _State(
                *(computed, source),
                details_source=source,
                detailed_at=time.monotonic(),
                details_s=time.monotonic() - started,
            )
            return
        if last is None:
            self._states[key] = _State(computed, source)
            return
        computed = with_details_of(computed, last.computed)
        self._states[key] = replace(last, computed=computed, source=source)

    def _rate_from_sums(
        self, session: Session, track: Track, key: Key, source: BoardSource, *, now: datetime
    ) -> ComputedBoard | None:
        """Rate a leaderboard of a large pool from its sums; None where its votes are needed."""
        _, category, voters = key
        pool = self._arrays.pool(track.id, voters)
        sums = self._sums.setdefault((track.id, voters), PoolSums(self._arrays, pool))
        if not sums.is_large:
            return None
        sums.advance()
        entrants = entrants_by_name(session, track, [])

        def from_sums(with_held: bool, rate: Callable[..., Rated]) -> Rated | None:
            key = (category, with_held)
            for _ in range(2):  # once more if the sums are outdated
                found = sums.rated_votes(key, source.prompts, entrants)
                if found is None and sums.build(key, source.prompts, entrants, source.ties):
                    found = sums.rated_votes(key, source.prompts, entrants)
                if found is None:
                    return None
                try:
                    return rate(found[0], sums=found[1])
                except OutdatedSums:
                    sums.drop(key)
            return None

        of_board: Any = {"track": track, "category": category, "voters": voters}
        watermark = self._arrays.watermark
        computed = from_sums(False, partial(board_of, **of_board, watermark=watermark, now=now))
        if computed is None:
            return None
        without = None
        if has_held(pool):
            without = from_sums(True, partial(rate_without_holds, ties=source.ties))
            if without is None:
                return None
        return with_holds(
            *(session, computed, self._arrays),
            track=track,
            prompts=source.prompts,
            without=without,
            now=now,
        )

    # --- snapshots --------------------------------------------------------------------------------

    def _store(self, keys: Iterable[Key]) -> None:
        """Store leaderboards in one transaction; this process shows those that cannot be stored."""
        computed = [self._states[key].computed for key in keys if key in self._states]
        if not computed:
            return

        def store(session: Session) -> None:
            for each in computed:
                store_snapshot(session, each, replace_newer=False)

        try:
            self._database.write(store, until=time.monotonic() + STORE_S)
        except DatabaseError:  # the database logs why
            for each in computed:
                keep_in_memory(self._database, each)

    def _touch(self, sources: dict[Key, BoardSource], now: datetime) -> None:
        """Advance the watermark of the leaderboards that later votes did not change."""
        watermark, events = self._arrays.watermark, self._arrays.events
        clock = time.monotonic()
        if clock - self._touched_at < TOUCH_S:
            return
        self._touched_at = clock
        unchanged = {
            key: state
            for key, state in self._states.items()
            if state.source == sources[key] and _lags(state, watermark, events)
        }
        for key, state in unchanged.items():
            board = replace(state.computed.board, watermark=watermark)
            if board.computed_at.date() != now.astimezone(UTC).date():
                board = replace(board, computed_at=now)  # the snapshot of a new day
            computed = replace(state.computed, board=board, hold_events=events)
            self._states[key] = replace(state, computed=computed)
        today = {key for key, state in unchanged.items() if _day(state) == _day(self._states[key])}
        self._store(set(unchanged) - today)
        with suppress(DatabaseError):
            with self._database.writing(until=time.monotonic() + STORE_S) as session:
                for key in today:
                    advance_watermark(session, self._states[key].computed)


def _lags(state: _State, watermark: int, events: int) -> bool:
    return state.computed.board.watermark < watermark or state.computed.hold_events < events


def _day(state: _State) -> date:
    return state.computed.board.computed_at.astimezone(UTC).date()
