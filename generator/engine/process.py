"""A worker's process as the main process sees it."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing import resource_tracker, sharedctypes
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from generator.backends import libraries_of
from generator.clips import ClipRequest, FailedClip
from generator.engine.worker import POST_PROCESSORS, Finished, Lost, Outcome, Ready
from generator.spec import Entrant

STOP_TIMEOUT_S = 5.0  # a process that has not ended by then is killed
POST_PROCESSOR = "post-processor"  # name of its processes
NICENESS = 10  # of these, so that a model on the same processors comes first
# The code of the processes. Only they import it: importing it loads the measures.
MAIN_MODULE = "generator.engine.worker_main"
# Bytes: 107 for a socket's path (unix(7)), less "/pymp-XXXXXXXX/listener-XXXXXXXX".
MAX_TEMPORARY_PATH = 75


class WorkerProcess:
    """A worker's process, its post-processors, and the requests that it has, by number.

    Post-processing runs in processes of its own. In threads, its Python code would compete with
    the model's for the interpreter lock, and a model of many small steps would wait for it.

    Args:
        device: the GPU to use, as written in CUDA_VISIBLE_DEVICES. Default: all.
        post_processors: number of clips in post-processing at once.
        waits: whether it waits for services: many requests at once, of several entrants.
        niceness: of the post-processors; by default models come first.
    """

    def __init__(
        self,
        device: str | None = None,
        post_processors: int = POST_PROCESSORS,
        *,
        waits: bool = False,
        niceness: int = NICENESS,
    ) -> None:
        context = _context()
        # The current environment: the fork server has that of its own start.
        environment = dict(os.environ)
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        self.connection, far_end = context.Pipe()
        # Without a lock: a process killed while it holds one would never release it.
        self._progress = sharedctypes.RawValue(c_double, 0.0)
        links = [context.Pipe() for _ in range(post_processors)]
        worker_ends, post_processor_ends = zip(*links, strict=True)
        self.process = context.Process(
            name="worker",
            target=_run_order_worker if waits else _run_worker,
            args=(far_end, worker_ends, self._progress, environment),
            daemon=True,
        )
        self.post_processors = [
            context.Process(
                name=POST_PROCESSOR,
                target=_run_post_processor,
                args=(link, environment, niceness),
                daemon=True,
            )
            for link in post_processor_ends
        ]
        self.requests: dict[int, ClipRequest] = {}
        self._submitted = 0
        with _interrupts_blocked():
            for process in (self.process, *self.post_processors):
                process.start()
        # Close our copies: with them open, we would not see EOF when a process ends.
        for link in (far_end, *worker_ends, *post_processor_ends):
            link.close()

    @property
    def progress(self) -> float:
        """The fraction of the current clip that is done, 0 to 1, as reported by the backend."""
        return float(self._progress.value)

    @property
    def exit_code(self) -> int | None:
        """Of the process; None while it runs, negative after a signal."""
        return self.process.exitcode

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self.process.exitcode is not None

    def submit(self, request: ClipRequest) -> int:
        """Send a request; returns the number that its clip will carry."""
        number, self._submitted = self._submitted, self._submitted + 1
        self.requests[number], self._progress.value = request, 0.0
        # The end of the process is reported by `receive`.
        with suppress(BrokenPipeError):
            self.connection.send((number, request))
        return number

    def close(self) -> None:
        """Announce that no more requests come: the process ends after its last clip is sent."""
        with suppress(BrokenPipeError):
            self.connection.send(None)

    def receive(self) -> Ready | Finished | Lost:
        """Wait for its next message.

        Raises:
            EOFError: the process has ended.
        """
        try:
            message: Ready | Finished | Lost = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.join()
            raise EOFError from None
        if not isinstance(message, Ready):
            del self.requests[message.number]
        return message

    def result(self) -> Outcome:
        """Wait for the clip of the only request; a failed clip if the process ends."""
        (request,) = self.requests.values()
        try:
            while not isinstance(message := self.receive(), Finished):
                pass  # such a process sends no `Lost`
        except EOFError:
            self.requests.clear()
            return FailedClip(request, self.failure_reason(request))
        return message.clip

    def failure_reason(self, request: ClipRequest) -> str:
        """The reason for a request that the process ended on."""
        return (
            f"The process of {request.entrant.name} ended on prompt {request.prompt_id} "
            f"(exit code {self.process.exitcode}); give it more memory or use fewer workers."
        )

    def stop(self) -> None:
        """Ask the process to end: an idle one ends at once, a busy one after closing its model."""
        self.connection.close()
        if self.requests:
            self.process.terminate()

    def join(self) -> None:
        """Wait until the process and its post-processors have ended; kill them if they do not."""
        _join_or_kill(self.process)
        for process in self.post_processors:  # nobody waits for their clips any more
            process.terminate()
            _join_or_kill(process)


def preload(entrants: Iterable[Entrant]) -> None:
    """Have the fork server import the libraries of these entrants' models once for all processes.

    Has an effect only before the first process starts. No preloaded module may use a GPU.
    """
    context = _context()
    if isinstance(context, ForkServerContext):
        context.set_forkserver_preload([MAIN_MODULE, *libraries_of(entrants)])


def _run_worker(
    connection: Connection,
    links: tuple[Connection, ...],
    progress: c_double,
    environment: dict[str, str],
) -> None:
    from generator.engine.worker_main import run_worker

    run_worker(connection, links, progress, environment)


def _run_order_worker(
    connection: Connection,
    links: tuple[Connection, ...],
    progress: c_double,
    environment: dict[str, str],
) -> None:
    from generator.engine.worker_main import run_order_worker

    run_order_worker(connection, links, environment)


def _run_post_processor(link: Connection, environment: dict[str, str], niceness: int) -> None:
    from generator.engine.worker_main import run_post_processor

    run_post_processor(link, environment, niceness)


def _context() -> ForkServerContext | SpawnContext:
    # The fork server listens on a socket in the temporary folder, whose path has a maximum length.
    is_short = len(os.fsencode(tempfile.gettempdir())) <= MAX_TEMPORARY_PATH
    if is_short and "forkserver" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def _join_or_kill(process: BaseProcess) -> None:
    process.join(STOP_TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        process.join()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from their first moment: the main process stops them.

    They inherit the signal mask of the thread that starts them.
    """
    resource_tracker.ensure_running()  # starting it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
