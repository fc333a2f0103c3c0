"""Workers in processes of their own, each given one request at a time."""

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing import sharedctypes
from multiprocessing.connection import Connection, wait

from generator.progress import listening
from generator.spec import ClipRequest, FailedClip, GeneratedClip
from generator.worker import Clips, Worker

STOPPING_S = 5.0  # a process that has not ended by then is killed


class WorkerProcess:
    """A worker in a process of its own, and the request it is at."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # Memory that both see, and no lock: a process killed while it held one would stop us too.
        self._share = sharedctypes.RawValue(c_double, 0.0)
        self.process = context.Process(target=_serve, args=(theirs, self._share), daemon=True)
        self.request: ClipRequest | None = None
        with _interrupts_stay_here():
            self.process.start()
        theirs.close()  # else a dead process would not show as the end of the connection

    @property
    def share(self) -> float:
        """Which share of its clip is done, 0 to 1, as far as the entrant's backend tells."""
        return float(self._share.value)

    @property
    def ended(self) -> bool:
        """Whether the process is there no more."""
        return self.process.exitcode is not None

    def give(self, request: ClipRequest) -> None:
        """Have it make a clip; it must have none in work."""
        self.request, self._share.value = request, 0.0
        # A process that died already shows as the end of its connection when its clip is awaited.
        with suppress(BrokenPipeError):
            self.connection.send(request)

    def take(self) -> GeneratedClip | FailedClip:
        """Its clip, awaited; a failed one where the process ended on it."""
        request = self.request
        if request is None:
            raise ValueError("the worker was given no request")
        self.request = None
        try:
            clip: GeneratedClip | FailedClip = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return FailedClip(
                request,
                f"{request.entrant.name} ended its process on prompt {request.prompt_id} "
                f"(exit code {self.process.exitcode}); give it more memory or fewer workers.",
            )
        return clip

    def end(self) -> None:
        """Ask the process to end: at once where it is idle, else by the way that cleans up."""
        self.connection.close()
        if self.request is not None:
            self.process.terminate()

    def join(self) -> None:
        """Wait until the process has ended, and kill it where it does not."""
        self.process.join(STOPPING_S)
        if not self.ended:
            self.process.kill()
            self.process.join()


def work_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """The clips of all requests in the order in which they are finished.

    A process that dies costs the clip it was at; another takes its place.
    """
    waiting = deque(requests)
    workers: list[WorkerProcess] = []
    try:
        for _ in range(min(count, len(waiting))):
            workers.append(WorkerProcess())
            workers[-1].give(waiting.popleft())
        while busy := {w.connection: w for w in workers if w.request is not None}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                clip = worker.take()
                if worker.ended:
                    workers[workers.index(worker)] = worker = WorkerProcess()
                if waiting:
                    worker.give(waiting.popleft())
                yield clip
    finally:
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.join()


def _serve(connection: Connection, share: c_double) -> None:
    """The life of a process: make what comes, until nothing more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # leave by the way that cleans up

    def tell(done: float) -> None:
        share.value = done

    with Worker() as worker, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request = connection.recv()
            with listening(tell):
                clip = worker.make(request)
            connection.send(clip)


@contextmanager
def _interrupts_stay_here() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C from their first moment; who started them stops them.

    They inherit the mask of the thread that starts them, whichever it is.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
