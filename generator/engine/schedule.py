"""Which clip a worker makes next: weights are loaded as seldom as can be.

A worker serves one entrant. Entrants that nobody serves come first; only when all are taken does
another worker load the weights of the one with the longest queue as well.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from generator.clips import ClipRequest, FailedClip
from generator.spec import Entrant

MAX_ATTEMPTS = 2  # at a clip whose worker died: the second shows whether the clip was to blame


@dataclass(eq=False)
class Task:
    """A request, and how often a worker has died on it."""

    request: ClipRequest
    attempts: int = 0

    @property
    def suspect(self) -> bool:
        """Whether a worker has died on it: it runs alone, so that no other is charged with that."""
        return self.attempts > 0


class Schedule:
    """The requests that no worker has taken yet, by entrant in the order of the first request."""

    def __init__(self, requests: Sequence[ClipRequest]) -> None:
        self._waiting: dict[str, deque[Task]] = {}
        self._serving: Counter[str] = Counter()
        for request in requests:
            self._waiting.setdefault(entrant_key(request), deque()).append(Task(request))

    def next_for_new_worker(self) -> Task | None:
        """The first task of a new worker, which then serves its entrant."""
        queues = {key: queue for key, queue in self._waiting.items() if queue}
        if not queues:
            return None
        free = [key for key in queues if not self._serving[key]]
        busiest = max(queues, key=lambda key: len(queues[key]) / (1 + self._serving[key]))
        key = free[0] if free else busiest
        self._serving[key] += 1
        return queues[key].popleft()

    def next_for_entrant(self, key: str) -> Task | None:
        """Another task for a worker that serves this entrant."""
        queue = self._waiting[key]
        return queue.popleft() if queue else None

    def release(self, key: str) -> None:
        """A worker that served this entrant has ended."""
        self._serving[key] -= 1

    def retry(self, task: Task, reason: str) -> FailedClip | None:
        """Put a task back whose worker died, or say that it has failed for good."""
        task.attempts += 1
        if task.attempts >= MAX_ATTEMPTS:
            return FailedClip(task.request, reason)
        self.put_back(task)
        return None

    def put_back(self, task: Task) -> None:
        """A task that its worker did not come to."""
        self._waiting[entrant_key(task.request)].appendleft(task)


def entrants_with_models(requests: Sequence[ClipRequest]) -> list[Entrant]:
    """Each entrant whose model runs for some of the requests, once."""
    asked = {
        entrant_key(request): request.entrant
        for request in requests
        if request.stored_master is None
    }
    return list(asked.values())


def entrant_key(request: ClipRequest) -> str:
    """The entrant with all its settings, as text."""
    return request.entrant.model_dump_json()
