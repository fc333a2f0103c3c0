"""A round of a background job that fails is logged, and the next one is done."""

import logging

import pytest
from server_processes import wait_until

from arena.audit.periodic_job import PeriodicJob
from arena.database import Database
from arena.errors import DatabaseError

log = logging.getLogger(__name__)


class _Job(PeriodicJob):
    """A job whose rounds end in turn as `rounds` says."""

    def __init__(self, database: Database, *rounds: bool | Exception) -> None:
        super().__init__(database, "test", task="Counting stars", tick_s=0.0, logger=log)
        self.rounds = list(rounds)

    def _do_round(self) -> bool:
        result = self.rounds.pop(0)
        if not self.rounds:
            self._stop.set()
        if isinstance(result, Exception):
            raise result
        return result


def test_a_round_that_fails_is_logged_and_the_next_one_is_done(
    arena_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    job = _Job(arena_database, DatabaseError("It is away."), ValueError("odd"), False, True, True)
    assert [job.run_once() for _ in range(4)] == [False, False, False, True]
    assert [record.getMessage() for record in caplog.records] == [
        "Counting stars failed: It is away.",
        "A round of counting stars failed",
        "Counting stars works again after 1 failures in 0 s",
    ]
    assert job.run_once()


def test_the_thread_goes_on_after_a_round_that_failed(arena_database: Database) -> None:
    job = _Job(arena_database, ValueError("odd"), DatabaseError("It is away."), True)
    job.start()
    wait_until(lambda: not job.rounds, "the rounds after a failure are not done")
    job.stop(timeout_s=60)
