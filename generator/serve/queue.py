"""The queue, and the threads that have its videos made, each in a process of its own.

A model that crashes takes its process with it and one video; the next video starts another.
"""

import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass

from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine.process import STOP_TIMEOUT_S, WorkerProcess
from generator.errors import first_line
from generator.jsonable import storable_text
from generator.serve.errors import QueueFull
from generator.serve.schemas import VideoError
from generator.serve.store import STOPPED, VideoStore

# How long a client that found no place should wait: about one video's time, within these.
MIN_WAIT_S, MAX_WAIT_S = 1, 60
REMEMBERED = 8  # the last videos whose times say how long one takes
MAX_PROGRESS = 99  # percent, until the file is there


logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    request: ClipRequest
    worker: WorkerProcess | None = None
    cancelled: bool = False

    @property
    def video_id(self) -> str:
        return self.request.prompt_id

    def stop(self) -> None:
        """Have the process leave by the way that cleans up, and kill it where it does not."""
        if self.worker is not None:
            self.worker.process.terminate()
            timer = threading.Timer(STOP_TIMEOUT_S, self.worker.process.kill)
            timer.daemon = True
            timer.start()


class JobQueue:
    """First come, first served; a request's `prompt_id` is the video's id."""

    def __init__(self, store: VideoStore, *, max_waiting: int, workers: int) -> None:
        self._store, self._most_waiting = store, max_waiting
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._in_work: dict[str, _Job] = {}
        self._durations: deque[float] = deque(maxlen=REMEMBERED)
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"video-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def check_capacity(self) -> None:
        """Refuse a video that would have to wait behind too many.

        Raises:
            QueueFull: saying when to come again.
        """
        with self._changed:
            idle = len(self._threads) - len(self._in_work)
            if len(self._waiting) < self._most_waiting + max(0, idle):
                return
            usual = sum(self._durations) / len(self._durations) if self._durations else MIN_WAIT_S
        wait = min(MAX_WAIT_S, max(MIN_WAIT_S, math.ceil(usual)))
        raise QueueFull(
            f"{self._most_waiting} videos wait already; ask again in {wait} s.",
            code="rate_limit_exceeded",
            headers={"Retry-After": str(wait)},
        )

    def add(self, request: ClipRequest) -> None:
        """Put a video at the end of the queue.

        Raises:
            QueueFull: As many wait as may.
        """
        with self._changed:
            self.check_capacity()
            self._waiting.append(_Job(request))
            self._changed.notify()

    def cancel(self, video_id: str) -> None:
        """Take a video out of the queue, or stop the process that is making it."""
        with self._changed:
            for job in self._waiting:
                if job.video_id == video_id:
                    self._waiting.remove(job)
                    return
            in_work = self._in_work.get(video_id)
            if in_work is not None:
                in_work.cancelled = True
                in_work.stop()

    def progress(self, video_id: str) -> int:
        """How much of a video in work is done, in percent."""
        with self._changed:
            job = self._in_work.get(video_id)
            share = 0.0 if job is None or job.worker is None else job.worker.progress
        return min(MAX_PROGRESS, int(share * 100))

    def close(self) -> None:
        """Stop all work; what was not finished has failed."""
        with self._changed:
            self._closing = True
            dropped = list(self._waiting)
            self._waiting.clear()
            for job in self._in_work.values():
                job.stop()
            self._changed.notify_all()
        for job in dropped:
            self._store.fail(job.video_id, STOPPED)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        """The life of a thread: one video after the other, its process kept between them."""
        worker: WorkerProcess | None = None
        while (job := self._next()) is not None:
            started = time.monotonic()
            try:
                if worker is None or worker.exited:
                    worker = WorkerProcess(post_processors=1)  # one video at a time
                clip = self._make(job, worker)
                if not job.cancelled:
                    self._keep(job, clip)
            except Exception as error:  # no process, no room on the disk; the next video comes
                logger.exception("no video of %s", job.video_id)
                reason = getattr(error, "strerror", None) or first_line(error)
                told = storable_text(f"The server could not make the video ({reason}).")
                self._store.fail(job.video_id, VideoError(code="server_error", message=told))
            with self._changed:
                del self._in_work[job.video_id]
                self._durations.append(time.monotonic() - started)
                # Its process was told to stop, and would take the next video with it.
                stopped = job.cancelled or self._closing
            if stopped and worker is not None:
                _stop_worker(worker)
                worker = None
        if worker is not None:
            _stop_worker(worker)

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            job = self._waiting.popleft()
            self._in_work[job.video_id] = job
            return job

    def _make(self, job: _Job, worker: WorkerProcess) -> GeneratedClip | FailedClip | None:
        self._store.begin(job.video_id)
        with self._changed:
            if job.cancelled or self._closing:
                return None
            job.worker = worker
            worker.submit(job.request)
        return worker.result()

    def _keep(self, job: _Job, clip: GeneratedClip | FailedClip | None) -> None:
        if isinstance(clip, GeneratedClip):
            self._store.complete(job.video_id, clip.rendition)
        elif clip is None or self._closing:
            self._store.fail(job.video_id, STOPPED)
        else:
            failed = VideoError(code="generation_failed", message=clip.reason)
            self._store.fail(job.video_id, failed)


def _stop_worker(worker: WorkerProcess) -> None:
    worker.stop()
    worker.join()
