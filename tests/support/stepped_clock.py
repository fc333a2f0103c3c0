"""Runs `arena` with a clock that a file sets back or forward: `python stepped_clock.py serve ...`.

The variable CLOCK_FILE names a file with a number of seconds to add. `time.monotonic` stays, as it
does when a machine's clock is set.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from arena import context

CHECK_S = 0.5  # how often the file is read

_real_time, _clock_file = time.time, Path(os.environ.get("CLOCK_FILE", ""))
_offset_s, _read_at = 0.0, -CHECK_S


def offset_s() -> float:
    global _offset_s, _read_at
    if time.monotonic() - _read_at >= CHECK_S:
        _offset_s, _read_at = float(_clock_file.read_text()), time.monotonic()
    return _offset_s


def stepped_time() -> float:
    return _real_time() + offset_s()


def stepped_utc_now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=offset_s())


if __name__ == "__main__":
    time.time = stepped_time
    context.utc_now = stepped_utc_now  # before any other module imports it

    from arena.__main__ import main

    sys.exit(main())
