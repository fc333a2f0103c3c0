"""Workers on a Ray cluster: one actor per accelerator, each serving one entrant.

An actor that dies is replaced. Every machine of the cluster needs this package, and the files that
specs and prompts name at the same paths. Ray is an extra: `pip install hippodrome[cluster]`.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from generator.clips import ClipRequest
from generator.engine.schedule import Schedule, Task, may_be_billed
from generator.engine.worker import POST_PROCESSORS, Clips, Outcome, open_worker
from generator.errors import BackendError, SpecError, first_line

MAX_FAILED_STARTS = 20  # actors in a row that die before their first clip
RETRY_PAUSE_S = 1.0
CONNECT_TIMEOUT_S = 10.0


@dataclass(eq=False)
class ActorHandle:
    """An actor, its entrant's key, and its tasks by the Ray reference of their results."""

    actor: Any
    entrant: str
    first_task: Task | None  # until the actor has started
    tasks: dict[Any, Task] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        """Whether the actor has answered."""
        return self.first_task is None

    def assign(self, task: Task) -> None:
        """Have the actor make a clip."""
        self.tasks[self.actor.make.remote(task.request)] = task


class ClipActor:
    """Runs as a Ray actor."""

    def __init__(self) -> None:
        # Kept: a context that is garbage-collected is closed, and the worker with it.
        self._context = ExitStack()
        self._worker = self._context.enter_context(open_worker())

    def ready(self) -> None:
        """Return once the actor has started."""

    def make(self, request: ClipRequest) -> Any:
        return self._worker.make(request)


def generate_on_ray(requests: Sequence[ClipRequest], address: str, *, actors: int | None) -> Clips:
    """Yield the clips of all requests as they are finished.

    Args:
        requests: the clips to make.
        address: of the cluster, such as "10.0.0.1:6379" or "auto"; "local" starts one here.
        actors: number of actors. Default: one per GPU of the cluster, or one per processor if it
            has no GPUs. An actor whose machine is lost waits for another machine.

    Raises:
        SpecError: Ray is not installed, or the cluster cannot be reached.
        BackendError: no actor can be started.
    """
    ray, connected_here = _connect(address)
    try:
        resources = ray.cluster_resources()
        gpus, processors = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
        count = min(actors or gpus or processors, len(requests))
        actor = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=0)(ClipActor)
        # Two calls at once: post-processing of a clip overlaps the model's part of the next.
        actor = actor.options(max_concurrency=POST_PROCESSORS)
        pool = ActorPool(ray, actor, Schedule(requests))
        try:
            for _ in range(count):
                pool.start_actor()
            yield from pool.run()
        finally:
            pool.stop()
    finally:
        if connected_here:
            ray.shutdown()


def _connect(address: str) -> tuple[Any, bool]:
    """The connected Ray module, and whether this call connected it."""
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
    """Try to connect to HOST:PORT; Ray itself would retry for many minutes.

    Raises:
        OSError: nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()


class ActorPool:
    """Actors of a connected cluster and their tasks."""

    def __init__(self, ray: Any, actor_class: Any, schedule: Schedule) -> None:
        self._ray, self._actor_class, self._schedule = ray, actor_class, schedule
        self._actors: list[ActorHandle] = []
        self._failed_starts = 0

    def start_actor(self) -> None:
        """Start another actor if a task is waiting."""
        task = self._schedule.next_for_new_worker()
        if task is not None:
            actor = ActorHandle(self._actor_class.remote(), task.request.entrant.key, task)
            actor.tasks[actor.actor.ready.remote()] = task
            self._actors.append(actor)

    def run(self) -> Iterator[Outcome]:
        """Hand out tasks until none are left; yield the clips."""
        while self._actors:
            by_reference = {ref: actor for actor in self._actors for ref in actor.tasks}
            (reference,), _ = self._ray.wait(list(by_reference), num_returns=1)
            yield from self._handle_result(by_reference[reference], reference)

    def _handle_result(self, actor: ActorHandle, reference: Any) -> Iterator[Outcome]:
        errors = self._ray.exceptions
        try:
            clip = self._ray.get(reference)
        except errors.ObjectLostError as error:  # finished, and lost with its machine
            self._ray.kill(actor.actor)
            for task in actor.tasks.values():
                if not may_be_billed(task.request):
                    self._schedule.put_back(task)
                elif failed := self._schedule.retry(task, _failure_reason(task, error)):
                    yield failed
            self._replace(actor)
            return
        except errors.RayActorError as error:
            yield from self._retry(actor, error)
            self._replace(actor)
            return
        task = actor.tasks.pop(reference)
        was_started = actor.started
        if not was_started:
            actor.assign(task)
        actor.first_task, self._failed_starts = None, 0
        self._assign_tasks(actor)
        if not actor.tasks:
            self._ray.kill(actor.actor)
            self._replace(actor)
        if was_started:
            yield clip

    def _retry(self, actor: ActorHandle, error: Exception) -> Iterator[Outcome]:
        """Queue the tasks of a dead actor again; yield those that failed for good."""
        if actor.first_task is not None:  # it died before its first clip
            self._schedule.put_back(actor.first_task)
            self._failed_starts += 1
            if self._failed_starts > MAX_FAILED_STARTS:
                raise BackendError(f"No actor starts on the cluster: {error}.") from error
            time.sleep(RETRY_PAUSE_S)  # the cluster notices a lost machine after a while
            return
        for task in actor.tasks.values():
            if failed := self._schedule.retry(task, _failure_reason(task, error)):
                yield failed

    def _assign_tasks(self, actor: ActorHandle) -> None:
        """Keep one task queued, so that the actor does not wait for a round trip."""
        while len(actor.tasks) < POST_PROCESSORS:
            if any(task.suspect for task in actor.tasks.values()):
                return
            task = self._schedule.next_for_entrant(actor.entrant)
            if task is None:
                return
            actor.assign(task)

    def _replace(self, actor: ActorHandle) -> None:
        """Start another actor in place of one that has ended."""
        self._actors.remove(actor)
        self._schedule.release(actor.entrant)
        self.start_actor()

    def stop(self) -> None:
        """End the actors that are still running."""
        for actor in self._actors:
            self._ray.kill(actor.actor)


def _failure_reason(task: Task, error: Exception) -> str:
    detail = first_line(error) or type(error).__name__
    return (
        f"The actor of {task.request.entrant.name} ended on prompt {task.request.prompt_id} "
        f"({detail}); give it more memory or use fewer actors."
    )
