"""Runs a module in a process of its own beside the server, and starts it again when it ends.

The process gets a value through a pipe, and ends once the other end of the pipe is closed, so also
if the process that started it is killed.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, BinaryIO, cast

from arena.errors import ArenaError

RESTART_S = 2.0  # after the process ended by itself
STOP_S = 15.0  # in which it has to end what it does, and keep what the next start needs

log = logging.getLogger(__name__)


@contextmanager
def child_process(
    module: str,
    value: object,
    *,
    name: str,
    after: Event,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a module beside the block, and start it again whenever it ends.

    Args:
        module: to run; it reads the value with `read_value`.
        value: what the module works with; it is pickled.
        name: of the process in messages.
        after: the process is started once this is set.
        environment: variables that it has besides those of this process.
    """
    ended = Event()
    running: list[subprocess.Popen[bytes]] = []

    def supervise() -> None:
        after.wait()
        while not ended.is_set():
            process = _start(module, value, environment or {})
            running[:] = [process]
            if ended.is_set():  # since the process was started
                _stop(process)
                break
            status = process.wait()
            # A service manager may send SIGTERM to all processes of the server at once.
            if not ended.wait(RESTART_S) and status:
                log.warning("The %s ended with status %s: it is started again.", name, status)

    thread = Thread(target=supervise, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        after.set()
        for process in running:
            _stop(process)
        thread.join(STOP_S)


def _start(module: str, value: object, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603  (the modules are this package's)
        # Without the current folder on the path, where a module could shadow an installed one.
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        env=os.environ | environment,
    )
    pipe = cast(BinaryIO, process.stdin)
    with suppress(BrokenPipeError):  # it has ended already
        pickle.dump(value, pipe)
        pipe.flush()
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError):
        cast(BinaryIO, process.stdin).close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()  # in a long computation, whose result may be lost
        process.wait()


def read_value(pipe: BinaryIO) -> Any:
    """Return, in the process that was started, the value that it works with.

    Args:
        pipe: its standard input.

    Raises:
        EOFError: the process that started this one ended before it sent the value.
    """
    # Ctrl-C reaches all processes of a terminal: the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return pickle.load(pipe)  # noqa: S301  (from the process that started this one)


def call_at_end(pipe: BinaryIO, callback: Callable[[], object]) -> None:
    """Call back, in another thread, once the other end of the pipe is closed."""

    def wait() -> None:
        while pipe.read(1):
            pass
        callback()

    Thread(target=wait, daemon=True).start()


def run_child(run: Callable[[BinaryIO], None], refusal: str) -> None:
    """Run, in the process that was started, what its module is for.

    Args:
        run: gets the standard input.
        refusal: what is logged, with the reason, if the arena refuses.
    """
    try:
        run(sys.stdin.buffer)
    except ArenaError as error:
        log.error("%s: %s", refusal, error)
        time.sleep(RESTART_S)
        sys.exit(1)
    except EOFError:  # the server ended before it sent the value
        sys.exit(0)
