"""Entry point of `arena` and `python -m arena`; Ctrl-C and SIGTERM stop a command gracefully."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT  # as a shell reports Ctrl-C
MESSAGE = "Interrupted. Run the same command again to resume.\n"
IMPORT_SYSTEM = "<frozen importlib._bootstrap>"  # the file that its frames name


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM.

    A class of its own, because CPython ends a process by SIGINT, whatever its exit status, once a
    plain KeyboardInterrupt has passed through `exec` of a string, which `dataclass` calls.
    """


def main() -> None:
    """Run a command; if interrupted, say so in one line and exit with 128 + the signal's number."""
    received = signal.SIGINT

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = signal.Signals(number)
        if _is_importing(frame):
            # Libraries in C++, such as PyTorch, end the process with SIGABRT if code that they run
            # while they are imported raises an exception.
            with suppress(Exception):  # such as of a pipe that nobody reads
                sys.stdout.flush()
            with suppress(OSError):
                os.write(sys.stderr.fileno(), MESSAGE.encode())
            os._exit(128 + number)
        raise Interrupted

    try:
        signal.signal(signal.SIGTERM, stop)
        # Not in a job that ignores it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, stop)
        # `python -m` puts the current folder on the path, so a module there could shadow an
        # installed one that a spec names.
        if sys.path[0] == os.getcwd():
            del sys.path[0]
        from arena.commands.cli import run  # slow, so Ctrl-C must already be handled

        run()
        return
    except KeyboardInterrupt:
        pass
    except SystemExit as error:
        if error.code != INTERRUPTED:
            raise
    sys.stderr.write(MESSAGE)
    sys.exit(128 + received)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported in this frame or in one that called it."""
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False


if __name__ == "__main__":
    main()
