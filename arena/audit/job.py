"""The background job that seals new votes on a schedule, in one process of an arena."""

import logging
import os
import threading
import time
from contextlib import suppress

from arena.audit.seals import brief_pause, seal_votes
from arena.context import Arena, utc_now
from arena.error_log import ErrorLog
from arena.errors import ArenaError, DatabaseError
from arena.standings.leases import LeaseKeeper

LEASE = "seals"
EVERY_S = 600.0  # between seals, if anything is new
TICK_S = 30.0  # between renewals of the lease
NICENESS = 10  # of the job's thread, below the threads that answer requests

log = logging.getLogger(__name__)


class SealJob:
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        arena: whose votes are sealed.
    """

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._lease = LeaseKeeper(arena.database, LEASE)
        self._errors = ErrorLog(log, "Sealing votes")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._due_at = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="seals", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread and give the lease up."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        with suppress(AttributeError, OSError):  # niceness is of a thread on Linux only
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        with self._lease.renewed():
            while not self._stop.wait(TICK_S):
                self.run_once()
        with suppress(DatabaseError):
            self._lease.release()

    def run_once(self) -> bool:
        """Seal what is new if that is due and this process has the lease; whether it was."""
        try:
            if not self._lease.hold() or time.monotonic() < self._due_at:
                return False
            seal_votes(self._arena, now=utc_now(), pause=brief_pause)
        except ArenaError as error:
            self._errors.failed(str(error))
            return False
        except Exception:
            log.exception("A round of sealing votes failed")
            return False
        self._errors.succeeded()
        self._due_at = time.monotonic() + EVERY_S
        return True
