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
ModelOutput = tuple[RawClip, Provenance] | FailedClip  # the model's part, or why there is none

POST_PROCESSORS = 2  # clips of one worker that are in their second part at once

logger = logging.getLogger(__name__)


def post_process(request: ClipRequest, draft: ModelOutput) -> Outcome:
    """The second part: what the model made, as a clip for battles."""
    if isinstance(draft, FailedClip):
        return draft
    raw, provenance = draft
    clip = _or_failed_clip(request, lambda: render(raw, request, provenance))
    if isinstance(clip, FailedClip):
        master = _or_failed_clip(request, lambda: make_master(raw))
        return clip if isinstance(master, FailedClip) else replace(clip, master=master)
    return clip


class Worker(AbstractContextManager["Worker"]):
    """Makes clips; keeps the entrant's backend open until another entrant's turn.

    Args:
        finish: what makes the second part, called by `POST_PROCESSORS` threads.
    """

    def __init__(
        self, finish: Callable[[ClipRequest, ModelOutput], Outcome] = post_process
    ) -> None:
        self._finish = finish
        self._open = ExitStack()
        self._resident: str | None = None
        self._backend: Backend | None = None
        self._refusal: str | None = None  # why the resident entrant cannot run at all
        self._checked: set[str] = set()
        self._finishers = ThreadPoolExecutor(POST_PROCESSORS, thread_name_prefix="finish")
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

    def submit(self, request: ClipRequest) -> "Future[Outcome]":
        """Have the model make its part; the clip, or why there is none, comes later.

        Waits as long as too many clips are unfinished, so that memory stays bounded.

        Raises:
            DeviceLost: the device can do no more work for this process.
        """
        self._backlog.acquire()
        try:
            with self._turn:
                draft = self._draft(request)
        except BaseException:
            self._backlog.release(0)
            raise
        size = 0 if isinstance(draft, FailedClip) else draft[0].size_bytes
        self._backlog.add_bytes(size)
        finished = self._finishers.submit(self._finish, request, draft)
        finished.add_done_callback(lambda _: self._backlog.release(size))
        return finished

    def make(self, request: ClipRequest) -> Outcome:
        """The clip, or why there is none."""
        return self.submit(request).result()

    def _draft(self, request: ClipRequest) -> ModelOutput:
        def generate() -> tuple[RawClip, Provenance]:
            if request.stored_master is not None:
                return decode(request.stored_master.read()), request.stored_master.provenance
            return self._ready_backend(request).generate(request)

        return _or_failed_clip(request, generate)

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
                self._refusal = str(error) if refused else describe_error(request, error)
                raise
        return self._backend


class DeviceLost(Exception):
    """An accelerator is in a state that only a new process leaves."""


def _or_failed_clip(request: ClipRequest, make: Callable[[], T]) -> T | FailedClip:
    """What `make` gives, or why it does not: the run goes on."""
    try:
        return make()
    except GeneratorError as error:
        return FailedClip(request, str(error), refused=isinstance(error, RefusalError))
    except Exception as error:  # whatever a model's own code raises
        if _is_device_lost(error):
            raise DeviceLost(describe_error(request, error)) from error
        logger.debug("%s failed", request.prompt_id, exc_info=True)
        return FailedClip(request, describe_error(request, error))


def _is_device_lost(error: Exception) -> bool:
    """Whether CUDA refuses all further work: every call of this process would fail as well."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in first_line(error)


def describe_error(request: ClipRequest, error: Exception) -> str:
    """Why no clip came of a request, from an error that is not of our making."""
    told = first_line(error)
    detail = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return f"{request.entrant.name} failed on prompt {request.prompt_id} ({detail})."
