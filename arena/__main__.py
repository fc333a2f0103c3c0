"""`arena` and `python -m arena`: a command that Ctrl-C or SIGTERM stops in order, at any moment."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT  # what a shell makes of Ctrl-C


def main() -> None:
    """Run a command; stopped, it says so in one line and ends with 128 + the signal's number."""
    received = signal.SIGINT

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received = signal.Signals(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    # `python -m` has modules of the current folder imported, and a spec that lies there could name
    # one: what runs here is what is installed.
    if sys.path[0] == os.getcwd():
        del sys.path[0]
    try:
        from arena.commands.cli import run  # takes a second, in which one may change one's mind

        run()
        return
    except KeyboardInterrupt:
        pass
    except SystemExit as ended:
        if ended.code != INTERRUPTED:
            raise
    sys.stderr.write("Stopped: the same command goes on from here.\n")
    sys.exit(128 + received)


if __name__ == "__main__":
    main()
