"""What background jobs have in common: a thread below the others, and a lease while it runs."""

import os
import threading
from contextlib import suppress

from arena.database import Database
from arena.errors import DatabaseError
from arena.standings.leases import LeaseKeeper

NICENESS = 10  # of the job's thread, below the threads that answer requests


class LeasedJob:
    """A job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        database: has the lease.
        lease: its name, and the thread's.
    """

    def __init__(self, database: Database, lease: str) -> None:
        self._lease = LeaseKeeper(database, lease)
        self._name = lease
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
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
            self._run_rounds()
        with suppress(DatabaseError):
            self._end()
            self._lease.release()

    def _run_rounds(self) -> None:
        """Do rounds until `_stop` is set."""
        raise NotImplementedError

    def _end(self) -> None:
        """Keep what the next start needs."""
