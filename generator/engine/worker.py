"""Workers: one holds an entrant's backend and makes one clip after another, one waits for services.

A clip has two parts: the model's, which needs the weights or a service, and post-processing
(fitting, encoding, measuring), which needs only a CPU. Post-processing of a clip overlaps the
model's part of the next.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Condition, Lock
from typing import NamedTuple

from generator.backends import Backend, find_backend
from generator.clips import ClipRequest, FailedClip, GeneratedClip, ModelOutput
from generator.engine.failures import describe_error, result_or_failure
from generator.engine.post_processing import post_process
from generator.errors import GeneratorError
from generator.media import decode_for_track

Outcome = GeneratedClip | FailedClip
Clips = Generator[Outcome, None, None]
PostProcess = Callable[[ClipRequest, ModelOutput], Outcome]

POST_PROCESSORS = 2  # clips of one worker in post-processing at once
CLIP_LOST = 3  # exit code of a process of orders after `Lost`

# Limits of `Backlog`. Eight clips, so that a small model does not wait for one slow clip, yet a
# kill loses few. The bytes are those of raw samples: 5 s of 1080p are 750 MB, and of such clips
# there are two, one at the model and one in post-processing.
MAX_CLIPS = 8
MAX_BYTES = 256 * 2**20
MIN_CLIPS = 2


class Ready(NamedTuple):
    """Message of a worker's process: the model, or the service, is done with this request."""

    number: int


class Finished(NamedTuple):
    """Message of a worker's process: the clip of the request with this number."""

    number: int
    clip: Outcome


class Lost(NamedTuple):
    """Last message of a process of orders: post-processors died on the clip of this request."""

    number: int


@contextmanager
def open_worker(post_process: PostProcess = post_process) -> Iterator["Worker"]:
    """A worker; on leaving, its backend is closed and its last clips are finished.

    After an error, such as the exit of the process, unfinished clips are dropped.

    Args:
        post_process: called by `POST_PROCESSORS` threads.
    """
    with _post_processing(post_process, POST_PROCESSORS) as (backends, queue):
        yield Worker(Backends(backends, at_once=1), queue)


@contextmanager
def open_order_worker(
    post_process: PostProcess, *, post_processors: int
) -> Iterator["OrderWorker"]:
    """A worker for requests that wait for services; otherwise like `open_worker`."""
    with _post_processing(post_process, post_processors) as (backends, queue):
        yield OrderWorker(Backends(backends, at_once=None), queue)


@contextmanager
def _post_processing(
    post_process: PostProcess, count: int
) -> Iterator[tuple[ExitStack, "PostProcessing"]]:
    threads = ThreadPoolExecutor(count, thread_name_prefix="post-processing")
    with ExitStack() as backends:
        try:
            yield backends, PostProcessing(threads, post_process)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        threads.shutdown()


class Worker:
    """Makes clips one at a time; its backend stays open until another entrant's request comes."""

    def __init__(self, backends: "Backends", queue: "PostProcessing") -> None:
        self._backends = backends
        self._queue = queue
        self._model_lock = Lock()  # a model makes one clip at a time

    def submit(self, request: ClipRequest) -> "Future[Outcome]":
        """Run the model, then queue its output for post-processing.

        Blocks while the backlog of unfinished clips is full.

        Raises:
            DeviceLost: the device can do no more work for this process.
        """
        backlog = self._queue.backlog
        backlog.acquire()
        try:
            with self._model_lock:
                output = result_or_failure(request, lambda: self._run_model(request))
        except BaseException:
            backlog.release(0)
            raise
        if isinstance(output, FailedClip):
            backlog.release(0)
            return _finished(output)
        return self._queue.submit(request, output)

    def make(self, request: ClipRequest) -> Outcome:
        """Make a clip and wait for it."""
        return self.submit(request).result()

    def _run_model(self, request: ClipRequest) -> ModelOutput:
        if request.stored_master is not None:
            master = request.stored_master.read()
            return decode_for_track(master, request.track), request.stored_master.provenance
        return self._backends.ready(request).generate(request)


