"""The process that waits for all orders from services, as the pool of workers sees it.

Orders cost next to nothing while they wait, so one process holds all of them, each in a thread.
"""

import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from generator.backends import OrderLimit
from generator.clips import ClipRequest
from generator.engine.process import NICENESS, WorkerProcess
from generator.engine.schedule import OrderSchedule, Task, may_be_billed
from generator.engine.worker import CLIP_LOST, POST_PROCESSORS, Finished, Lost, Outcome

# Orders of many services are finished faster than a few processes encode them. Each holds the
# samples of a clip: 750 MB for 5 s of 1080p.
MAX_POST_PROCESSORS = 8


class OrderPool:
    """Has clips ordered, as many at once as the accounts allow, and yields them.

    Args:
        requests: of the clips.
        limits: of their accounts.
        beside_models: models compute on the same machine; finished files then give way to them.
    """

    def __init__(
        self,
        requests: Sequence[ClipRequest],
        limits: dict[str, OrderLimit],
        *,
        beside_models: bool = False,
    ) -> None:
        self._schedule = OrderSchedule(requests, limits)
        self._niceness = NICENESS if beside_models else 0
        self._process: WorkerProcess | None = None
        self._tasks: dict[int, Task] = {}  # by the numbers of their requests
        self._ordered: set[int] = set()  # those whose order is not over

    @property
    def connections(self) -> list[Connection]:
        """Where messages come from."""
        return [] if self._process is None else [self._process.connection]

    def start(self) -> None:
        """Start the process if something is to be ordered."""
        self._tasks, self._ordered = {}, set()
        tasks = self._schedule.take()
        if tasks:
            count = max(POST_PROCESSORS, min(MAX_POST_PROCESSORS, (os.cpu_count() or 1) // 2))
            self._process = WorkerProcess(
                post_processors=count, waits=True, niceness=self._niceness
            )
            self._submit(self._process, tasks)

    def _submit(self, process: WorkerProcess, tasks: list[Task]) -> None:
        for task in tasks:
            number = process.submit(task.request)
            self._tasks[number] = task
            self._ordered.add(number)
        if not self._tasks:
            process.close()

    def handle_message(self) -> Iterator[Outcome]:
        """Receive a message; order what may be ordered then, and yield the clips."""
        process = self._process
        if process is None:
            return
        try:
            message = process.receive()
        except EOFError:
            yield from self._restart(process)
            return
        task = self._tasks[message.number]
        if message.number in self._ordered:
            self._ordered.remove(message.number)
            self._schedule.release(task)
        if isinstance(message, Lost):
            del self._tasks[message.number]
            failed = self._schedule.retry(task, _lost_reason(task.request))
            if failed is not None:
                yield failed
            return  # the process ends
        if isinstance(message, Finished):
            del self._tasks[message.number]
        self._submit(process, self._schedule.take())
        if isinstance(message, Finished):
            yield message.clip

    def _restart(self, process: WorkerProcess) -> Iterator[Outcome]:
        """Replace a process that has ended; yield the clips that failed for good."""
        # After `Lost`, the clip that is to blame was counted already.
        is_blamed = process.exit_code != CLIP_LOST
        self._process = None
        for number, task in self._tasks.items():
            if number in self._ordered:
                self._schedule.release(task)
            if is_blamed or may_be_billed(task.request):
                failed = self._schedule.retry(task, process.failure_reason(task.request))
                if failed is not None:
                    yield failed
            else:
                self._schedule.put_back(task)
        self.start()

    def stop(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.stop()

    def join(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            self._process.join()


def _lost_reason(request: ClipRequest) -> str:
    return (
        f"The processes that finish clips of {request.entrant.name} ended on prompt "
        f"{request.prompt_id}; give them more memory."
    )
