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
from generator.engine.schedule import Schedule, Task, entrant_key, models_of
from generator.engine.worker import Clips, Outcome
from generator.engine.worker_main import Done


@dataclass(eq=False)
class _Hand:
    """A process, its entrant, its card, and the tasks it is at by the numbers of their clips."""

    worker: WorkerProcess
    entrant: str
    device: str | None
    tasks: dict[int, Task] = field(default_factory=dict)
    free: bool = False  # the model is; clips may still be unfinished

    def give(self, task: Task | None) -> None:
        """A task, or that there are no more of its entrant: then its process ends."""
        self.free = False
        if task is None:
            self.worker.finish()
        else:
            self.tasks[self.worker.give(task.request)] = task


def work_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """The clips of all requests in the order in which they are finished, by `count` processes."""
    schedule = Schedule(requests)
    preload(models_of(requests))
    devices: list[str | None] = [*find_cards()] or [None]
    hands: list[_Hand] = []
    try:
        for number in range(count):
            _start(schedule, hands, devices[number % len(devices)])
        while hands:
            for connection in wait([hand.worker.connection for hand in hands]):
                hand = next(hand for hand in hands if hand.worker.connection is connection)
                try:
                    message = hand.worker.receive()
                except EOFError:
                    hands.remove(hand)
                    schedule.leave(hand.entrant)
                    yield from _try_again(schedule, hand)
                    _start(schedule, hands, hand.device)
                    continue
                if isinstance(message, Done):
                    del hand.tasks[message.number]
                else:
                    hand.free = True
                if hand.free and not any(task.suspect for task in hand.tasks.values()):
                    hand.give(schedule.take_same(hand.entrant))
                if isinstance(message, Done):
                    yield message.clip
    finally:
        for hand in hands:
            hand.worker.end()
        for hand in hands:
            hand.worker.join()


def find_cards() -> list[str]:
    """The NVIDIA cards that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    cards = Path("/dev").glob("nvidia[0-9]*")
    return sorted((card.name.removeprefix("nvidia") for card in cards), key=int)


def _start(schedule: Schedule, hands: list[_Hand], device: str | None) -> None:
    """Another worker, if a task waits for one."""
    task = schedule.take_any()
    if task is not None:
        hands.append(_Hand(WorkerProcess(device), entrant_key(task.request), device))
        hands[-1].give(task)


def _try_again(schedule: Schedule, hand: _Hand) -> Iterator[Outcome]:
    """Put back what a dead process was at; gives those that have failed for good."""
    for task in hand.tasks.values():
        failed = schedule.try_again(task, hand.worker.why(task.request))
        if failed is not None:
            yield failed
