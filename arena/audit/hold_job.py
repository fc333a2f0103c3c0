"""The background job that applies the rules about voters, in one process of an arena."""

import logging
import time
from typing import TYPE_CHECKING

from arena.audit.periodic_job import PeriodicJob
from arena.context import utc_now
from arena.database import Database

# It loads slowly, and is not needed before the first round.
if TYPE_CHECKING:
    from arena.audit.screening import VoterScreen

LEASE = "holds"
TICK_S = 20.0  # between rounds, at least
SHARE = 0.03  # of a core

log = logging.getLogger(__name__)


class HoldJob(PeriodicJob):
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        database: of the arena.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, LEASE, task="Testing voters", tick_s=TICK_S, logger=log)
        self._database = database
        self._screen: VoterScreen | None = None
        self._due_at = 0.0

    def _do_round(self) -> bool:
        if not self._lease.hold():
            self._screen = None
            return False
        if time.monotonic() < self._due_at:
            return False
        if self._screen is None:
            self._screen = self._new_screen()
        started = time.thread_time()
        self._screen.run(now=utc_now())
        self._due_at = time.monotonic() + (time.thread_time() - started) / SHARE
        return True

    def _new_screen(self) -> "VoterScreen":
        from arena.audit.screening import VoterScreen

        return VoterScreen(self._database)
