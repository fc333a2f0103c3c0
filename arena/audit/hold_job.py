"""The background job that applies the rules about voters, in one process of an arena."""

import logging
import time
from typing import TYPE_CHECKING

from arena.context import utc_now
from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import ArenaError
from arena.standings.leased_job import LeasedJob

# It loads slowly, and is not needed before the first round.
if TYPE_CHECKING:
    from arena.audit.screening import VoterScreen

LEASE = "holds"
TICK_S = 20.0  # between rounds, at least
SHARE = 0.03  # of a core

log = logging.getLogger(__name__)


class HoldJob(LeasedJob):
    """The job as a thread: `start` and `stop` it in whatever process hosts it.

    Args:
        database: of the arena.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        super().__init__(database, LEASE)
        self._errors = ErrorLog(log, "Testing voters")
        self._screen: VoterScreen | None = None
        self._due_at = 0.0

    def _run_rounds(self) -> None:
        while not self._stop.wait(TICK_S):
            self.run_once()

    def run_once(self) -> bool:
        """Test the voters with new votes, if this process has the lease; whether it did."""
        try:
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
        except ArenaError as error:
            self._errors.failed(str(error))
            return False
        except Exception:
            log.exception("A round of testing voters failed")
            return False
        self._errors.succeeded()
        return True

    def _new_screen(self) -> "VoterScreen":
        from arena.audit.screening import VoterScreen

        return VoterScreen(self._database)
