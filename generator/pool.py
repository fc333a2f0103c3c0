"""Workers in processes of their own, each given one request at a time."""

import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from generator.spec import ClipRequest, FailedClip, GeneratedClip
from generator.worker import Clips, Worker

STOPPING_S = 5.0  # a process that has not ended by then is killed


@dataclass(eq=False)
class _Hand:
    """A process, the way to it, and the request it is at."""

    process: SpawnProcess
    connection: Connection
    request: ClipRequest | None = None


def work_in_processes(requests: Sequence[ClipRequest], count: int) -> Clips:
    """The clips of all requests in the order in which they are finished.

    A process that dies costs the clip it was at; another takes its place.
    """
    waiting = deque(requests)
    hands: list[_Hand] = []
    try:
        for _ in range(min(count, len(waiting))):
            hands.append(_start())
            _give_next(hands[-1], waiting)
        while busy := {hand.connection: hand for hand in hands if hand.request is not None}:
            for connection in wait(list(busy)):
                hand = busy[connection]  # type: ignore[index]
                clip = _take(hand)
                if hand.process.exitcode is not None:
                    hands[hands.index(hand)] = hand = _start()
                _give_next(hand, waiting)
                yield clip
    finally:
        _stop(hands)


def _start() -> _Hand:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with _interrupts_stay_here():
        process.start()
    theirs.close()  # else a dead process would not show as the end of the connection
    return _Hand(process, ours)


def _serve(connection: Connection) -> None:
    """The life of a process: make what comes, until nothing more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # leave by the way that cleans up
    with Worker() as worker, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(worker.make(connection.recv()))


def _give_next(hand: _Hand, waiting: deque[ClipRequest]) -> None:
    hand.request = waiting.popleft() if waiting else None
    if hand.request is not None:
        # A process that died already shows as the end of its connection when its clip is awaited.
        with suppress(BrokenPipeError):
            hand.connection.send(hand.request)


def _take(hand: _Hand) -> GeneratedClip | FailedClip:
    try:
        clip: GeneratedClip | FailedClip = hand.connection.recv()
    except (EOFError, ConnectionResetError):
        hand.process.join()
        if hand.request is None:
            raise
        return FailedClip(
            hand.request,
            f"{hand.request.entrant.name} ended its process on prompt {hand.request.prompt_id} "
            f"(exit code {hand.process.exitcode}); give it more memory or fewer workers.",
        )
    return clip


def _stop(hands: Sequence[_Hand]) -> None:
    for hand in hands:
        hand.connection.close()  # an idle process ends by itself
        if hand.request is not None:
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
