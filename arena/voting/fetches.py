"""Which clips of a battle this server sent, and when: evidence for the watch times of a vote.

A request for bytes of a clip only adds to a ledger in memory. A timer stores what is new with the
battles, at most one short transaction every `STORE_EVERY_S`, so that other processes know of it and
a restart forgets no more than that. What is lost makes a vote "could not check"; it never refuses
or excludes one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock, Timer
from typing import Protocol

from sqlalchemy import bindparam, func, update
from sqlalchemy.orm import Session

from arena.database import Database
from arena.errors import DatabaseError
from arena.models import Battle, BattleFile

STORE_EVERY_S = 2.0
MAX_BATTLES = 100_000  # with clips that could not be stored yet; beyond it, they are forgotten

logger = logging.getLogger(__name__)

Key = tuple[int, BattleFile]


@dataclass(frozen=True)
class Fetch:
    """What was sent of one clip.

    Attributes:
        first_at: when its first byte was sent; aware.
        bytes: number of bytes sent, repeated ones included.
    """

    first_at: datetime
    bytes: int

    def __add__(self, other: "Fetch") -> "Fetch":
        return Fetch(min(self.first_at, other.first_at), self.bytes + other.bytes)


class FetchLedger:
    """What this process sent and has not stored yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._fetches: dict[Key, Fetch] = {}
        self._timer: Timer | None = None

    def record(self, battle_id: int, file: BattleFile, *, sent: int, now: datetime) -> None:
        """Note that bytes of a clip were sent; sources are not noted."""
        if file is BattleFile.SOURCE:
            return
        key = battle_id, file
        with self._lock:
            known = self._fetches.get(key)
            if known is None and len(self._fetches) >= 2 * MAX_BATTLES:
                return
            fetch = Fetch(now, sent)
            self._fetches[key] = fetch if known is None else known + fetch
            if self._timer is None:
                self._timer = Timer(STORE_EVERY_S, self._store_later)
                self._timer.daemon = True
                self._timer.start()

    def unstored(self, battle_id: int) -> dict[BattleFile, Fetch]:
        """Return what is not stored yet of one battle."""
        with self._lock:
            return {
                file: self._fetches[battle_id, file]
                for file in (BattleFile.A, BattleFile.B)
                if (battle_id, file) in self._fetches
            }

    def store(self) -> None:
        """Store what is new, in one transaction.

        Raises:
            DatabaseError: nothing was stored; it is kept for the next time.
        """
        with self._lock:
            if not self._fetches:
                return
        with self._database.writing() as session:
            # Copied and removed inside and after the transaction: a vote meanwhile sees it in the
            # ledger, in the database or in both, never in neither.
            with self._lock:
                stored = dict(self._fetches)
            _store_fetches(session, stored)
        with self._lock:
            for key, fetch in stored.items():
                more = self._fetches[key].bytes - fetch.bytes
                if more:
                    self._fetches[key] = Fetch(fetch.first_at, more)
                else:
                    del self._fetches[key]

    def _store_later(self) -> None:
        try:
            self.store()
        except DatabaseError as error:
            logger.debug("Fetched clips are not stored yet: %s", error)
        with self._lock:
            self._timer = None


def _store_fetches(session: Session, fetches: Mapping[Key, Fetch]) -> None:
    for file, at, size in (
        (BattleFile.A, Battle.fetched_a_at, Battle.fetched_a_bytes),
        (BattleFile.B, Battle.fetched_b_at, Battle.fetched_b_bytes),
    ):
        rows = [
            {"battle": battle_id, "at": fetch.first_at, "sent": fetch.bytes}
            for (battle_id, fetched), fetch in sorted(fetches.items())
            if fetched is file
        ]
        if rows:
            statement = (
                update(Battle.__table__)  # type: ignore[arg-type]
                .where(Battle.id == bindparam("battle"))
                .values(
                    {
                        at.key: func.coalesce(at, bindparam("at", type_=at.type)),
                        size.key: func.coalesce(size, 0) + bindparam("sent", type_=size.type),
                    }
                )
            )
            session.connection().execute(statement, rows)


class FetchedBattle(Protocol):
    """What is stored with a battle of what was sent."""

    @property
    def id(self) -> int: ...
    @property
    def fetched_a_at(self) -> datetime | None: ...
    @property
    def fetched_b_at(self) -> datetime | None: ...
    @property
    def fetched_a_bytes(self) -> int | None: ...
    @property
    def fetched_b_bytes(self) -> int | None: ...


def fetches_of(battle: FetchedBattle, ledger: FetchLedger) -> dict[BattleFile, Fetch]:
    """Return what is known to have been sent of a battle's clips, by side."""
    known = {
        file: Fetch(at, size or 0)
        for file, at, size in (
            (BattleFile.A, battle.fetched_a_at, battle.fetched_a_bytes),
            (BattleFile.B, battle.fetched_b_at, battle.fetched_b_bytes),
        )
        if at is not None
    }
    for file, fetch in ledger.unstored(battle.id).items():
        known[file] = known[file] + fetch if file in known else fetch
    return known
