"""Logs a failure that may repeat with every request once, and then how often it occurred."""

import logging
import time
from collections.abc import Callable
from threading import Lock

REPEAT_S = 60.0  # while a failure lasts, its count is logged this often


class ErrorLog:
    """The failures of one kind of operation, such as writing to the database.

    The first failure is logged, and so is one with another message; while they last, a line a
    minute has their number, and so has the line after the first success.
    """

    def __init__(
        self,
        logger: logging.Logger,
        operation: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger, self._operation, self._clock = logger, operation, clock
        self._lock = Lock()
        self._failures = 0
        self._messages: set[str] = set()
        self._started = self._logged = 0.0

    def failed(self, message: str) -> None:
        """Record a failure."""
        with self._lock:
            now = self._clock()
            self._failures += 1
            if self._failures == 1:
                self._started = now
            if message not in self._messages:
                self._messages.add(message)
                self._logged = now
                self._logger.error("%s failed: %s", self._operation, message)
            elif now - self._logged >= REPEAT_S:
                self._logged = now
                self._logger.error(
                    "%s failed %d times in %.0f s, last: %s",
                    *(self._operation, self._failures, now - self._started, message),
                )

    def succeeded(self) -> None:
        """Record a success; cheap, since it is called after every operation."""
        if not self._failures:
            return
        with self._lock:
            failures, self._failures = self._failures, 0
            self._messages.clear()
            if failures:
                self._logger.warning(
                    "%s works again after %d failures in %.0f s",
                    *(self._operation, failures, self._clock() - self._started),
                )
