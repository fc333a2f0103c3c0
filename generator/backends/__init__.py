"""Backends run models: each kind turns a request into raw samples.

`Backend` is the interface; `find_backend` looks a kind up by its entry point. `diffusers`,
`openai`, `api` and `folder` are the shipped kinds and do not import one another; `meter` measures
what a clip cost, `rate_limit` spaces orders.
Backends import `generator.media` and the modules at the top of `generator`, never the engine. Start
with `folder`, the shortest one.
"""

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from generator.clips import ClipRequest, ModelOutput
from generator.errors import GeneratorError, MissingKey, SpecError
from generator.spec import Entrant, TrackSettings

GROUP = "hippodrome.backends"


class Backend(AbstractContextManager["Backend"], Protocol):
    """Runs one entrant; loads its weights on entering the context and releases them on leaving.

    Some attributes are optional: `libraries`, the slow-to-import modules that it uses;
    `repeatable`, False if a request must not be made again after its process died; `waits`, True if
    the work is waiting for a service. Such a backend is called by many threads at once, waits by
    `generator.waiting`, and may have an `account`, the name under which its orders are counted.
    """

    def __init__(self, entrant: Entrant) -> None: ...

    @property
    def workers(self) -> int | None:
        """Maximum number of processes that may run this backend at once; None for one per core.

        Of a backend that waits: the maximum number of orders of its account at once.
        """

    def check(self, track: TrackSettings) -> None:
        """Raise a SpecError for anything that is wrong and detectable before loading the model."""

    def generate(self, request: ClipRequest) -> ModelOutput:
        """Generate one clip, or raise a GeneratorError."""


def find_backend(entrant: Entrant) -> Backend:
    """Return the backend of the entrant's kind, without loading a model.

    Raises:
        SpecError: No installed package provides that kind.
    """
    kinds = {point.name: point for point in entry_points(group=GROUP)}
    kind = entrant.backend.kind
    if kind not in kinds:
        raise SpecError(
            f"{entrant.name} uses the backend {kind!r}, which is not installed; "
            f"use one of {', '.join(sorted(kinds)) or 'none: reinstall the package'}."
        )
    backend: Backend = kinds[kind].load()(entrant)
    return backend


def missing_reasons(requests: Iterable[ClipRequest]) -> list[str | None]:
    """Return for each request why its clip cannot be made yet; None if it can be tried.

    Backends of clips that are made elsewhere have a method `missing(request)` that says so. No
    model is loaded.
    """
    backends: dict[str, Backend] = {}
    reasons: list[str | None] = []
    for request in requests:
        key = request.entrant.key
        try:
            if key not in backends:
                backends[key] = find_backend(request.entrant)
            missing = getattr(backends[key], "missing", None)
            reasons.append(None if missing is None else missing(request))
        except GeneratorError:
            reasons.append(None)  # the clip fails with this error
    return reasons


def unmatched_files(entrant: Entrant, prompt_ids: Collection[str]) -> list[str]:
    """Return the names of an entrant's files that belong to none of these prompts, sorted.

    Backends of clips that are made elsewhere have a method `unmatched(prompt_ids)` that says so.
    """
    try:
        unmatched = getattr(find_backend(entrant), "unmatched", None)
        return [] if unmatched is None else list(unmatched(prompt_ids))
    except GeneratorError:
        return []  # its clips fail with this error


def libraries_of(entrants: Iterable[Entrant]) -> list[str]:
    """Return the slow-to-import modules that these entrants' backends list as `libraries`."""
    modules: dict[str, None] = {}
    for entrant in entrants:
        try:
            backend = find_backend(entrant)
        except GeneratorError:
            continue  # its clips will fail with this error
        modules |= dict.fromkeys(getattr(backend, "libraries", ()))
    return list(modules)


def is_repeatable(entrant: Entrant) -> bool:
    """Whether a request whose process died may be made again: not if it may have been billed."""
    try:
        return bool(getattr(find_backend(entrant), "repeatable", True))
    except GeneratorError:
        return True  # every request fails with this error


@dataclass(frozen=True)
class OrderLimit:
    """How many orders of one account at a service may wait at once."""

    account: str
    at_once: int


def order_limit(entrant: Entrant) -> OrderLimit | None:
    """The limit of an entrant whose backend waits for a service; None if it computes clips here."""
    try:
        backend = find_backend(entrant)
    except GeneratorError:
        return None  # every request fails with this error
    if not getattr(backend, "waits", False):
        return None
    try:
        return OrderLimit(getattr(backend, "account", entrant.key), backend.workers or 1)
    except GeneratorError:
        return OrderLimit(entrant.key, 1)  # as above


@dataclass(frozen=True)
class Estimate:
    """What a clip of a paid service will cost, before it is ordered.

    Attributes:
        price_usd: list price; None if it is not known.
        adapted: what is asked for other than the track says.
        dropped: settings that the service does not take.
        concurrency: orders at once.
    """

    price_usd: float | None
    adapted: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    concurrency: int = 1


def estimate_clip(request: ClipRequest, backend: Backend | None = None) -> Estimate | None:
    """Return what a clip will cost; None if it costs nothing, as at one's own server.

    `backend` is the entrant's, if it is known already: looking it up takes a while.

    Backends of services with prices have a method `estimate(request)`; for others with orders, the
    entrant's own price counts.

    Raises:
        GeneratorError: the clip cannot be ordered; says why.
    """
    backend = backend or find_backend(request.entrant)
    estimate: Callable[[ClipRequest], Estimate] | None = getattr(backend, "estimate", None)
    if estimate is not None:
        return estimate(request)
    price = request.entrant.cost_usd(request.track.duration_s)
    if getattr(backend, "repeatable", True) or not price:
        return None
    return Estimate(price, concurrency=backend.workers or 1)


def find_missing_key(entrant: Entrant) -> str | None:
    """Say why an entrant's service cannot be called if the environment has no key for it.

    Backends of such services have a method `check_key()`, which raises MissingKey.
    """
    try:
        check = getattr(find_backend(entrant), "check_key", None)
        if check is not None:
            check()
    except MissingKey as error:
        return str(error)
    except GeneratorError:
        return None  # every request fails with this error
    return None


def refuse_unknown_options(entrant: Entrant, known: frozenset[str]) -> None:
    """Reject keys of `[backend]` that the entrant's backend does not know.

    Raises:
        SpecError: A key is unknown; the message names the first one.
    """
    for key in entrant.backend.options:
        if key not in known:
            raise SpecError(
                f"{entrant.name}: backend.{key} is not an option of the "
                f"{entrant.backend.kind} backend; remove it or use one of "
                f"{', '.join(sorted(known))}."
            )
