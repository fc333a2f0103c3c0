"""Entrants and track settings, and the TOML files that describe them."""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Container, Sequence
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
# End of the names of shipped tracks with sound; `arena.text` repeats it, because outside
# of `arena.production` the arena may not import this package.
AUDIO_SUFFIX = "-audio"
# Of an entrant's name, creator, licence and codename; also the length of their columns in
# `arena.models`, which repeats it for the same reason.
MAX_NAME_LENGTH = 120
SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SLUG_DIGITS = 6  # of the name's SHA-256, where the rest of a slug does not identify the name
# Emoji and some scripts are joined by these invisible characters, which are no part of Latin names.
_JOINERS = re.compile(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")

# Of a track, as in the arena's catalog.
MAX_SIDE, MAX_FRAMES, MAX_KBPS, MAX_BYTES = 4096, 7200, 200_000, 4_000_000_000
SECONDS_PER_MINUTE = 60
AUDIO_RATE = 48_000  # Hz, of every rendition with sound
# Backend options that are paths; relative ones are resolved against the spec's folder.
PATH_OPTIONS = ("model", "path")
# With this option, `model` is a name that the server knows and not a path.
ADDRESS_OPTION = "base_url"
# Of this kind, `model` is a name too, and `provider` a name or the path of a TOML file.
API_KIND = "api"

# Settings of a sample outside an arena: the size of Foal's world. At 320 kbit/s its clips show no
# coding artefacts, and use the rate up; the bytes hold three seconds at that rate, the sound and
# the MP4 boxes.
SAMPLE_SIZE = 256
SAMPLE_FPS = 24
SAMPLE_FRAMES = 72
SAMPLE_KBPS = 320
SAMPLE_BYTES = {False: 121 * 1024, True: 244 * 1024}


# Whether makers' services may rewrite prompts in a track: as they do by default, or not at all.
PromptRewriting = Literal["maker-default", "off"]
OFF: PromptRewriting = "off"


class TrackSettings(BaseModel):
    """The settings that all clips of a track share; keys that only an arena needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    modality: Modality
    audio: bool
    width: int = Field(ge=16, le=MAX_SIDE, multiple_of=2)
    height: int = Field(ge=16, le=MAX_SIDE, multiple_of=2)
    fps: Fraction = Field(gt=0, le=240)
    frames: int = Field(ge=1, le=MAX_FRAMES)
    video_kbps: int = Field(ge=8, le=MAX_KBPS)
    bytes: int = Field(ge=4096, le=MAX_BYTES)
    prompt_rewriting: PromptRewriting = "maker-default"

    @property
    def duration_s(self) -> float:
        """Length of a clip in seconds."""
        return float(self.frames / self.fps)

    @property
    def audio_samples(self) -> int:
        """Samples per channel of a whole clip at `AUDIO_RATE`."""
        return round(self.frames / self.fps * AUDIO_RATE)

    @classmethod
    def named(cls, name: str) -> Self:
        """The settings of a shipped track in the size of Foal's world.

        Raises:
            SpecError: no track has this name.
        """
        audio = name.endswith(AUDIO_SUFFIX)
        modality = name.removesuffix(AUDIO_SUFFIX)
        if modality not in MODALITIES:
            known = ", ".join(m + suffix for m in MODALITIES for suffix in ("", AUDIO_SUFFIX))
            raise SpecError(f"No track is named {name!r}; use a TOML file or one of {known}.")
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
    """How an entrant is run: the kind of backend, its options, the arguments of each call."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(min_length=1)
    call: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_jsonable(self) -> Self:
        for key, value in (*self.call.items(), *self.options.items()):
            if to_jsonable(value) != value:
                raise ValueError(
                    f"{key} should be a string, a number, true, false, or a list of these"
                )
        return self

    @property
    def options(self) -> dict[str, Any]:
        """All keys except `kind` and `call`; the backend checks them."""
        return dict(self.model_extra or {})


class Entrant(BaseModel):
    """A model version with its settings, as it competes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    creator: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    release_date: date | None = None
    licence: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    tracks: tuple[str, ...] = Field(min_length=1)
    codename: str | None = Field(default=None, min_length=1, max_length=MAX_NAME_LENGTH)
    price_usd_per_minute: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    # The key `slug` of the file, which overrules the slug that follows from the name.
    chosen_slug: str | None = Field(
        default=None, alias="slug", pattern=SLUG, max_length=MAX_NAME_LENGTH
    )
    backend: BackendSpec

    @field_validator("name", "creator", "licence", "codename")
    @classmethod
    def _check_single_line(cls, text: str | None) -> str | None:
        if text is None:
            return None
        if text != text.strip() or not _JOINERS.sub("", text).isprintable():
            raise ValueError(
                "must be one line of visible characters without leading or trailing spaces"
            )
        return normalize_name(text)

    @field_validator("name", "codename")
    @classmethod
    def _check_identifies(cls, text: str | None) -> str | None:
        categories = {unicodedata.category(char) for char in text or "x"}
        if not any(category[0] in "LN" or category == "So" for category in categories):
            raise ValueError("must contain a letter, a digit or an emoji")
        return text

    @field_validator("tracks")
    @classmethod
    def _check_unique_tracks(cls, tracks: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(tracks)) != len(tracks):
            raise ValueError("must name each track once")
        return tracks

    def cost_usd(self, seconds: float) -> float | None:
        """Price in US dollars of this many seconds of video; None without a price."""
        price = self.price_usd_per_minute
        return None if price is None else price * seconds / SECONDS_PER_MINUTE

    @property
    def key(self) -> str:
        """All settings as text: equal for equal entrants."""
        return self.model_dump_json()

    @property
    def slug(self) -> str:
        """The name as used in URLs and on the command line, unless another entrant has it."""
        return self.chosen_slug or slug(self.name)


def normalize_name(name: str) -> str:
    """The composed form (NFC) of a name: both Unicode forms of a name are one name."""
    return unicodedata.normalize("NFC", name)


def slug(name: str) -> str:
    """Lower-case the name and replace each run of characters outside a-z0-9 by one hyphen.

    Where this loses letters or digits, or leaves nothing, it is `distinct_slug`.
    """
    lost = (
        char
        for char in normalize_name(name).lower()
        if unicodedata.category(char)[0] in "LNM" and not char.isascii()
    )
    plain = _plain_slug(name)
    return distinct_slug(name) if not plain or any(lost) else plain


def distinct_slug(name: str) -> str:
    """The slug of a name, ending in hex digits of its SHA-256: differs between names."""
    digits = hashlib.sha256(normalize_name(name).encode()).hexdigest()[:SLUG_DIGITS]
    start = _plain_slug(name)[: MAX_NAME_LENGTH - SLUG_DIGITS - 1].strip("-")
    return f"{start}-{digits}" if start else digits


def assign_slugs(entrants: Sequence[Entrant]) -> dict[str, Entrant]:
    """Entrants by slug: each one's own, or `distinct_slug` if an earlier one has it.

    Raises:
        SpecError: two have the same name, or one has chosen the slug of another.
    """
    chosen: dict[str, Entrant] = {}
    names: set[str] = set()
    for entrant in entrants:
        if entrant.name in names:
            raise SpecError(f"Two entrants are called {entrant.slug} ({entrant.name}); rename one.")
        names.add(entrant.name)
        own = _free_slug(entrant, chosen)
        if own is None:
            raise SpecError(
                f"{entrant.name} has the same slug as {chosen[entrant.slug].name}; "
                'set another with slug = "..." in its file.'
            )
        chosen[own] = entrant
    return chosen


def _free_slug(entrant: Entrant, taken: Container[str]) -> str | None:
    candidates = [entrant.slug]
    if entrant.chosen_slug is None:
        candidates.append(distinct_slug(entrant.name))
    return next((each for each in candidates if each not in taken), None)


def _plain_slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", normalize_name(name).lower()).strip("-")


def read_entrant(path: Path) -> Entrant:
    """Read an entrant from a TOML file; its paths are made absolute.

    Raises:
        SpecError: the file is missing or not TOML, or a key is missing, wrong or unknown.
    """
    document = _read_toml(path, noun="entrant")
    backend = document.get("backend")
    if isinstance(backend, dict) and backend.get("kind") == API_KIND:
        provider = backend.get("provider")
        if isinstance(provider, str) and provider.endswith(".toml"):
            backend["provider"] = str(
                (path.resolve().parent / Path(provider).expanduser()).resolve()
            )
    elif isinstance(backend, dict) and ADDRESS_OPTION not in backend:
        for key in PATH_OPTIONS:
            if isinstance(backend.get(key), str):
                backend[key] = _resolve(backend[key], folder=path.resolve().parent)
    try:
        return Entrant.model_validate(document)
    except RecursionError:
        raise SpecError(
            f"The entrant file {path} cannot be used: it is nested too deeply."
        ) from None
    except ValidationError as error:
        problem = describe_validation_error(error, Entrant)
        raise SpecError(f"The entrant file {path} cannot be used: {problem}.") from None


def read_track(path: Path) -> TrackSettings:
    """Read a track's settings from a TOML file.

    Raises:
        SpecError: the file is missing or not TOML, or a key is missing or wrong.
    """
    document = _read_toml(path, noun="track")
    try:
        return TrackSettings.model_validate(document)
    except ValidationError as error:
        problem = describe_validation_error(error, TrackSettings)
        raise SpecError(f"The track file {path} cannot be used: {problem}.") from None


def _read_toml(path: Path, *, noun: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(
            f"The {noun} file {path} does not exist; give the path of a TOML file."
        ) from None
    except IsADirectoryError:
        raise SpecError(
            f"{path} is a folder; give the path of the TOML file of one {noun}."
        ) from None
    except OSError as error:
        raise SpecError(f"The {noun} file {path} cannot be read: {error.strerror}.") from None
    except RecursionError:
        raise SpecError(
            f"The {noun} file {path} is not valid TOML: it is nested too deeply."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"The {noun} file {path} is not valid TOML: {error}.") from None
    except ValueError:  # Python reads whole numbers of up to 4,300 digits
        raise SpecError(
            f"The {noun} file {path} is not valid TOML: a number has too many digits."
        ) from None


def _resolve(value: str, *, folder: Path) -> str:
    path = folder / Path(value).expanduser()
    # "owner/model" may be a folder next to the spec or a hub id, depending on what exists.
    if path.exists() or Path(value).expanduser().is_absolute() or value.startswith((".", "~")):
        return str(path.resolve())
    return value
