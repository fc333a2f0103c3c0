"""The background job that applies the rules about voters, in one process of an arena."""

import logging
import os
import threading
import time
from contextlib import suppress

from arena.audit.screening import VoterScreen
from arena.context import utc_now
from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import ArenaError, DatabaseError
from arena.standings.leases import LeaseKeeper

LEASE = "holds"
TICK_S = 20.0  # between rounds, at least
SHARE = 0.03  # of a core
NICENESS = 10  # of the job's thread, below the threads that answer requests

log = logging.getLogger(__name__)


class HoldJob:
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        database: of the arena.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lease = LeaseKeeper(database, LEASE)
        self._errors = ErrorLog(log, "Testing voters")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._screen: VoterScreen | None = None
        self._due_at = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="holds", daemon=True)
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
        """Test the voters with new votes, if this process has the lease; whether it did."""
        try:
            if not self._lease.hold():
                self._screen = None
                return False
            if time.monotonic() < self._due_at:
                return False
            self._screen = self._screen or VoterScreen(self._database)
            started = time.thread_time()
            self._screen.run(now=utc_now())
            self._due_at = time.monotonic() + (time.thread_time() - started) / SHARE
        except ArenaError as error:
            self._errors.failed(str(error))
            return False
        except Exception:
            log.exception("A round of testing voters failed")
            return False
        self._errors.succeeded()
        return True
