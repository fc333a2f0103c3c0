"""So many requests a minute, over all of a machine's processes that ask one server."""

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path

MAX_AHEAD_S = 3600.0  # a turn further ahead is of a clock that was set back since


class SharedRateLimit:
    """Gives turns at even distances; processes share them by a small file that one locks."""

    def __init__(self, name: str, *, per_minute: float) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self.path = Path(tempfile.gettempdir()) / f"hippodrome-rate-{os.getuid()}-{digest}"
        self.interval_s = 60 / per_minute

    def wait(self) -> None:
        """Take the next turn, and sleep until it comes."""
        now = time.time()
        time.sleep(self._reserve_slot(now) - now)

    def _reserve_slot(self, now: float) -> float:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open(self.path, flags, 0o600), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            written = file.read()
            last = float(written) if written else 0.0
            turn = max(now, last + self.interval_s)
            if turn > now + MAX_AHEAD_S + self.interval_s:
                turn = now
            file.seek(0)
            file.truncate()
            file.write(repr(turn))
            return turn
