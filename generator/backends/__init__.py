"""Backends: what makes clips of requests, each kind found by its entry point."""

from collections.abc import Iterable
from importlib.metadata import entry_points
from types import TracebackType
from typing import Protocol, Self

from generator.clips import ClipRequest, Provenance, RawClip
from generator.errors import GeneratorError, SpecError
from generator.spec import Entrant, TrackSettings

GROUP = "hippodrome.backends"


class Backend(Protocol):
    """Runs one entrant; weights are loaded on entering the context and let go on leaving it."""

    def __init__(self, entrant: Entrant) -> None: ...

    @property
    def workers(self) -> int | None:
        """How many processes may run this at once; None for as many as there are cores."""

    def check(self, track: TrackSettings) -> None:
        """Refuse, with a SpecError, all that can be refused before anything is loaded."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """Make one clip, or raise a GeneratorError."""


def find_backend(entrant: Entrant) -> Backend:
    """The backend of the entrant's kind, with nothing loaded yet.

    Raises:
        SpecError: No installed package offers that kind.
    """
    kinds = {point.name: point for point in entry_points(group=GROUP)}
    kind = entrant.backend.kind
    if kind not in kinds:
        raise SpecError(
            f"{entrant.name} asks for the backend {kind!r}, which is not installed; "
            f"use one of {', '.join(sorted(kinds)) or 'none: install the package again'}."
        )
    backend: Backend = kinds[kind].load()(entrant)
    return backend


def libraries_of(entrants: Iterable[Entrant]) -> list[str]:
    """The modules that these entrants' backends name as `libraries`: they take long to import."""
    found: dict[str, None] = {}
    for entrant in entrants:
        try:
            backend = find_backend(entrant)
        except GeneratorError:
            continue  # its clips fail with that reason
        found |= dict.fromkeys(getattr(backend, "libraries", ()))
    return list(found)


def refuse_unknown_options(entrant: Entrant, known: frozenset[str]) -> None:
    """Refuse keys of `[backend]` that the entrant's backend does not have.

    Raises:
        SpecError: naming the first such key.
    """
    for key in entrant.backend.options:
        if key not in known:
            raise SpecError(
                f"{entrant.name}: backend.{key} is not an option of the "
                f"{entrant.backend.kind} backend; remove it or use one of "
                f"{', '.join(sorted(known))}."
            )
