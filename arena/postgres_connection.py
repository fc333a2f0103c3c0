"""A connection of psycopg that waits for the server no longer than a limit.

PostgreSQL's own limits end a statement that takes too long; they cannot end one that a server
which hangs, or a network that lost a packet, never answers.
"""

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen

LEAST_S = 5.0  # for a message after the limit, of a transaction that goes on, or to try the server


class LimitedConnection(psycopg.Connection[Any]):
    """Closes itself and raises OperationalError if the server does not answer in time.

    Attributes:
        until: when to give up, by `time.monotonic`; None for no limit.
    """

    until: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; see `psycopg.Connection.wait`."""
        limit = timeout
        if timeout is None and self.until is not None:
            limit = max(LEAST_S, self.until - time.monotonic())
        try:
            return super().wait(gen, interval=interval, timeout=limit)
        except psycopg.OperationalError as error:
            # psycopg's own error of a time-out is private, and has no SQLSTATE.
            if timeout is None and type(error).__name__ == "_WaitTimeout":
                self.pgconn.finish()  # an answer may still arrive, so it cannot be used again
                raise psycopg.OperationalError("timeout: the server sent no answer") from error
            raise
