"""Workers on a Ray cluster: one actor an accelerator, holding one entrant; what dies is replaced.

Every machine of the cluster needs this package, and the files that specs and prompts name at the
same paths. Ray is an extra: `pip install hippodrome[cluster]`.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from generator.clips import ClipRequest
from generator.engine.schedule import Schedule, Task, entrant_key
from generator.engine.worker import POST_PROCESSORS, Clips, Worker
from generator.errors import BackendError, SpecError, first_line

MAX_FAILED_STARTS = 20  # actors in a row that die before they do anything
RETRY_PAUSE_S = 1.0
CONNECT_TIMEOUT_S = 10.0


@dataclass(eq=False)
class ActorHandle:
    """An actor, its entrant, and the tasks it is at by the reference of their clip to come."""

    actor: Any
    entrant: str
    first: Task | None  # until the actor lives
    tasks: dict[Any, Task] = field(default_factory=dict)


class ClipActor:
    """What runs as an actor."""

    def __init__(self) -> None:
        self._worker = Worker()

    def ready(self) -> None:
        """Answers once the actor lives."""

    def make(self, request: ClipRequest) -> Any:
        return self._worker.make(request)


def generate_on_ray(requests: Sequence[ClipRequest], address: str, *, actors: int | None) -> Clips:
    """The clips of all requests in the order in which they are finished.

    Args:
        requests: what to make.
        address: of the cluster, such as "10.0.0.1:6379" or "auto"; "local" starts one here.
        actors: how many; without a number, one for each GPU of the cluster, or for each processor
            where there are no GPUs. An actor whose machine is gone waits for another one.

    Raises:
        SpecError: Ray is not installed, or no cluster answers.
        BackendError: No actor can be started.
    """
    ray, started = _connect(address)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        processors = int(ray.cluster_resources().get("CPU", 1))
        count = min(actors or gpus or processors, len(requests))
        kind = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0)(ClipActor)
        # Two calls at once: the encoding of one clip runs beside the model's part of the next.
        kind = kind.options(max_concurrency=POST_PROCESSORS)
        yield from _work(ray, kind, Schedule(requests), count)
    finally:
        if started:
            ray.shutdown()


def _connect(address: str) -> tuple[Any, bool]:
    """Ray's module, connected, and whether this made the connection."""
    try:
        import ray
    except ImportError:
        raise SpecError(
            "Ray is not installed; install it with pip install 'hippodrome[cluster]'."
        ) from None
    if ray.is_initialized():
        return ray, False
    try:
        _check_reachable(address)
        ray.init(
            address,
            log_to_driver=False,
            include_dashboard=False,
            configure_logging=False,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise SpecError(
            f"No Ray cluster answers at {address} ({error}); start one with ray start --head."
        ) from error
    return ray, True


def _check_reachable(address: str) -> None:
    """Whether anybody listens at HOST:PORT; Ray itself would ask for many minutes.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()


def _work(ray: Any, kind: Any, schedule: Schedule, count: int) -> Clips:
    handles: list[ActorHandle] = []
    failed_starts = 0
    try:
        for _ in range(count):
            _start(kind, schedule, handles)
        while handles:
            by_answer = {answer: handle for handle in handles for answer in handle.tasks}
            (answer,), _ = ray.wait(list(by_answer), num_returns=1)
            handle = by_answer[answer]
            try:
                clip = ray.get(answer)
            except ray.exceptions.ObjectLostError:
                # Made, and lost with the machine that it was on.
                _end(ray, handle)
                for task in handle.tasks.values():
                    schedule.put_back(task)
                _replace(handle, kind, schedule, handles)
                continue
            except ray.exceptions.RayActorError as error:
                if handle.first is not None:  # no clip is to blame
                    schedule.put_back(handle.first)
                    failed_starts += 1
                    if failed_starts > MAX_FAILED_STARTS:
                        raise BackendError(f"No actor starts on the cluster: {error}.") from error
                    time.sleep(RETRY_PAUSE_S)  # a node's death shows after a while
                else:
                    for task in handle.tasks.values():
                        if failed := schedule.retry(task, _reason(task, error)):
                            yield failed
                _replace(handle, kind, schedule, handles)
                continue
            task = handle.tasks.pop(answer)
            alive, handle.first, failed_starts = handle.first is not None, None, 0
            if alive:
                handle.tasks[handle.actor.make.remote(task.request)] = task
            _fill(handle, schedule)
            if not handle.tasks:
                _end(ray, handle)
                _replace(handle, kind, schedule, handles)
            if not alive:
                yield clip
    finally:
        for handle in handles:
            _end(ray, handle)


def _replace(
    handle: ActorHandle, kind: Any, schedule: Schedule, handles: list[ActorHandle]
) -> None:
    """An actor has ended; another begins where a task waits for one."""
    handles.remove(handle)
    schedule.release(handle.entrant)
    _start(kind, schedule, handles)


def _start(kind: Any, schedule: Schedule, handles: list[ActorHandle]) -> None:
    task = schedule.next_for_new_worker()
    if task is None:
        return
    handle = ActorHandle(kind.remote(), entrant_key(task.request), task)
    handle.tasks[handle.actor.ready.remote()] = task
    handles.append(handle)


def _fill(handle: ActorHandle, schedule: Schedule) -> None:
    """Keep the next task at hand, so that an actor never waits for the way back and forth."""
    while len(handle.tasks) < POST_PROCESSORS:
        if any(task.suspect for task in handle.tasks.values()):
            return
        task = schedule.next_for_entrant(handle.entrant)
        if task is None:
            return
        handle.tasks[handle.actor.make.remote(task.request)] = task


def _end(ray: Any, handle: ActorHandle) -> None:
    ray.kill(handle.actor)


def _reason(task: Task, error: Exception) -> str:
    told = first_line(error) or type(error).__name__
    return (
        f"{task.request.entrant.name} ended its actor on prompt {task.request.prompt_id} "
        f"({told}); give it more memory or fewer actors."
    )
