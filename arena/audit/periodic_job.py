"""What the jobs that seal votes and test voters have in common: rounds, and what if one fails."""

import logging

from arena.database import Database
from arena.error_log import ErrorLog
from arena.errors import ArenaError
from arena.standings.leased_job import LeasedJob


class PeriodicJob(LeasedJob):
    """A leased job that does rounds for ever; one that fails is logged.

    Args:
        database: has the lease.
        lease: its name.
        task: what a round does, for messages, such as "Sealing votes".
        tick_s: between rounds, at least.
        logger: of the job's module.
    """

    def __init__(
        self, database: Database, lease: str, *, task: str, tick_s: float, logger: logging.Logger
    ) -> None:
        super().__init__(database, lease)
        self._task, self._tick_s, self._logger = task, tick_s, logger
        self._errors = ErrorLog(logger, task)

    def _run_rounds(self) -> None:
        while not self._stop.wait(self._tick_s):
            self.run_once()

    def run_once(self) -> bool:
        """Do a round if one is due and this process has the lease; whether it did."""
        try:
            if not self._do_round():
                return False
        except ArenaError as error:
            self._errors.failed(str(error))
            return False
        except Exception:
            self._logger.exception("A round of %s failed", self._task.lower())
            return False
        self._errors.succeeded()
        return True

    def _do_round(self) -> bool:
        """Do what is due, if this process has the lease; whether it did."""
        raise NotImplementedError
