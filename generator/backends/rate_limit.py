"""Limit the request rate to a server across all threads and processes of this machine."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from threading import Lock

from generator.waiting import pause

LOOK_S = 1.0  # between two looks at the time of the last request, which others may have moved
_turns: dict[Path, Lock] = defaultdict(Lock)  # one thread of this process waits for a slot


class SharedRateLimit:
    """Spaces requests evenly. Processes share the time of the last request through a locked file.

    A slot is taken when it begins, not ahead: what waits for one and is stopped leaves none behind.

    Args:
        name: Identifies the server; limiters with equal names share one rate.
        per_minute: Maximum number of requests per minute.
    """

    def __init__(self, name: str, *, per_minute: float) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self.path = Path(tempfile.gettempdir()) / f"hippodrome-rate-{os.getuid()}-{digest}"
        self.interval_s = 60 / per_minute

    def wait(self) -> None:
        """Wait until a request may be sent.

        Raises:
            SystemExit: the process is being stopped.
        """
        with _turns[self.path]:
            while (remaining_s := self._take_slot(time.time())) > 0:
                pause(min(remaining_s, LOOK_S))

    def _take_slot(self, now: float) -> float:
        """Take the slot that has begun, and return 0; else the seconds until the next one."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open(self.path, flags, 0o600), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            last = float(content) if content else 0.0
            if last > now:  # the clock was set back
                last = 0.0
            remaining_s = last + self.interval_s - now
            if remaining_s > 0:
                return remaining_s
            file.seek(0)
            file.truncate()
            file.write(repr(now))
            return 0.0
