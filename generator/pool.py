"""Workers in processes of their own: one entrant each, so that nothing a model does ends the run.

A CUDA error, a leak or a crash goes with its process; what it was at is tried once more in another.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from generator.schedule import Schedule, Task, entrant_key
from generator.spec import ClipRequest
from generator.worker import Clips, DeviceLost, Outcome, Worker

STOPPING_S = 5.0  # a process that has not ended by then is killed
# Loaded once, before any worker: the seconds that importing a model's libraries takes are not paid
# for every entrant. Nothing in them touches a GPU when it is imported.
PRELOADED = ("generator.worker", "generator.measure", "torch", "diffusers", "transformers")


class _Free(NamedTuple):
    """From a worker: the model's part of a clip is done, the next can come."""


class _Done(NamedTuple):
    """From a worker: the clip of the request of this number."""

    number: int
    clip: Outcome


@dataclass(eq=False)
class _Hand:
    """A process, the way to it, and the tasks it is at, by number."""

    process: BaseProcess
    connection: Connection
    entrant: str
    device: str | None
    tasks: dict[int, Task] = field(default_factory=dict)
    given: int = 0
    free: bool = False  # the model is; clips may still be unfinished


def work_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """The clips of all requests in the order in which they are finished, by `count` processes."""
    schedule = Schedule(requests)
    devices: list[str | None] = [*find_cards()] or [None]
    hands: list[_Hand] = []
    try:
        for number in range(count):
            _start(schedule, hands, devices[number % len(devices)])
        while hands:
            for connection in wait([hand.connection for hand in hands]):
                hand = next(hand for hand in hands if hand.connection is connection)
                try:
                    message = hand.connection.recv()
                except (EOFError, ConnectionResetError):
                    hand.process.join()
                    hands.remove(hand)
                    schedule.leave(hand.entrant)
                    yield from _try_again(schedule, hand)
                    _start(schedule, hands, hand.device)
                    continue
                hand.free = hand.free or isinstance(message, _Free)
                done = hand.tasks.pop(message.number) if isinstance(message, _Done) else None
                if hand.free and not any(task.suspect for task in hand.tasks.values()):
                    _give(hand, schedule.take_same(hand.entrant))
                if done is not None:
                    yield message.clip
    finally:
        _stop(hands)


def find_cards() -> list[str]:
    """The NVIDIA cards that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    cards = Path("/dev").glob("nvidia[0-9]*")
    return sorted((card.name.removeprefix("nvidia") for card in cards), key=int)


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _start(schedule: Schedule, hands: list[_Hand], device: str | None) -> None:
    """Another worker, if a task waits for one."""
    task = schedule.take_any()
    if task is None:
        return
    context = _context()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, device), daemon=True)
    with _interrupts_stay_here():
        process.start()
    theirs.close()  # else a dead process would not show as the end of the connection
    hand = _Hand(process, ours, entrant_key(task.request), device)
    hands.append(hand)
    _give(hand, task)


def _give(hand: _Hand, task: Task | None) -> None:
    """A task, or that there are no more of the hand's entrant: then its process ends."""
    hand.free = False
    # A process that died already shows as the end of its connection.
    with suppress(BrokenPipeError):
        if task is None:
            hand.connection.send(None)
            return
        hand.tasks[hand.given] = task
        hand.connection.send((hand.given, task.request))
        hand.given += 1


def _try_again(schedule: Schedule, hand: _Hand) -> Iterator[Outcome]:
    """Put back what a dead process was at; gives those that have failed for good."""
    for task in hand.tasks.values():
        request = task.request
        failed = schedule.try_again(
            task,
            f"{request.entrant.name} ended its process on prompt {request.prompt_id} "
            f"(exit code {hand.process.exitcode}); give it more memory or fewer workers.",
        )
        if failed is not None:
            yield failed


def _serve(connection: Connection, device: str | None) -> None:
    """The life of a process: make what comes, until no more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # leave by the way that cleans up
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    sending = threading.Lock()

    def send(message: _Free | _Done) -> None:
        with sending, suppress(BrokenPipeError, ConnectionResetError):
            connection.send(message)

    with suppress(EOFError, ConnectionResetError), Worker() as worker:
        while (given := connection.recv()) is not None:
            number, request = given
            try:
                finished = worker.begin(request)
            except DeviceLost:
                os._exit(1)  # cleaning up would only hang on the lost device
            finished.add_done_callback(partial(_tell, send, number))
            send(_Free())


def _tell(send: Callable[[_Done], None], number: int, finished: Future[Outcome]) -> None:
    send(_Done(number, finished.result()))


def _stop(hands: Sequence[_Hand]) -> None:
    for hand in hands:
        hand.connection.close()
        if hand.tasks:
            hand.process.terminate()
    for hand in hands:
        hand.process.join(STOPPING_S)
        if hand.process.exitcode is None:
            hand.process.kill()
            hand.process.join()


@contextmanager
def _interrupts_stay_here() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C from their first moment; this one stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
