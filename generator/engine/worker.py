"""A worker: holds one entrant's backend and makes one clip after another.

A clip has two parts: the model's, which needs the weights, and post-processing (fitting, encoding,
measuring), which needs only a CPU. Post-processing of a clip overlaps the model's part of the next.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Condition, Lock
from typing import NamedTuple

from generator.backends import Backend, find_backend
from generator.clips import ClipRequest, FailedClip, GeneratedClip, Provenance, RawClip
from generator.engine.failures import describe_error, result_or_failure
from generator.engine.post_processing import post_process
from generator.errors import GeneratorError
from generator.media import decode_for_track

Outcome = GeneratedClip | FailedClip
Clips = Generator[Outcome, None, None]
ModelOutput = tuple[RawClip, Provenance]

POST_PROCESSORS = 2  # clips of one worker in post-processing at once

# Limits of `Backlog`. Eight clips, so that a small model does not wait for one slow clip, yet a
# kill loses few. The bytes are those of raw samples: 5 s of 1080p are 750 MB, and of such clips
# there are two, one at the model and one in post-processing.
MAX_CLIPS = 8
MAX_BYTES = 256 * 2**20
MIN_CLIPS = 2


class Ready(NamedTuple):
    """Message of a worker's process: the model is free for the next request."""


class Finished(NamedTuple):
    """Message of a worker's process: the clip of the request with this number."""

    number: int
    clip: Outcome


@contextmanager
def open_worker(
    post_process: Callable[[ClipRequest, RawClip, Provenance], Outcome] = post_process,
) -> Iterator["Worker"]:
    """A worker; on leaving, its backend is closed and its last clips are finished.

    After an error, such as the exit of the process, unfinished clips are dropped.

    Args:
        post_process: called by `POST_PROCESSORS` threads.
    """
    threads = ThreadPoolExecutor(POST_PROCESSORS, thread_name_prefix="post-processing")
    with ExitStack() as backend:
        worker = Worker(backend, threads, post_process)
        try:
            yield worker
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        threads.shutdown()


class Worker:
    """Makes clips; its backend stays open until a request of another entrant comes."""

    def __init__(
        self,
        open_backend: ExitStack,
        threads: ThreadPoolExecutor,
        post_process: Callable[[ClipRequest, RawClip, Provenance], Outcome],
    ) -> None:
        self._open_backend = open_backend
        self._threads = threads
        self._post_process = post_process
        self._entrant: str | None = None  # key of the entrant whose backend is open
        self._backend: Backend | None = None
        self._load_error: str | None = None  # why the entrant's backend cannot be opened
        self._checked_tracks: set[str] = set()
        self._backlog = Backlog()
        self._model_lock = Lock()  # a model makes one clip at a time

    def submit(self, request: ClipRequest) -> "Future[Outcome]":
        """Run the model, then queue its output for post-processing.

        Blocks while the backlog of unfinished clips is full.

        Raises:
            DeviceLost: the device can do no more work for this process.
        """
        self._backlog.acquire()
        size = 0
        try:
            with self._model_lock:
                output = result_or_failure(request, lambda: self._run_model(request))
            if isinstance(output, FailedClip):
                self._backlog.release(0)
                failed: Future[Outcome] = Future()
                failed.set_result(output)
                return failed
            raw, provenance = output
            size = raw.size_bytes
            self._backlog.add_bytes(size)
            clip = self._threads.submit(self._post_process, request, raw, provenance)
        except BaseException:
            self._backlog.release(size)
            raise
        clip.add_done_callback(lambda _: self._backlog.release(size))
        return clip

    def make(self, request: ClipRequest) -> Outcome:
        """Make a clip and wait for it."""
        return self.submit(request).result()

    def _run_model(self, request: ClipRequest) -> ModelOutput:
        if request.stored_master is not None:
            master = request.stored_master.read()
            return decode_for_track(master, request.track), request.stored_master.provenance
        return self._ready_backend(request).generate(request)

    def _ready_backend(self, request: ClipRequest) -> Backend:
        """The request's backend, checked for its track and opened once."""
        if request.entrant.key != self._entrant:
            self._open_backend.close()
            self._entrant, self._backend, self._load_error = request.entrant.key, None, None
            self._checked_tracks.clear()
        if self._load_error is not None:
            raise GeneratorError(self._load_error)
        backend = self._backend or find_backend(request.entrant)
        track = request.track.model_dump_json()
        if track not in self._checked_tracks:
            backend.check(request.track)
            self._checked_tracks.add(track)
        if self._backend is None:
            try:
                self._backend = self._open_backend.enter_context(backend)
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
