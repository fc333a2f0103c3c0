"""What a spec file says: entrants and the settings of tracks."""

import re
import tomllib
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from generator.errors import SpecError
from generator.jsonable import to_jsonable
from generator.validation import describe_validation_error

Modality = Literal["text-to-video", "image-to-video", "video-edit"]
MODALITIES: tuple[Modality, ...] = ("text-to-video", "image-to-video", "video-edit")
AUDIO_SUFFIX = "-audio"

SECONDS_A_MINUTE = 60
AUDIO_RATE = 48_000  # Hz, of every rendition with sound
# A backend option of this name is a place on disk, and relative ones start at the spec's folder.
PATH_OPTIONS = ("model", "path")
# Behind an address a model is a name of the server's, whatever lies beside the spec.
ADDRESS_OPTION = "base_url"

# The size of Foal's world, for a sample outside an arena. At 800 kbit/s the miniature's clips show
# no coding artefacts; bytes hold three seconds at that rate, its buffer, the sound and the boxes.
SAMPLE_SIZE = 256
SAMPLE_FPS = 24
SAMPLE_FRAMES = 72
SAMPLE_KBPS = 800
SAMPLE_BYTES = {False: 360 * 1024, True: 416 * 1024}


class TrackSettings(BaseModel):
    """What every clip of a track has in common; keys that only an arena needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    modality: Modality
    audio: bool
    width: int = Field(ge=16, multiple_of=2)
    height: int = Field(ge=16, multiple_of=2)
    fps: Fraction = Field(gt=0, le=240)
    frames: int = Field(ge=1)
    video_kbps: int = Field(ge=8)
    bytes: int = Field(ge=4096)

    @property
    def duration_s(self) -> float:
        """Seconds that a clip lasts."""
        return float(self.frames / self.fps)

    @property
    def audio_samples(self) -> int:
        """Samples a channel at `AUDIO_RATE` over the whole clip."""
        return round(self.frames / self.fps * AUDIO_RATE)

    @classmethod
    def named(cls, name: str) -> Self:
        """The settings of a shipped track's name in the size of Foal's world."""
        audio = name.endswith(AUDIO_SUFFIX)
        modality = name.removesuffix(AUDIO_SUFFIX)
        if modality not in MODALITIES:
            known = ", ".join(m + suffix for m in MODALITIES for suffix in ("", AUDIO_SUFFIX))
            raise SpecError(f"There is no track {name!r}; use a TOML file or one of {known}.")
        return cls(
            name=name,
            modality=modality,
            audio=audio,
            width=SAMPLE_SIZE,
            height=SAMPLE_SIZE,
            fps=SAMPLE_FPS,
            frames=SAMPLE_FRAMES,
            video_kbps=SAMPLE_KBPS,
            bytes=SAMPLE_BYTES[audio],
        )


class BackendSpec(BaseModel):
    """How an entrant is run: the kind of backend, its own options, arguments of each call."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(min_length=1)
    call: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_plain(self) -> Self:
        for key, value in (*self.call.items(), *self.options.items()):
            if to_jsonable(value) != value:
                raise ValueError(f"{key} should be texts, numbers, true or false, or lists of them")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Everything beside `kind` and `call`, for the backend to check."""
        return dict(self.model_extra or {})


class Entrant(BaseModel):
    """A model version with its settings, as it competes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    creator: str = Field(min_length=1, max_length=100)
    release_date: date | None = None
    licence: str = Field(min_length=1, max_length=100)
    tracks: tuple[str, ...] = Field(min_length=1)
    codename: str | None = Field(default=None, min_length=1, max_length=100)
    price_usd_per_minute: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    backend: BackendSpec

    @field_validator("name", "creator", "licence", "codename")
    @classmethod
    def _one_clean_line(cls, text: str | None) -> str | None:
        if text is not None and (text != text.strip() or not text.isprintable()):
            raise ValueError("must be one line without spaces around it")
        return text

    @field_validator("name", "codename")
    @classmethod
    def _has_a_slug(cls, text: str | None) -> str | None:
        if text is not None and not slug(text):
            raise ValueError("must have a letter a-z or a digit")
        return text

    @field_validator("tracks")
    @classmethod
    def _each_track_once(cls, tracks: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(tracks)) != len(tracks):
            raise ValueError("must name each track once")
        return tracks

    def cost_usd(self, seconds: float) -> float | None:
        """Dollars of so many seconds at its price; None without one."""
        price = self.price_usd_per_minute
        return None if price is None else price * seconds / SECONDS_A_MINUTE

    @property
    def key(self) -> str:
        """All settings as text: equal for equal entrants."""
        return self.model_dump_json()

    @property
    def slug(self) -> str:
        """The name as addresses and the command line write it."""
        return slug(self.name)


def slug(name: str) -> str:
    """Lower case, with every run of characters outside a-z0-9 made one hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def read_entrant(path: Path) -> Entrant:
    """The entrant that a TOML file describes, with its paths made absolute.

    Raises:
        SpecError: The file is missing, is no TOML, or has a key that is missing, wrong or unknown.
    """
    document = _read_toml(path, noun="entrant")
    backend = document.get("backend")
    if isinstance(backend, dict) and ADDRESS_OPTION not in backend:
        for key in PATH_OPTIONS:
            if isinstance(backend.get(key), str):
                backend[key] = _resolve(backend[key], folder=path.resolve().parent)
    try:
        return Entrant.model_validate(document)
    except ValidationError as error:
        problem = describe_validation_error(error, Entrant)
        raise SpecError(f"The entrant file {path} cannot be used: {problem}.") from None


def read_track(path: Path) -> TrackSettings:
    """The settings of the track that a TOML file describes.

    Raises:
        SpecError: The file is missing, is no TOML, or has a key that is missing or wrong.
    """
    try:
        return TrackSettings.model_validate(_read_toml(path, noun="track"))
    except ValidationError as error:
        problem = describe_validation_error(error, TrackSettings)
        raise SpecError(f"The track file {path} cannot be used: {problem}.") from None


def _read_toml(path: Path, *, noun: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"There is no {noun} file {path}; give the path of a TOML file.") from None
    except IsADirectoryError:
        raise SpecError(f"{path} is a folder; give the path of one {noun} TOML file.") from None
    except OSError as error:
        raise SpecError(f"The {noun} file {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # also of numbers and nests without end
        raise SpecError(f"The {noun} file {path} is not valid TOML: {error}.") from None


def _resolve(value: str, *, folder: Path) -> str:
    written = Path(value).expanduser()
    place = folder / written
    # "owner/model" may be a folder beside the spec or a hub id: only the disk can tell.
    if place.exists() or written.is_absolute() or value.startswith((".", "~")):
        return str(place.resolve())
    return value
