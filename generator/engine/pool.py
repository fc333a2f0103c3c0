"""Workers in processes: one entrant each, so that nothing a model does ends the run.

A CUDA error, a leak or a crash goes with its process; what it was at is tried once more in another.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from generator.clips import ClipRequest
from generator.engine.process import WorkerProcess, preload
from generator.engine.schedule import Schedule, Task, entrant_key, entrants_with_models
from generator.engine.worker import Clips, Outcome
from generator.engine.worker_main import Finished


@dataclass(eq=False)
class WorkerHandle:
    """A process, its entrant, its card, and the tasks it is at by the numbers of their clips."""

    worker: WorkerProcess
    entrant: str
    device: str | None
    tasks: dict[int, Task] = field(default_factory=dict)
    free: bool = False  # the model is; clips may still be unfinished

    def assign(self, task: Task | None) -> None:
        """A task, or that there are no more of its entrant: then its process ends."""
        self.free = False
        if task is None:
            self.worker.close()
        else:
            self.tasks[self.worker.submit(task.request)] = task


def generate_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """The clips of all requests in the order in which they are finished, by `count` processes."""
    schedule = Schedule(requests)
    preload(entrants_with_models(requests))
    devices: list[str | None] = [*find_gpus()] or [None]
    handles: list[WorkerHandle] = []
    try:
        for number in range(count):
            _start(schedule, handles, devices[number % len(devices)])
        while handles:
            for connection in wait([handle.worker.connection for handle in handles]):
                handle = next(
                    handle for handle in handles if handle.worker.connection is connection
                )
                try:
                    message = handle.worker.receive()
                except EOFError:
                    handles.remove(handle)
                    schedule.release(handle.entrant)
                    yield from _retry_tasks(schedule, handle)
                    _start(schedule, handles, handle.device)
                    continue
                if isinstance(message, Finished):
                    del handle.tasks[message.number]
                else:
                    handle.free = True
                if handle.free and not any(task.suspect for task in handle.tasks.values()):
                    handle.assign(schedule.next_for_entrant(handle.entrant))
                if isinstance(message, Finished):
                    yield message.clip
    finally:
        for handle in handles:
            handle.worker.stop()
        for handle in handles:
            handle.worker.join()


def find_gpus() -> list[str]:
    """The NVIDIA cards that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    cards = Path("/dev").glob("nvidia[0-9]*")
    return sorted((card.name.removeprefix("nvidia") for card in cards), key=int)


def _start(schedule: Schedule, handles: list[WorkerHandle], device: str | None) -> None:
    """Another worker, if a task waits for one."""
    task = schedule.next_for_new_worker()
    if task is not None:
        handles.append(WorkerHandle(WorkerProcess(device), entrant_key(task.request), device))
        handles[-1].assign(task)


def _retry_tasks(schedule: Schedule, handle: WorkerHandle) -> Iterator[Outcome]:
    """Put back what a dead process was at; gives those that have failed for good."""
    for task in handle.tasks.values():
        failed = schedule.retry(task, handle.worker.failure_reason(task.request))
        if failed is not None:
            yield failed
