"""Requests for clips, clips as samples and as files, and their provenance."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from generator.jsonable import one_line, to_jsonable
from generator.orders import OrderJournal
from generator.spec import Entrant, TrackSettings


@dataclass(frozen=True)
class ClipRequest:
    """A clip to make; `source` is the first image or source video of the prompt, if it has one."""

    entrant: Entrant
    track: TrackSettings
    prompt_id: str
    prompt: str
    seed: int
    source: Path | None = None
    rendition_only: bool = False  # without master and measures
    stored_master: "StoredMaster | None" = None  # render this instead of running the model
    weights_sha256: str | None = None  # the weights must have this hash, if known
    # Where a backend that orders clips from a service remembers its orders; None: nowhere.
    orders: OrderJournal | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class RawClip:
    """A clip as samples, before it is fitted to a track."""

    frames: NDArray[np.uint8]  # (T, H, W, 3), sRGB
    fps: Fraction
    audio: NDArray[np.float32] | None = None  # (channels, N), full scale is 1
    sample_rate: int | None = None
    original: bytes | None = field(default=None, repr=False)  # the original file, if there is one
    original_suffix: str | None = None
    # When each frame starts, in seconds from the first, and when the last one ends; None at the
    # constant rate `fps`.
    times: tuple[float, ...] | None = None
    end_s: float | None = None
    adapted: tuple[str, ...] = ()  # what was changed in reading the file, for the provenance

    @property
    def size_bytes(self) -> int:
        """Size of the samples in memory."""
        return self.frames.nbytes + (0 if self.audio is None else self.audio.nbytes)


@dataclass(frozen=True)
class ClipFile:
    """A clip as a file that a service delivered, which is decoded in post-processing.

    Attributes:
        data: the file, from a source that is not trusted.
        max_bytes: the largest file that is decoded.
    """

    data: bytes = field(repr=False)
    max_bytes: int

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return len(self.data)


# What a backend makes, with how it was made.
ModelOutput = tuple[RawClip | ClipFile, "Provenance"]


def _measurable(value: Any) -> Any:
    """None for NaN, infinity and negative values, which JSON or sums cannot hold."""
    return value if isinstance(value, int | float) and 0 <= value < math.inf else None


Measured = Annotated[float | None, BeforeValidator(_measurable)]


class Provenance(BaseModel):
    """How a clip was made: enough to reproduce it and to report its cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    pipeline_class: str | None = None
    model: str | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    scheduler: dict[str, Any] | None = None
    seed: int
    call: dict[str, Any] = Field(default_factory=dict)  # arguments as passed
    dropped: dict[str, Any] = Field(default_factory=dict)  # not accepted by the model
    adapted: tuple[str, ...] = ()  # what was changed to fit the track, in order
    rendered_from: str | None = None  # the track that its master was generated for, if another
    # Version of the rules by which the rendition is encoded; None before version 2.
    encoding: int | None = None
    warnings: tuple[str, ...] = ()  # by the model about the prompt, such as unknown words
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: str | None = None
    device: str | None = None
    dtype: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)  # other options of the backend
    steps: int | None = None  # denoising steps that ran
    guidance: float | None = None
    seconds: Measured = None
    gpu_seconds: Measured = None  # seconds times GPUs
    energy_joules: Measured = None  # of these GPUs, or of the whole CPU
    peak_memory_bytes: int | None = None
    cost_usd: Measured = None  # at the list price
    billed_usd: Measured = None  # by the figures of the service's own answer
    # From sending the order to a service to having its whole file; None if another run ordered it.
    order_seconds: Measured = None
    queue_seconds: Measured = None  # of `order_seconds`, as far as the service says
    usage: dict[str, Any] | None = None  # as reported by a server
    frames_sha256: str | None = None  # of the raw frames: shows whether two runs are equal
    created_at: datetime

    @model_validator(mode="before")
    @classmethod
    def _to_jsonable(cls, values: dict[str, Any]) -> Any:
        """Models and servers may report values that JSON or the database cannot store."""
        return to_jsonable(values)


def file_provenance(request: ClipRequest, *, backend: str, file: Path) -> Provenance:
    """Return the provenance of a clip that was made elsewhere and read from a file."""
    return Provenance(
        backend=backend,
        model=file.name,
        seed=request.seed,
        versions={"av": version("av")},
        created_at=datetime.now(UTC),
    )


@dataclass(frozen=True)
class StoredMaster:
    """The master of a clip that was generated earlier, for another track.

    `read` returns the file's bytes, in any process, or raises a `GeneratorError`.
    """

    read: Callable[[], bytes]
    provenance: Provenance


@dataclass(frozen=True)
class Master:
    """A clip as generated, as a file."""

    data: bytes = field(repr=False)
    suffix: str


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """A finished clip: the master as generated and the rendition that voters get."""

    request: ClipRequest
    master: Master | None  # None if only the rendition was requested
    rendition: bytes = field(repr=False)
    provenance: Provenance
    measures: dict[str, float] | None = None


@dataclass(frozen=True)
class FailedClip:
    """A request that failed, with the reason in one sentence.

    If the model made something that cannot be shown, `master` keeps it.
    """

    request: ClipRequest
    reason: str
    master: Master | None = None
    refused: bool = False  # by the model's content policy
    maybe_billed: bool = False  # ordered from a server, or perhaps ordered, and not received
    missing: bool = False  # nothing failed: the clip's file is yet to come

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", one_line(self.reason))
