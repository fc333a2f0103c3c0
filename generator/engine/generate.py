"""The engine's entry: check an entrant, generate clips."""

import logging
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import chain

from generator.backends import find_backend
from generator.clips import ClipRequest
from generator.engine.pool import generate_in_processes
from generator.engine.schedule import entrants_with_models
from generator.engine.worker import POST_PROCESSORS, Clips, Outcome, open_worker
from generator.spec import Entrant, TrackSettings

logger = logging.getLogger(__name__)


def check(entrant: Entrant, track: TrackSettings) -> None:
    """Check that an entrant can serve a track, without loading its weights.

    Raises:
        SpecError: it cannot; the message says why.
    """
    find_backend(entrant).check(track)


def generate(
    requests: Sequence[ClipRequest], *, workers: int | None = None, ray: str | None = None
) -> Clips:
    """Generate clips and yield each as soon as it is finished, in any order.

    The same request gives the same rendition on one machine, whatever the number of workers.
    Closing the iterator stops the run.

    Args:
        requests: the clips to make, in any order.
        workers: number of worker processes. Default: the number of CPU cores, or the number of
            accelerators if an entrant runs on them. 0 generates in this process, which suits a few
            clips. Clips that are ordered from services do not count: one process waits for all.
        ray: address of a Ray cluster to use instead, or "local" to start one on this machine;
            `workers` is then the number of actors.

    Raises:
        SpecError: the Ray cluster cannot be reached.
    """
    if not requests:
        return
    if ray is not None:
        from generator.engine.ray import generate_on_ray

        yield from generate_on_ray(requests, ray, actors=workers)
    elif workers == 0:
        yield from _generate_here(requests)
    else:
        count = _default_workers(requests) if workers is None else workers
        yield from generate_in_processes(requests, count)


def _default_workers(requests: Sequence[ClipRequest]) -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = count or 1
    for entrant in entrants_with_models(requests):
        try:
            backend = find_backend(entrant)
            limit = None if getattr(backend, "waits", False) else backend.workers
        except Exception as error:  # its clips will fail with this reason
            logger.debug("Ignoring %s when choosing the number of workers: %s", entrant.name, error)
            continue
        count = count if limit is None else min(count, limit)
    return max(1, count)


def _generate_here(requests: Sequence[ClipRequest]) -> Clips:
    """Generate in this process, entrant by entrant; post-processing runs in threads."""
    by_entrant: dict[str, list[ClipRequest]] = {}
    for request in requests:
        by_entrant.setdefault(request.entrant.key, []).append(request)
    unfinished: deque[Future[Outcome]] = deque()
    with open_worker() as worker:
        for request in chain.from_iterable(by_entrant.values()):
            unfinished.append(worker.submit(request))
            if len(unfinished) == POST_PROCESSORS:
                yield unfinished.popleft().result()
        while unfinished:
            yield unfinished.popleft().result()
