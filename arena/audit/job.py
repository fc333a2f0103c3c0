"""The background job that seals new votes on a schedule, in one process of an arena."""

import logging
import time
from contextlib import suppress

from arena.audit.seals import brief_pause, seal_votes
from arena.context import Arena, utc_now
from arena.error_log import ErrorLog
from arena.errors import ArenaError, ConfigurationError, DatabaseError
from arena.standings.leased_job import LeasedJob

LEASE = "seals"
EVERY_S = 600.0  # between seals, if anything is new
TICK_S = 30.0  # between renewals of the lease

log = logging.getLogger(__name__)


class SealJob(LeasedJob):
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        arena: whose votes are sealed.
    """

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        super().__init__(arena.database, LEASE)
        self._errors = ErrorLog(log, "Sealing votes")
        self._due_at = 0.0

    def _run_rounds(self) -> None:
        while not self._stop.wait(TICK_S):
            self.run_once()

    def run_once(self) -> bool:
        """Seal what is new if that is due and this process has the lease; whether it was."""
        try:
            if not self._lease.hold() or time.monotonic() < self._due_at:
                return False
            seal_votes(self._arena, now=utc_now(), pause=brief_pause)
        except ArenaError as error:
            self._errors.failed(str(error))
            if isinstance(error, ConfigurationError):
                # This machine has not the arena's key: another one, which has it, seals.
                with suppress(DatabaseError):
                    self._lease.release()
            return False
        except Exception:
            log.exception("A round of sealing votes failed")
            return False
        self._errors.succeeded()
        self._due_at = time.monotonic() + EVERY_S
        return True
