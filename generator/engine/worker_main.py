"""Inside the processes of a worker: the model in one, the finishing of its clips beside it."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from ctypes import c_double
from functools import partial
from multiprocessing.connection import Connection
from queue import LifoQueue
from socket import SHUT_RDWR, socket
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from generator.clips import ClipRequest, FailedClip
from generator.engine.worker import (
    DeviceLost,
    ModelOutput,
    Outcome,
    Worker,
    describe_error,
    post_process,
)
from generator.measures import find_measures
from generator.memory import reuse_freed_memory
from generator.progress import progress_listener

# Time to clean up once the parent is gone; longer than the parent waits before it kills.
EXIT_TIMEOUT_S = 8.0
NICENESS = 10  # of finishers: their work is seldom what a run waits for


class Ready(NamedTuple):
    """From a worker: the model's part of a clip is done, the next can come."""


class Finished(NamedTuple):
    """From a worker: the clip of the request of this number."""

    number: int
    clip: Outcome


def serve(
    connection: Connection,
    finishers: tuple[Connection, ...],
    share: c_double,
    environment: dict[str, str],
) -> None:
    """The life of a process: make what comes, until no more comes."""
    _set_up_process(connection, environment)
    sending = threading.Lock()

    def send(message: Ready | Finished) -> None:
        with sending, suppress(BrokenPipeError, ConnectionResetError):
            connection.send(message)

    def tell(done: float) -> None:
        share.value = done

    there = remote_post_processing(finishers)
    with suppress(EOFError, ConnectionResetError), Worker(there) as worker, progress_listener(tell):
        while (given := connection.recv()) is not None:
            number, request = given
            try:
                finished = worker.submit(request)
            except DeviceLost:
                os._exit(1)  # cleaning up would only hang on the lost device
            finished.add_done_callback(partial(_tell, send, number))
            send(Ready())


def _tell(send: Callable[[Finished], None], number: int, finished: Future[Outcome]) -> None:
    if finished.cancelled():
        return  # the process ends
    try:
        send(Finished(number, finished.result()))
    except Exception:
        os._exit(1)  # a clip of which nothing is told would be waited for


def remote_post_processing(
    finishers: tuple[Connection, ...],
) -> Callable[[ClipRequest, ModelOutput], Outcome]:
    """What has clips finished by the processes at the other ends: by the idle one used last.

    What a measure has drawn or loaded for one clip serves it for the next.
    """
    idle: LifoQueue[Connection] = LifoQueue()
    for link in finishers:
        idle.put(link)

    def finish(request: ClipRequest, draft: ModelOutput) -> Outcome:
        if isinstance(draft, FailedClip):
            return draft
        link = idle.get()
        try:
            link.send((request, draft))
        except OSError:
            os._exit(1)  # without a finisher: another worker, with new ones, tries these clips
        except Exception as error:  # nothing was sent: too large, or what cannot be
            idle.put(link)
            return FailedClip(request, describe_error(request, error))
        try:
            outcome: Outcome = link.recv()
        except Exception:  # whatever it is, the clip is lost
            os._exit(1)
        idle.put(link)
        return outcome

    return finish


def serve_post_processing(connection: Connection, environment: dict[str, str]) -> None:
    """The life of a finisher: as long as its worker's."""
    _set_up_process(connection, environment)
    _lower_priority()
    with suppress(EOFError, OSError):
        while True:
            connection.send(post_process(*connection.recv()))


def _set_up_process(connection: Connection, environment: dict[str, str]) -> None:
    """Begin a process: who started it decides when it stops, and on what it works."""

    def stop(*_: object) -> None:
        # A thread may be sending to somebody who reads no more: it would wait for ever.
        with socket(fileno=os.dup(connection.fileno())) as line, suppress(OSError):
            line.shutdown(SHUT_RDWR)
        sys.exit()  # by the way that cleans up

    threading.Thread(target=_exit_after, args=(connection,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    os.environ.clear()
    os.environ.update(environment)


def _exit_after(connection: Connection) -> None:
    """End this process some time after the other end is gone, even if a model never returns."""
    if not hasattr(select, "poll"):
        return
    waiting = select.poll()
    waiting.register(connection.fileno(), 0)  # whatever is asked for, a hang-up is told
    waiting.poll()
    time.sleep(EXIT_TIMEOUT_S)
    os._exit(1)


def _lower_priority() -> None:
    """Leave the processors to the models, as far as they need them.

    numpy's second thread, for one, waits busily between its pieces of work.
    """
    find_measures()  # loads the libraries that have threads
    threadpool_limits(1)
    reuse_freed_memory()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
