"""The background job that seals new votes on a schedule, in one process of an arena."""

import logging
import time
from contextlib import suppress

from arena.audit.periodic_job import PeriodicJob
from arena.audit.seals import brief_pause, seal_votes
from arena.context import Arena, utc_now
from arena.errors import ConfigurationError, DatabaseError

LEASE = "seals"
EVERY_S = 600.0  # between seals, if anything is new
TICK_S = 30.0  # between renewals of the lease

log = logging.getLogger(__name__)


class SealJob(PeriodicJob):
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        arena: whose votes are sealed.
    """

    def __init__(self, arena: Arena) -> None:
        super().__init__(arena.database, LEASE, task="Sealing votes", tick_s=TICK_S, logger=log)
        self._arena = arena
        self._due_at = 0.0

    def _do_round(self) -> bool:
        if not self._lease.hold() or time.monotonic() < self._due_at:
            return False
        try:
            seal_votes(self._arena, now=utc_now(), pause=brief_pause)
        except ConfigurationError:
            # This machine has not the arena's key: another one, which has it, seals.
            with suppress(DatabaseError):
                self._lease.release()
            raise
        self._due_at = time.monotonic() + EVERY_S
        return True
