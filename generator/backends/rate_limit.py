"""Limit the request rate to a server across all processes of this machine."""

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path

MAX_AHEAD_S = 3600.0  # a slot further ahead was reserved before the clock was set back


class SharedRateLimit:
    """Spaces requests evenly. Processes share the next free slot through a locked file.

    Args:
        name: Identifies the server; limiters with equal names share one rate.
        per_minute: Maximum number of requests per minute.
    """

    def __init__(self, name: str, *, per_minute: float) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self.path = Path(tempfile.gettempdir()) / f"hippodrome-rate-{os.getuid()}-{digest}"
        self.interval_s = 60 / per_minute

    def wait(self) -> None:
        """Reserve the next free slot and sleep until it begins."""
        now = time.time()
        time.sleep(self._reserve_slot(now) - now)

    def _reserve_slot(self, now: float) -> float:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open(self.path, flags, 0o600), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            last = float(content) if content else 0.0
            slot = max(now, last + self.interval_s)
            if slot > now + MAX_AHEAD_S + self.interval_s:
                slot = now
            file.seek(0)
            file.truncate()
            file.write(repr(slot))
            return slot
