"""Which clip a worker makes next, so that weights are loaded as rarely as possible.

A worker serves one entrant. Entrants without a worker come first; once each has one, further
workers join the entrant with the most clips left per worker. Clips that are ordered from services
have a schedule of their own, by the limits of their accounts.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from generator.backends import OrderLimit, is_repeatable, order_limit
from generator.clips import ClipRequest, FailedClip
from generator.spec import Entrant

# Of a clip whose worker died: if it dies again, the clip is to blame.
MAX_ATTEMPTS = 2


@dataclass(eq=False)
class Task:
    """A request and the number of workers that died while making it."""

    request: ClipRequest
    attempts: int = 0

    @property
    def suspect(self) -> bool:
        """Whether a worker died on it. It then runs alone, so that no other clip gets blamed."""
        return self.attempts > 0


class _Queues:
    """Tasks that nobody works on, by entrant in the order of their first request."""

    def __init__(self, requests: Sequence[ClipRequest]) -> None:
        self._queues: dict[str, deque[Task]] = {}
        for request in requests:
            self._queues.setdefault(request.entrant.key, deque()).append(Task(request))

    def retry(self, task: Task, reason: str) -> FailedClip | None:
        """Queue a task again whose worker died; after `MAX_ATTEMPTS`, return it as failed.

        An order to a server is not repeated, since the worker may have sent it before it died. With
        a journal of orders the task is tried again: the journal knows what was sent.
        """
        task.attempts += 1
        if may_be_billed(task.request):
            outcome = "whether its order was sent is unknown, may have been billed."
            return FailedClip(task.request, f"{reason.rstrip('.')}; {outcome}", maybe_billed=True)
        if task.attempts >= MAX_ATTEMPTS:
            return FailedClip(task.request, reason)
        self.put_back(task)
        return None

    def put_back(self, task: Task) -> None:
        """Queue a task again that its worker did not start."""
        self._queues[task.request.entrant.key].appendleft(task)


class Schedule(_Queues):
    """The tasks that no worker has."""

    def __init__(self, requests: Sequence[ClipRequest]) -> None:
        super().__init__(requests)
        self._workers: Counter[str] = Counter()

    def next_for_new_worker(self) -> Task | None:
        """The first task of a new worker, which then serves the task's entrant."""
        queues = {entrant: queue for entrant, queue in self._queues.items() if queue}
        if not queues:
            return None
        unserved = [entrant for entrant in queues if not self._workers[entrant]]
        busiest = max(queues, key=lambda each: len(queues[each]) / (1 + self._workers[each]))
        entrant = unserved[0] if unserved else busiest
        self._workers[entrant] += 1
        return queues[entrant].popleft()

    def next_for_entrant(self, entrant: str) -> Task | None:
        """The next task of a worker that serves this entrant."""
        queue = self._queues[entrant]
        return queue.popleft() if queue else None

    def release(self, entrant: str) -> None:
        """Note that a worker of this entrant has ended."""
        self._workers[entrant] -= 1


class OrderSchedule(_Queues):
    """The tasks that were not ordered yet.

    Args:
        requests: of the clips.
        limits: by the keys of their entrants.
    """

    def __init__(self, requests: Sequence[ClipRequest], limits: dict[str, OrderLimit]) -> None:
        super().__init__(requests)
        self._limits = limits
        self._ordered: Counter[str] = Counter()  # by account

    def take(self) -> list[Task]:
        """The tasks that may be ordered now, in turn among the entrants."""
        taken: list[Task] = []
        before = -1
        while before != len(taken):
            before = len(taken)
            for entrant, queue in self._queues.items():
                limit = self._limits[entrant]
                if queue and self._ordered[limit.account] < limit.at_once:
                    self._ordered[limit.account] += 1
                    taken.append(queue.popleft())
        return taken

    def release(self, task: Task) -> None:
        """Note that the order of a task is over."""
        self._ordered[self._limits[task.request.entrant.key].account] -= 1


def order_limits(requests: Sequence[ClipRequest]) -> dict[str, OrderLimit]:
    """The limits of the entrants whose clips are ordered from services, by the entrants' keys."""
    limits: dict[str, OrderLimit] = {}
    for entrant in entrants_with_models(requests):
        if (limit := order_limit(entrant)) is not None:
            limits[entrant.key] = limit
    return limits


def is_ordered(request: ClipRequest, limits: dict[str, OrderLimit]) -> bool:
    """Whether a clip is ordered from a service, rather than computed or rendered here."""
    return request.stored_master is None and request.entrant.key in limits


def may_be_billed(request: ClipRequest) -> bool:
    """Whether a worker that died on this request may have placed an order that nobody remembers."""
    is_remembered = request.orders is not None or request.stored_master is not None
    return not is_remembered and not is_repeatable(request.entrant)


def entrants_with_models(requests: Sequence[ClipRequest]) -> list[Entrant]:
    """The entrants whose models have to run, each once."""
    generated = (request for request in requests if request.stored_master is None)
    return list({request.entrant.key: request.entrant for request in generated}.values())
