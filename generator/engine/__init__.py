"""Many clips: each worker serves one entrant, so that weights are loaded once.

A clip that fails is reported and the run goes on; a worker that dies takes no clip with it that
another cannot make. The same request gives the same rendition on one machine, however many workers
there are.
"""

import logging
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from generator.backends import find_backend
from generator.clips import ClipRequest
from generator.engine.pool import generate_in_processes
from generator.engine.post_processing import import_clip, render
from generator.engine.schedule import Schedule, entrant_key, entrants_with_models
from generator.engine.worker import POST_PROCESSORS, Clips, Outcome, Worker
from generator.spec import Entrant, TrackSettings

logger = logging.getLogger(__name__)

__all__ = ["check", "generate", "import_clip", "render"]


def check(entrant: Entrant, track: TrackSettings) -> None:
    """Refuse what can be refused before anything runs.

    Raises:
        SpecError: The entrant's backend cannot serve the track, and why.
    """
    find_backend(entrant).check(track)


def generate(
    requests: Sequence[ClipRequest], *, workers: int | None = None, ray: str | None = None
) -> Clips:
    """Make the clips, and give each as soon as it is there. Closing the iterator stops the work.

    Args:
        requests: what to make, in any order.
        workers: number of processes; without one, as many as there are cores, or as there are
            accelerators where an entrant runs on one. 0 is this process itself, for clips that are
            worth no other.
        ray: address of a Ray cluster that makes them instead, "local" for one on this machine;
            `workers` is then the number of actors.

    Raises:
        SpecError: There is no such cluster.
    """
    if not requests:
        return
    if ray is not None:
        from generator.engine.ray import generate_on_ray

        yield from generate_on_ray(requests, ray, actors=workers)
    elif workers == 0:
        yield from _generate_in_process(requests)
    else:
        count = _fitting_workers(requests) if workers is None else workers
        yield from generate_in_processes(requests, min(count, len(requests)))


def _fitting_workers(requests: Sequence[ClipRequest]) -> int:
    fitting = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fitting = fitting or 1
    for entrant in entrants_with_models(requests):
        try:
            most = find_backend(entrant).workers
        except Exception as error:  # its clips fail with that reason when their turn comes
            logger.debug("%s is not counted: %s", entrant.name, error)
            continue
        fitting = fitting if most is None else min(fitting, most)
    return max(1, fitting)


def _generate_in_process(requests: Sequence[ClipRequest]) -> Clips:
    schedule = Schedule(requests)
    unfinished: deque[Future[Outcome]] = deque()
    with Worker() as worker:
        task = schedule.next_for_new_worker()
        while task is not None:
            unfinished.append(worker.submit(task.request))
            if len(unfinished) == POST_PROCESSORS:
                yield unfinished.popleft().result()
            task = (
                schedule.next_for_entrant(entrant_key(task.request))
                or schedule.next_for_new_worker()
            )
        while unfinished:
            yield unfinished.popleft().result()
