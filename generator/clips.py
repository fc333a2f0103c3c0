"""What is asked of a model and what comes back: requests, samples, clips, their provenance."""

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

from generator.jsonable import storable_text, to_jsonable
from generator.spec import Entrant, TrackSettings


@dataclass(frozen=True)
class ClipRequest:
    """One clip to be made; `source` is the first image or the video of a prompt that has one."""

    entrant: Entrant
    track: TrackSettings
    prompt_id: str
    prompt: str
    seed: int
    source: Path | None = None
    rendition_only: bool = False  # no master and no measures: for who hands the file on at once
    stored_master: "StoredMaster | None" = None  # what to render, without the model
    weights_sha256: str | None = None  # those it has to be made with, where that is known


@dataclass(frozen=True, eq=False)
class RawClip:
    """A clip as samples, before it is fitted to a track."""

    frames: NDArray[np.uint8]  # (T, H, W, 3), sRGB
    fps: Fraction
    audio: NDArray[np.float32] | None = None  # (channels, N), full scale is 1
    sample_rate: int | None = None
    original: bytes | None = field(default=None, repr=False)  # the file as it came
    original_suffix: str | None = None

    @property
    def size_bytes(self) -> int:
        """What its samples take in memory."""
        return self.frames.nbytes + (0 if self.audio is None else self.audio.nbytes)


def _measurable(value: Any) -> Any:
    """None for what no clip can have taken: JSON has no NaN, and a sum would be lost in it."""
    return value if isinstance(value, int | float) and 0 <= value < math.inf else None


Measured = Annotated[float | None, BeforeValidator(_measurable)]


class Provenance(BaseModel):
    """How a clip came to be: enough to make it again, and to say what it cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    pipeline_class: str | None = None
    model: str | None = None
    revision: str | None = None
    weights_sha256: str | None = None
    scheduler: dict[str, Any] | None = None
    seed: int
    call: dict[str, Any] = Field(default_factory=dict)  # arguments as they were passed
    dropped: dict[str, Any] = Field(default_factory=dict)  # asked for, but the model has no place
    adapted: tuple[str, ...] = ()  # what was changed to fit the track, in order
    rendered_from: str | None = None  # the track that its master was generated for, if another
    warnings: tuple[str, ...] = ()  # of the model on the prompt: words it does not know
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: str | None = None
    device: str | None = None
    dtype: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)  # of the backend, beside those named here
    steps: int | None = None  # of denoising, as they ran
    guidance: float | None = None
    seconds: Measured = None
    gpu_seconds: Measured = None  # seconds times GPUs
    energy_joules: Measured = None  # of these GPUs, or of the whole processor
    peak_memory_bytes: int | None = None
    cost_usd: Measured = None  # at the entrant's price a minute, of what was made
    usage: dict[str, Any] | None = None  # what a server says that a clip took
    frames_sha256: str | None = None  # of the raw frames: two runs made the same pixels or not
    created_at: datetime

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, values: dict[str, Any]) -> Any:
        """Texts and values of models and servers become such as JSON and databases hold."""
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
    """A clip that was generated before, for another track.

    `read` gives its file, in whichever process; a `GeneratorError` says why it does not.
    """

    read: Callable[[], bytes]
    provenance: Provenance


@dataclass(frozen=True)
class Master:
    """A clip as it was generated, as a file."""

    data: bytes = field(repr=False)
    suffix: str


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """A finished clip: the master as generated and the rendition that voters get."""

    request: ClipRequest
    master: Master | None  # None where only the rendition was asked for
    rendition: bytes = field(repr=False)
    provenance: Provenance
    measures: dict[str, float] | None = None


@dataclass(frozen=True)
class FailedClip:
    """A request that no clip came of, with the reason in one sentence.

    What the model made is kept where it made something that cannot be shown.
    """

    request: ClipRequest
    reason: str
    master: Master | None = None
    refused: bool = False  # by the model's rules of content, and not for want of anything

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable_text(self.reason))