class OrderWorker:
    """Makes clips by backends that wait for services, many at once: one in each calling thread."""

    def __init__(self, backends: "Backends", queue: "PostProcessing") -> None:
        self._backends = backends
        self._queue = queue

    def submit(self, request: ClipRequest) -> "Future[Outcome]":
        """Order a clip, wait for its file, then queue the file for post-processing.

        Blocks until the file is there, and longer while the backlog of unfinished clips is full:
        so no more clips are ordered than can be finished.
        """
        output = result_or_failure(request, lambda: self._backends.ready(request).generate(request))
        if isinstance(output, FailedClip):
            return _finished(output)
        self._queue.backlog.acquire()
        return self._queue.submit(request, output)


def _finished(clip: FailedClip) -> "Future[Outcome]":
    future: Future[Outcome] = Future()
    future.set_result(clip)
    return future


class PostProcessing:
    """Queues the output of models for post-processing."""

    def __init__(self, threads: ThreadPoolExecutor, post_process: PostProcess) -> None:
        self._threads = threads
        self._post_process = post_process
        self.backlog = Backlog()

    def submit(self, request: ClipRequest, output: ModelOutput) -> "Future[Outcome]":
        """Queue the output of a clip that was acquired from the backlog."""
        size = output[0].size_bytes
        self.backlog.add_bytes(size)
        try:
            clip = self._threads.submit(self._post_process, request, output)
        except BaseException:
            self.backlog.release(size)
            raise
        clip.add_done_callback(lambda _: self.backlog.release(size))
        return clip


class Backends:
    """The open backends of one process; thread-safe.

    Args:
        stack: closes them.
        at_once: how many may be open; None for any number.
    """

    def __init__(self, stack: ExitStack, *, at_once: int | None) -> None:
        self._stack = stack
        self._at_once = at_once
        self._open: dict[str, _OpenBackend] = {}  # by their entrants' keys
        self._lock = Lock()

    def ready(self, request: ClipRequest) -> Backend:
        """The request's backend, checked for its track and opened once."""
        with self._lock:
            key = request.entrant.key
            if key not in self._open:
                if len(self._open) == self._at_once:
                    self._stack.close()
                    self._open.clear()
                self._open[key] = _OpenBackend(self._stack)
            backend = self._open[key]
        return backend.ready(request)


class _OpenBackend:
    """The backend of one entrant, opened for its first request."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._backend: Backend | None = None
        self._load_error: str | None = None  # why it cannot be opened
        self._checked_tracks: set[str] = set()
        self._lock = Lock()

    def ready(self, request: ClipRequest) -> Backend:
        with self._lock:
            if self._load_error is not None:
                raise GeneratorError(self._load_error)
            backend = self._backend or find_backend(request.entrant)
            track = request.track.model_dump_json()
            if track not in self._checked_tracks:
                backend.check(request.track)
                self._checked_tracks.add(track)
            if self._backend is None:
                try:
                    self._backend = self._stack.enter_context(backend)
                except Exception as error:
                    # Loading again for every clip would fail as slowly each time.
                    expected = isinstance(error, GeneratorError)
                    self._load_error = str(error) if expected else describe_error(request, error)
                    raise
            return self._backend


class Backlog:
    """Limits the unfinished clips of a worker by number and by bytes; thread-safe."""

    def __init__(self) -> None:
        self._clips = self._bytes = 0
        self._changed = Condition()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Count one more clip once there is capacity; without it and `blocking`, return False."""
        with self._changed:
            if blocking:
                self._changed.wait_for(self._has_capacity)
            elif not self._has_capacity():
                return False
            self._clips += 1
            return True

    def add_bytes(self, size: int) -> None:
        """Count the samples, in bytes, of a clip acquired before it was generated."""
        with self._changed:
            self._bytes += size

    def release(self, size: int) -> None:
        """Stop counting a clip that is finished or failed, and its bytes."""
        with self._changed:
            self._clips -= 1
            self._bytes -= size
            self._changed.notify_all()

    def _has_capacity(self) -> bool:
        if self._clips < MIN_CLIPS:
            return True
        return self._clips < MAX_CLIPS and self._bytes < MAX_BYTES
