"""A pool of worker processes, each serving one entrant, and one that waits for all services.

A CUDA error, a memory leak or a crash ends with its process. The clips that the process had are
retried once in a new one.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from generator.clips import ClipRequest
from generator.engine.order_pool import OrderPool
from generator.engine.process import WorkerProcess, preload
from generator.engine.schedule import (
    Schedule,
    Task,
    entrants_with_models,
    is_ordered,
    order_limits,
)
from generator.engine.worker import Clips, Finished, Outcome


@dataclass(eq=False)
class WorkerHandle:
    """A worker process, its entrant's key, its GPU, and its tasks by their numbers."""

    process: WorkerProcess
    entrant: str
    device: str | None
    tasks: dict[int, Task] = field(default_factory=dict)
    ready: bool = False  # for another task; earlier clips may still be in post-processing

    def assign(self, task: Task | None) -> None:
        """Give it a task; None lets its process end after the clips that it has."""
        self.ready = False
        if task is None:
            self.process.close()
        else:
            self.tasks[self.process.submit(task.request)] = task


def generate_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """Yield the clips of all requests as they are finished.

    At most `count` worker processes compute; clips of services are ordered by one further process.
    """
    preload(entrants_with_models(requests))
    limits = order_limits(requests)
    ordered = [request for request in requests if is_ordered(request, limits)]
    computed = [request for request in requests if not is_ordered(request, limits)]
    pool = _Pool(Schedule(computed), OrderPool(ordered, limits, beside_models=bool(computed)))
    devices: list[str | None] = [*find_gpus()] or [None]
    try:
        pool.orders.start()
        for number in range(min(count, len(computed))):
            pool.start_worker(devices[number % len(devices)])
        yield from pool.run()
    finally:
        pool.stop()


class _Pool:
    def __init__(self, schedule: Schedule, orders: OrderPool) -> None:
        self.orders = orders
        self._schedule = schedule
        self._workers: dict[Any, WorkerHandle] = {}  # by their connections

    def start_worker(self, device: str | None) -> None:
        """Start another worker if a task is waiting."""
        task = self._schedule.next_for_new_worker()
        if task is not None:
            worker = WorkerHandle(WorkerProcess(device), task.request.entrant.key, device)
            self._workers[worker.process.connection] = worker
            worker.assign(task)

    def run(self) -> Iterator[Outcome]:
        """Hand out tasks until all workers have ended; yield the clips."""
        while connections := [*self._workers, *self.orders.connections]:
            for connection in wait(connections):
                if connection in self._workers:
                    yield from self._handle_message(connection)
                else:
                    yield from self.orders.handle_message()

    def _handle_message(self, connection: Any) -> Iterator[Outcome]:
        worker = self._workers[connection]
        try:
            message = worker.process.receive()
        except EOFError:
            del self._workers[connection]
            self._schedule.release(worker.entrant)
            yield from self._retry(worker)
            self.start_worker(worker.device)
            return
        if isinstance(message, Finished):
            del worker.tasks[message.number]
        else:
            worker.ready = True
        if worker.ready and not any(task.suspect for task in worker.tasks.values()):
            worker.assign(self._schedule.next_for_entrant(worker.entrant))
        if isinstance(message, Finished):
            yield message.clip

    def _retry(self, worker: WorkerHandle) -> Iterator[Outcome]:
        """Requeue the tasks of a worker that has ended; yield those that failed for good."""
        for task in worker.tasks.values():
            failed = self._schedule.retry(task, worker.process.failure_reason(task.request))
            if failed is not None:
                yield failed

    def stop(self) -> None:
        """Stop the workers that are still running."""
        self.orders.stop()
        for worker in self._workers.values():
            worker.process.stop()
        for worker in self._workers.values():
            worker.process.join()
        self.orders.join()


def find_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, as written in CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    devices = Path("/dev").glob("nvidia[0-9]*")
    return sorted((device.name.removeprefix("nvidia") for device in devices), key=int)
