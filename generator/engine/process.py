"""A worker in a process of its own: what a model does there ends no other."""

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing import resource_tracker, sharedctypes
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from generator.backends import libraries_of
from generator.clips import ClipRequest, FailedClip
from generator.engine.worker import POST_PROCESSORS, Outcome
from generator.engine.worker_main import Finished, Ready, serve, serve_post_processing
from generator.spec import Entrant

STOP_TIMEOUT_S = 5.0  # a process that has not ended by then is killed


class WorkerProcess:
    """A worker's process, the way to it, and the requests it is at, by number.

    Clips are finished in processes beside it: their Python would take turns with the model's own,
    and a model of many small steps would wait for them.

    Args:
        device: the card that it works on, as CUDA_VISIBLE_DEVICES names it; all without one.
        finishers: as many as there are clips at once that it may be asked for.
    """

    def __init__(self, device: str | None = None, finishers: int = POST_PROCESSORS) -> None:
        context = _context()
        # Of this moment: a fork server's processes would have that of its own start.
        environment = dict(os.environ)
        if device is not None:
            environment["CUDA_VISIBLE_DEVICES"] = device
        self.connection, theirs = context.Pipe()
        # Memory that both see, and no lock: a process killed while it held one would stop us too.
        self._share = sharedctypes.RawValue(c_double, 0.0)
        links = [context.Pipe() for _ in range(finishers)]
        near, far = zip(*links, strict=True)
        self.process = context.Process(
            target=serve, args=(theirs, near, self._share, environment), daemon=True
        )
        self._finishers = [
            context.Process(target=serve_post_processing, args=(link, environment), daemon=True)
            for link in far
        ]
        self.requests: dict[int, ClipRequest] = {}
        self._given = 0
        with _interrupts_blocked():
            for process in (self.process, *self._finishers):
                process.start()
        # Else a dead process would not show as the end of its connection.
        for link in (theirs, *near, *far):
            link.close()

    @property
    def progress(self) -> float:
        """Which share of its clip is done, 0 to 1, as far as the entrant's backend tells."""
        return float(self._share.value)

    @property
    def exited(self) -> bool:
        """Whether the process is there no more."""
        return self.process.exitcode is not None

    def submit(self, request: ClipRequest) -> int:
        """Have it make a clip; the number by which the clip will come."""
        number, self._given = self._given, self._given + 1
        self.requests[number], self._share.value = request, 0.0
        # A process that died already shows as the end of its connection.
        with suppress(BrokenPipeError):
            self.connection.send((number, request))
        return number

    def close(self) -> None:
        """No more will come: it ends once all its clips are sent."""
        with suppress(BrokenPipeError):
            self.connection.send(None)

    def receive(self) -> Ready | Finished:
        """What it says next, awaited.

        Raises:
            EOFError: the process has ended.
        """
        try:
            message: Ready | Finished = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.join()
            raise EOFError from None
        if isinstance(message, Finished):
            del self.requests[message.number]
        return message

    def result(self) -> Outcome:
        """The clip of its only request, awaited; a failed one where the process ended on it."""
        (request,) = self.requests.values()
        try:
            while not isinstance(message := self.receive(), Finished):
                pass
        except EOFError:
            self.requests.clear()
            return FailedClip(request, self.failure_reason(request))
        return message.clip

    def failure_reason(self, request: ClipRequest) -> str:
        """Why no clip came of a request that the process ended on."""
        return (
            f"{request.entrant.name} ended its process on prompt {request.prompt_id} "
            f"(exit code {self.process.exitcode}); give it more memory or fewer workers."
        )

    def stop(self) -> None:
        """Ask the process to end: at once where it is idle, else by the way that cleans up."""
        self.connection.close()
        if self.requests:
            self.process.terminate()

    def join(self) -> None:
        """Wait until the process has ended, and kill it where it does not."""
        _end(self.process)
        for process in self._finishers:  # at clips that nobody waits for any more
            process.terminate()
            _end(process)


def preload(entrants: Iterable[Entrant]) -> None:
    """Have what these entrants' models are made of imported once, and not by every process.

    Works before the first process is started. Nothing that is imported may touch a GPU.
    """
    context = _context()
    if isinstance(context, ForkServerContext):
        context.set_forkserver_preload(["generator.engine.preloaded", *libraries_of(entrants)])


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def _end(process: BaseProcess) -> None:
    """Wait until a process has ended, and kill it where it does not."""
    process.join(STOP_TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
        process.join()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C from their first moment; who started them stops them.

    They inherit the mask of the thread that starts them, whichever it is.
    """
    resource_tracker.ensure_running()  # which would let them through again where it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
