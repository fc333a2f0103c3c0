"""Which of several processes does a background job: a lease in the database.

The holder counts `renewals` up. Another process takes the lease over once it has seen the same
count for `SILENCE_S` by its own monotonic clock, so that clocks need not agree and may step. Taking
and renewing compare and set one row in one statement, so that two processes never both succeed.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Event, Lock, Thread

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from arena.database import Database
from arena.errors import DatabaseError
from arena.models import Lease

SILENCE_S = 6.0
RENEW_S = 1.5  # a few renewals fit into the silence, of which some may fail
WRITE_S = 1.0  # how long a renewal waits for the database


class LeaseKeeper:
    """One process's view of one lease.

    Args:
        database: has the lease.
        name: of the job.
        clock: monotonic, seconds.
    """

    def __init__(
        self, database: Database, name: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._name, self._clock = database, name, clock
        self.holder = f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._seen: tuple[str, int] | None = None
        self._seen_at = clock()
        self._is_held = False
        self._lock = Lock()

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lease while it is held, by a thread, until the block ends.

        Without, a round or a pause that is longer than `SILENCE_S` would lose it, and what the
        holder has in memory with it.
        """
        ended = Event()

        def renew() -> None:
            while not ended.wait(RENEW_S):
                with suppress(DatabaseError):
                    if self._is_held:
                        self.hold()

        thread = Thread(target=renew, name=f"lease of {self._name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def hold(self) -> bool:
        """Renew the lease, or take it if its holder is silent; whether it is held.

        Raises:
            StoreUnavailable: the database cannot be read or written now.
        """
        with self._lock:
            self._is_held = self._hold()
            return self._is_held

    def _hold(self) -> bool:
        with self._database.reading() as session:
            row = session.execute(
                select(Lease.holder, Lease.renewals).where(Lease.name == self._name)
            ).one_or_none()
        if row is None:
            return self._insert()
        current = (row.holder, row.renewals)
        if row.holder != self.holder:
            if current != self._seen:
                self._seen, self._seen_at = current, self._clock()
                return False
            if self._clock() - self._seen_at < SILENCE_S:
                return False
        return self._update(*current)

    def release(self) -> None:
        """Give the lease up, so that another process need not wait."""
        self._is_held = False
        with self._writing() as session:
            session.execute(
                delete(Lease).where(Lease.name == self._name, Lease.holder == self.holder)
            )

    def _insert(self) -> bool:
        try:
            with self._writing() as session:
                values = {"name": self._name, "holder": self.holder, "renewals": 1}
                session.execute(insert(Lease).values(values))
        except IntegrityError:  # another process was first
            return False
        return True

    def _update(self, holder: str, renewals: int) -> bool:
        with self._writing() as session:
            changed = session.execute(
                update(Lease)
                .where(Lease.name == self._name, Lease.holder == holder, Lease.renewals == renewals)
                .values(holder=self.holder, renewals=renewals + 1)
            )
            return bool(changed.rowcount)  # type: ignore[attr-defined]

    def _writing(self) -> AbstractContextManager[Session]:
        # A lease that could not be renewed is tried again within its time: no fault of the arena.
        return self._database.writing(until=time.monotonic() + WRITE_S, is_logged=False)
