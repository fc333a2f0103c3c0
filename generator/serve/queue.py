"""The job queue: each thread generates one video at a time in its own worker process.

If a model crashes, its process and one video are lost; the next video gets a new process.
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

# Retry-After of a full queue: the mean time of a video, within these limits.
MIN_WAIT_S, MAX_WAIT_S = 1, 60
RECENT_JOBS = 8  # number of jobs in that mean
MAX_PROGRESS = 99  # percent, until the file exists

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
        """Terminate the process gracefully, and kill it after a timeout."""
        if self.worker is not None:
            self.worker.process.terminate()
            timer = threading.Timer(STOP_TIMEOUT_S, self.worker.process.kill)
            timer.daemon = True
            timer.start()


class JobQueue:
    """First-in-first-out queue; a request's `prompt_id` is the video's id."""

    def __init__(self, store: VideoStore, *, max_waiting: int, workers: int) -> None:
        self._store, self._max_waiting = store, max_waiting
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._running: dict[str, _Job] = {}
        self._durations: deque[float] = deque(maxlen=RECENT_JOBS)  # seconds
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"video-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def check_capacity(self) -> None:
        """Check that the queue accepts another video.

        Raises:
            QueueFull: The queue is full; its headers say when to retry.
        """
        with self._changed:
            idle = len(self._threads) - len(self._running)
            if len(self._waiting) < self._max_waiting + max(0, idle):
                return
            mean = sum(self._durations) / len(self._durations) if self._durations else MIN_WAIT_S
        wait = min(MAX_WAIT_S, max(MIN_WAIT_S, math.ceil(mean)))
        raise QueueFull(
            f"{self._max_waiting} videos are waiting already; retry in {wait} s.",
            code="rate_limit_exceeded",
            headers={"Retry-After": str(wait)},
        )

    def add(self, request: ClipRequest) -> None:
        """Append a video to the queue.

        Raises:
            QueueFull: The queue is full.
        """
        with self._changed:
            self.check_capacity()
            self._waiting.append(_Job(request))
            self._changed.notify()

    def cancel(self, video_id: str) -> None:
        """Remove a video from the queue, or stop the process that generates it."""
        with self._changed:
            for job in self._waiting:
                if job.video_id == video_id:
                    self._waiting.remove(job)
                    return
            running = self._running.get(video_id)
            if running is not None:
                running.cancelled = True
                running.stop()

    def progress(self, video_id: str) -> int:
        """Progress of a running video in percent."""
        with self._changed:
            job = self._running.get(video_id)
            share = 0.0 if job is None or job.worker is None else job.worker.progress
        return min(MAX_PROGRESS, int(share * 100))

    def close(self) -> None:
        """Stop all jobs; unfinished videos fail."""
        with self._changed:
            self._closing = True
            dropped = list(self._waiting)
            self._waiting.clear()
            for job in self._running.values():
                job.stop()
            self._changed.notify_all()
        for job in dropped:
            self._store.fail(job.video_id, STOPPED)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        """Run jobs in this thread until the queue closes, reusing the worker process."""
        worker: WorkerProcess | None = None
        while (job := self._next()) is not None:
            started = time.monotonic()
            try:
                if worker is None or worker.exited:
                    worker = WorkerProcess(post_processors=1)  # one video at a time
                clip = self._generate(job, worker)
                if not job.cancelled:
                    self._save_result(job, clip)
            except Exception as error:  # such as a full disk; continue with the next video
                logger.exception("failed to generate %s", job.video_id)
                reason = getattr(error, "strerror", None) or first_line(error)
                message = storable_text(f"The server could not generate the video ({reason}).")
                self._store.fail(job.video_id, VideoError(code="server_error", message=message))
            with self._changed:
                del self._running[job.video_id]
                self._durations.append(time.monotonic() - started)
                # A process that is being stopped must not get the next video.
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
            self._running[job.video_id] = job
            return job

    def _generate(self, job: _Job, worker: WorkerProcess) -> GeneratedClip | FailedClip | None:
        self._store.begin(job.video_id)
        with self._changed:
            if job.cancelled or self._closing:
                return None
            job.worker = worker
            worker.submit(job.request)
        return worker.result()

    def _save_result(self, job: _Job, clip: GeneratedClip | FailedClip | None) -> None:
        if isinstance(clip, GeneratedClip):
            self._store.complete(job.video_id, clip.rendition)
        elif clip is None or self._closing:
            self._store.fail(job.video_id, STOPPED)
        else:
            error = VideoError(code="generation_failed", message=clip.reason)
            self._store.fail(job.video_id, error)


def _stop_worker(worker: WorkerProcess) -> None:
    worker.stop()
    worker.join()
