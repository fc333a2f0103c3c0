"""The code of a worker's processes: one runs the model, the others post-process its clips.

Importing this module loads the installed measures. The fork server imports it once, and all
processes inherit them.
"""

import logging
import multiprocessing
import os
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

from threadpoolctl import threadpool_limits

from generator.clips import ClipRequest, FailedClip, ModelOutput
from generator.engine.failures import DeviceLost, describe_error
from generator.engine.post_processing import post_process
from generator.engine.worker import (
    CLIP_LOST,
    Finished,
    Lost,
    Outcome,
    Ready,
    open_order_worker,
    open_worker,
)
from generator.measures import find_measures
from generator.memory import reuse_freed_memory
from generator.progress import progress_listener
from generator.waiting import stopped_by

# Time to clean up once the main process is gone; longer than that one waits before it kills.
EXIT_TIMEOUT_S = 8.0
# Time in which orders that are being sent, and the journal, may finish when the process is stopped.
STOP_ORDERS_S = 4.0

logger = logging.getLogger(__name__)

find_measures()


def run_worker(
    connection: Connection,
    links: tuple[Connection, ...],
    progress: c_double,
    environment: dict[str, str],
) -> None:
    """Make clips until no more requests come.

    Args:
        connection: to the main process; receives (number, request) and at the end None, sends
            `Ready` and `Finished`.
        links: to the post-processors.
        progress: shared with the main process: the fraction of the current clip that is done.
        environment: replaces `os.environ`.
    """
    _set_up_process(environment)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    send = _sender(connection)

    def send_clip(number: int, clip: "Future[Outcome]") -> None:
        if clip.cancelled():
            return  # the process is ending
        try:
            send(Finished(number, clip.result()))
        except Exception:  # a post-processor died, or the clip cannot be sent: retry elsewhere
            os._exit(1)

    def set_progress(fraction: float) -> None:
        progress.value = fraction

    try:
        with open_worker(PostProcessors(links)) as worker, progress_listener(set_progress):
            while (message := connection.recv()) is not None:
                number, request = message
                try:
                    clip = worker.submit(request)
                except DeviceLost:
                    os._exit(1)  # cleaning up would hang on the lost device
                clip.add_done_callback(partial(send_clip, number))
                send(Ready(number))
    except (EOFError, ConnectionResetError, SystemExit):
        # Stopped. The model is closed; do not wait for threads, which may be sending to a main
        # process that no longer reads.
        os._exit(0)


def _sender(connection: Connection) -> Callable[[Ready | Finished | Lost], None]:
    """Return what threads send messages with, one at a time; not to a process that has ended."""
    lock = threading.Lock()

    def send(message: Ready | Finished | Lost) -> None:
        with lock, suppress(BrokenPipeError, ConnectionResetError):
            connection.send(message)

    return send


def run_order_worker(
    connection: Connection, links: tuple[Connection, ...], environment: dict[str, str]
) -> None:
    """Make clips that are ordered from services, each in a thread, until no more requests come.

    Args:
        connection: to the main process, as for `run_worker`; sends `Lost` too.
        links: to the post-processors.
        environment: replaces `os.environ`.
    """
    _set_up_process(environment)
    send = _sender(connection)
    stop = threading.Event()
    # No exception in the main thread: it ends once the main process has closed the connection.
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads: set[threading.Thread] = set()
    post_processors = PostProcessors(links, attempts=2)

    def send_clip(number: int, clip: "Future[Outcome]") -> None:
        if clip.cancelled():
            return  # the process is ending
        try:
            send(Finished(number, clip.result()))
        except Exception:  # post-processors died, or the clip cannot be sent
            lose(number)

    def lose(number: int) -> None:
        """End the process, and with it the claims of its journals: another one continues."""
        send(Lost(number))
        os._exit(CLIP_LOST)

    def make(number: int, request: ClipRequest) -> None:
        try:
            with stopped_by(stop):
                clip = worker.submit(request)
            send(Ready(number))
            clip.add_done_callback(partial(send_clip, number))
        except SystemExit:
            pass  # stopped while it waited
        except Exception:
            logger.exception("%s is lost", request.prompt_id)
            lose(number)
        finally:
            threads.discard(threading.current_thread())
            if stop.is_set() and not threads:
                os._exit(0)

    with open_order_worker(post_processors, post_processors=len(links)) as worker:
        try:
            while (message := connection.recv()) is not None:
                thread = threading.Thread(target=make, args=message, daemon=True)
                threads.add(thread)
                thread.start()
        except (EOFError, ConnectionResetError):  # while the backends are open: some cancel orders
            stop.set()
            end = time.monotonic() + STOP_ORDERS_S
            for thread in list(threads):
                thread.join(max(0.0, end - time.monotonic()))
            os._exit(0)


class PostProcessors:
    """Post-processes clips in the processes at the other ends of `links`; for their many threads.

    The process used last comes first: what a measure has loaded for one clip serves for the next.

    Args:
        links: to the processes.
        attempts: how many processes may die on a clip.
    """

    def __init__(self, links: tuple[Connection, ...], *, attempts: int = 1) -> None:
        self._idle: LifoQueue[Connection] = LifoQueue()
        self._lock = threading.Lock()
        self._alive = len(links)
        self._attempts = attempts
        for link in links:
            self._idle.put(link)

    def __call__(self, request: ClipRequest, output: ModelOutput) -> Outcome:
        """Send the model's output to an idle process and wait for the clip.

        Raises:
            OSError, EOFError: the process has died, and so have as many before as may.
        """
        for attempt in range(1, self._attempts + 1):
            link = self._idle.get()
            try:
                return self._post_process(link, request, output)
            except (EOFError, OSError):
                with self._lock:
                    self._alive -= 1
                    if attempt == self._attempts or not self._alive:
                        raise
        raise AssertionError

    def _post_process(self, link: Connection, request: ClipRequest, output: ModelOutput) -> Outcome:
        try:
            link.send((request, output))
        except OSError:
            raise
        except Exception as error:  # it cannot be pickled: nothing was sent
            self._idle.put(link)
            return FailedClip(request, describe_error(request, error))
        clip: Outcome = link.recv()
        self._idle.put(link)
        return clip


def run_post_processor(link: Connection, environment: dict[str, str], niceness: int) -> None:
    """Post-process the clips of one worker until it ends."""
    _set_up_process(environment)
    # Leave the processors to the models. numpy's second thread, for one, waits in a busy loop.
    threadpool_limits(1)
    reuse_freed_memory()
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
    with suppress(EOFError, OSError):
        while True:
            link.send(post_process(*link.recv()))


def _set_up_process(environment: dict[str, str]) -> None:
    """Ignore Ctrl-C, watch the main process, use its environment."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after_main_process, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)


def _exit_after_main_process() -> None:
    """End this process some time after the main process, even if a model never returns."""
    main_process = multiprocessing.parent_process()
    if main_process is not None:
        main_process.join()
        time.sleep(EXIT_TIMEOUT_S)
        os._exit(1)
