"""A worker holds one entrant's weights and makes clip after clip.

A clip is made in two parts: the model's own, which needs the weights, and the rest, which needs a
processor only: fitting, encoding, measuring. The second part of one clip runs beside the first of
the next.
"""

import logging
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

from generator.backends import Backend, find_backend
from generator.clips import ClipRequest, FailedClip, GeneratedClip, Provenance, RawClip
from generator.engine.backlog import Backlog
from generator.engine.post_processing import make_master, render
from generator.engine.schedule import entrant_key
from generator.errors import GeneratorError, RefusalError, first_line
from generator.media import decode

T = TypeVar("T")
Outcome = GeneratedClip | FailedClip
Clips = Generator[Outcome, None, None]
Draft = tuple[RawClip, Provenance] | FailedClip  # the model's part, or why there is none

FINISHERS = 2  # clips of one worker that are in their second part at once

logger = logging.getLogger(__name__)


def finish_clip(request: ClipRequest, draft: Draft) -> Outcome:
    """The second part: what the model made, as a clip for battles."""
    if isinstance(draft, FailedClip):
        return draft
    raw, provenance = draft
    clip = _or_failed(request, lambda: render(raw, request, provenance))
    if isinstance(clip, FailedClip):
        master = _or_failed(request, lambda: make_master(raw))
        return clip if isinstance(master, FailedClip) else replace(clip, master=master)
    return clip


class Worker(AbstractContextManager["Worker"]):
    """Makes clips; keeps the entrant's backend open until another entrant's turn.

    Args:
        finish: what makes the second part, called by `FINISHERS` threads.
    """

    def __init__(self, finish: Callable[[ClipRequest, Draft], Outcome] = finish_clip) -> None:
        self._finish = finish
        self._open = ExitStack()
        self._resident: str | None = None
        self._backend: Backend | None = None
        self._refusal: str | None = None  # why the resident entrant cannot run at all
        self._checked: set[str] = set()
        self._finishers = ThreadPoolExecutor(FINISHERS, thread_name_prefix="finish")
        self._backlog = Backlog()
        self._turn = Lock()  # a model makes one clip at a time, whoever asks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finishers.shutdown(cancel_futures=error is not None)
        self._open.close()

    def begin(self, request: ClipRequest) -> "Future[Outcome]":
        """Have the model make its part; the clip, or why there is none, comes later.

        Waits as long as too many clips are unfinished, so that memory stays bounded.

        Raises:
            DeviceLost: the device can do no more work for this process.
        """
        self._backlog.enter()
        try:
            with self._turn:
                draft = self._draft(request)
        except BaseException:
            self._backlog.leave(0)
            raise
        size = 0 if isinstance(draft, FailedClip) else draft[0].size_bytes
        self._backlog.weigh(size)
        finished = self._finishers.submit(self._finish, request, draft)
        finished.add_done_callback(lambda _: self._backlog.leave(size))
        return finished

    def make(self, request: ClipRequest) -> Outcome:
        """The clip, or why there is none."""
        return self.begin(request).result()

    def _draft(self, request: ClipRequest) -> Draft:
        def generate() -> tuple[RawClip, Provenance]:
            if request.kept is not None:
                return decode(request.kept.read()), request.kept.provenance
            return self._ready_backend(request).generate(request)

        return _or_failed(request, generate)

    def _ready_backend(self, request: ClipRequest) -> Backend:
        entrant = entrant_key(request)
        if entrant != self._resident:
            self._open.close()
            self._resident, self._backend, self._refusal = entrant, None, None
            self._checked.clear()
        if self._refusal is not None:
            raise GeneratorError(self._refusal)
        track = request.track.model_dump_json()
        backend = self._backend or find_backend(request.entrant)
        if track not in self._checked:
            backend.check(request.track)
            self._checked.add(track)
        if self._backend is None:
            try:
                self._backend = self._open.enter_context(backend)
            except Exception as error:
                # Loading weights anew for every clip would fail as often, and take as long.
                refused = isinstance(error, GeneratorError)
                self._refusal = str(error) if refused else in_one_sentence(request, error)
                raise
        return self._backend


class DeviceLost(Exception):
    """An accelerator is in a state that only a new process leaves."""


def _or_failed(request: ClipRequest, make: Callable[[], T]) -> T | FailedClip:
    """What `make` gives, or why it does not: the run goes on."""
    try:
        return make()
    except GeneratorError as error:
        return FailedClip(request, str(error), refused=isinstance(error, RefusalError))
    except Exception as error:  # whatever a model's own code raises
        if _lost_device(error):
            raise DeviceLost(in_one_sentence(request, error)) from error
        logger.debug("%s failed", request.prompt_id, exc_info=True)
        return FailedClip(request, in_one_sentence(request, error))


def _lost_device(error: Exception) -> bool:
    """Whether CUDA refuses all further work: every call of this process would fail as well."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in first_line(error)


def in_one_sentence(request: ClipRequest, error: Exception) -> str:
    """Why no clip came of a request, from an error that is not of our making."""
    told = first_line(error)
    detail = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return f"{request.entrant.name} failed on prompt {request.prompt_id} ({detail})."
