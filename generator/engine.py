"""Many clips: grouped by entrant, so that each worker loads an entrant's weights once.

A clip that fails is reported and the run goes on; a worker that dies takes one clip with it. The
same request gives the same rendition on one machine, however many workers there are.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from generator.backends import find_backend
from generator.errors import GeneratorError
from generator.pool import work_in_processes
from generator.render import adopt, render
from generator.spec import ClipRequest, Entrant, FailedClip, TrackSettings
from generator.worker import Clips, Worker

__all__ = ["Progress", "adopt", "check", "generate", "render"]


@dataclass(frozen=True)
class Progress:
    """How far a run is, told after every clip."""

    done: int  # clips that were asked for and are finished, failed ones included
    failed: int
    total: int
    entrant: str  # whose clip it was


def check(entrant: Entrant, track: TrackSettings) -> None:
    """Refuse what can be refused before anything runs.

    Raises:
        SpecError: The entrant's backend cannot serve the track, and why.
    """
    find_backend(entrant).check(track)


def generate(
    requests: Sequence[ClipRequest],
    *,
    workers: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Clips:
    """Make the clips, and give each as soon as it is there.

    `workers` is the number of processes: without one, as many as there are cores, or one where an
    entrant runs on a GPU. One worker is this process itself. Closing the iterator stops them all.
    """
    ordered = _by_entrant(requests)
    count = min(len(ordered), _fitting_workers(ordered) if workers is None else max(1, workers))
    done = failed = 0
    with closing(work_in_processes(ordered, count) if count > 1 else _work_here(ordered)) as clips:
        for clip in clips:
            done += 1
            failed += isinstance(clip, FailedClip)
            if on_progress is not None:
                on_progress(Progress(done, failed, len(ordered), clip.request.entrant.name))
            yield clip


def _by_entrant(requests: Sequence[ClipRequest]) -> list[ClipRequest]:
    """One entrant after the other, each in the order of its first request."""
    groups: dict[str, list[ClipRequest]] = {}
    for request in requests:
        groups.setdefault(request.entrant.model_dump_json(), []).append(request)
    return [request for group in groups.values() for request in group]


def _fitting_workers(requests: Sequence[ClipRequest]) -> int:
    fitting = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fitting = fitting or 1
    entrants = {request.entrant.model_dump_json(): request.entrant for request in requests}
    for entrant in entrants.values():
        try:
            most = find_backend(entrant).workers
        except GeneratorError:
            continue  # its clips fail with that reason when their turn comes
        fitting = fitting if most is None else min(fitting, most)
    return max(1, fitting)


def _work_here(
    requests: Sequence[ClipRequest],
) -> Clips:
    with Worker() as worker:
        for request in requests:
            yield worker.make(request)
