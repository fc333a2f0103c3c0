"""One worker makes one clip after the other, with one entrant's weights resident."""

import logging
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from generator.backends import Backend, find_backend
from generator.errors import GeneratorError
from generator.render import render
from generator.spec import ClipRequest, FailedClip, GeneratedClip

Clips = Generator[GeneratedClip | FailedClip, None, None]

logger = logging.getLogger(__name__)


class Worker(AbstractContextManager["Worker"]):
    """Makes clips; keeps the entrant's backend open until another entrant's turn."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._resident: str | None = None
        self._backend: Backend | None = None
        self._refusal: str | None = None  # why the resident entrant cannot run at all
        self._checked: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def make(self, request: ClipRequest) -> GeneratedClip | FailedClip:
        """The clip, or why there is none."""
        try:
            raw, provenance = self._ready_backend(request).generate(request)
            return render(raw, request, provenance)
        except GeneratorError as error:
            return FailedClip(request, str(error))
        except Exception as error:  # whatever a model's own code raises: the run goes on
            logger.debug("%s failed", request.prompt_id, exc_info=True)
            return FailedClip(request, _in_one_sentence(request, error))

    def _ready_backend(self, request: ClipRequest) -> Backend:
        entrant = request.entrant.model_dump_json()
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
                self._refusal = str(error) if refused else _in_one_sentence(request, error)
                raise
        return self._backend


def _in_one_sentence(request: ClipRequest, error: Exception) -> str:
    first_line = next(iter(str(error).splitlines()), "").strip().rstrip(".")
    detail = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return f"{request.entrant.name} failed on prompt {request.prompt_id} ({detail})."
