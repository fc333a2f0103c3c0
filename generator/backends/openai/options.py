"""Options of the openai backend, validated before any request is sent."""

import math
import os
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from generator.backends import refuse_unknown_options
from generator.errors import MissingKey, SpecError
from generator.spec import Entrant, TrackSettings
from generator.validation import describe_validation_error

Seconds = Annotated[float, Field(gt=0, le=3600)]
SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
# Set by the request, so that every entrant gets the same.
RESERVED = ("prompt", "model", "input_reference")
MODALITIES = ("text-to-video", "image-to-video")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# Prefixes of API keys (OpenAI, xAI, Groq, Hugging Face, Replicate, Google, Amazon).
KEY = re.compile(
    r"\b(sk[-_]|xai-|gsk_|hf_|r8_)(?=[\w-]*[0-9])[\w-]{12,}|\bAIza[\w-]{20,}|\bAKIA[0-9A-Z]{12,}"
)
# A long run of letters and digits: a key rather than the name of a variable.
LONG_RUN = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}")


class OpenaiOptions(BaseModel):
    """The keys of `[backend]` besides `kind` and `call`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    base_url: str
    model: str = Field(min_length=1, max_length=200)
    api_key_env: str | None = None
    timeout_s: float = Field(default=1800.0, gt=0)  # for one video, from request to file
    poll_s: float = Field(default=2.0, gt=0)
    max_retries: int = Field(default=5, ge=0, le=20)
    requests_per_minute: float | None = Field(default=None, gt=0)  # videos, not polls
    concurrency: int = Field(default=4, ge=1, le=64)
    seconds: tuple[Seconds, ...] = ()  # lengths that the API accepts; empty for any
    sizes: tuple[str, ...] = ()
    send_seed: bool = False  # as the field `seed`, which not every API has
    max_download_mib: int = Field(default=128, ge=1, le=128)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, text: str) -> str:
        try:
            parts = urlsplit(text)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("must be an address such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not contain a user, password, query or fragment")
        return text

    @field_validator("sizes")
    @classmethod
    def _are_sizes(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        for size in sizes:
            if not SIZE.fullmatch(size):
                raise ValueError(f"{size!r} should be a size such as 1280x720")
        return sizes

    @property
    def host(self) -> str:
        """Host and port of the server, for error messages."""
        return urlsplit(self.base_url).netloc


def read_options(entrant: Entrant) -> OpenaiOptions:
    """Validate the options of an entrant.

    Raises:
        SpecError: An option is missing, invalid or unknown, or contains an API key.
    """
    values = entrant.backend.options
    if "api_key" in values or "api_key" in entrant.backend.call:
        raise _key_error(entrant, "api_key")
    for name, value in (*values.items(), *entrant.backend.call.items()):
        if isinstance(value, str) and _is_key(name, value):
            raise _key_error(entrant, name)
    refuse_unknown_options(entrant, frozenset(OpenaiOptions.model_fields))
    try:
        return OpenaiOptions.model_validate(values)
    except ValidationError as error:
        problem = describe_validation_error(error, OpenaiOptions, prefix="backend.")
        raise SpecError(f"{entrant.name}: {problem}.") from None


def read_key(entrant: Entrant, options: OpenaiOptions) -> str | None:
    """Return the API key from the environment, or None if the spec names no variable.

    Raises:
        MissingKey: The variable is not set.
    """
    name = options.api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise MissingKey(
            f"{entrant.name}: the environment variable {name} is not set; set it to the API key."
        )
    return key


def check_call(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> None:
    """Reject unsupported tracks and call arguments.

    Raises:
        SpecError: The track or an argument is not supported.
    """
    if track.modality not in MODALITIES:
        raise SpecError(
            f"{entrant.name}: the openai backend does not support {track.modality}; "
            f"use tracks of {' or '.join(MODALITIES)}."
        )
    for name in RESERVED:
        if name in entrant.backend.call:
            raise SpecError(
                f"{entrant.name}: backend.call.{name} is set by the request; remove it."
            )
    choose_seconds(entrant, options, track)
    choose_size(entrant, options, track)


def choose_seconds(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> float:
    """Return the length to request: the spec's, else the shortest that covers the track.

    Raises:
        SpecError: Every length that the API accepts is shorter than the track.
    """
    value = entrant.backend.call.get("seconds")
    if value is not None:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            raise SpecError(
                f"{entrant.name}: backend.call.seconds is {value!r}; use a number of seconds."
            )
        candidates: tuple[float, ...] = (seconds,)
    else:
        candidates = options.seconds or (track.duration_s,)
    long_enough = [seconds for seconds in candidates if seconds >= track.duration_s]
    if not long_enough:
        raise SpecError(
            f"{entrant.name} makes videos of at most {max(candidates):g} s and the track "
            f"{track.name} needs {track.duration_s:g} s; remove that track."
        )
    return min(long_enough)


def choose_size(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> tuple[int, int]:
    """Return the size to request: the spec's, else the track's, else the closest aspect ratio.

    Raises:
        SpecError: The spec's size cannot be read.
    """
    value = entrant.backend.call.get("size")
    if value is not None:
        return _parse_size(entrant, value)
    target = track.width, track.height
    sizes = [_parse_size(entrant, size) for size in options.sizes] or [target]
    if target in sizes:
        return target

    def mismatch(size: tuple[int, int]) -> tuple[float, bool, int]:
        """Prefer the aspect ratio, then sizes that need no upscaling, then the fewest pixels."""
        width, height = size
        ratio = abs(math.log(width / height) - math.log(track.width / track.height))
        too_small = width < track.width or height < track.height
        return round(ratio, 3), too_small, -width * height if too_small else width * height

    return min(sizes, key=mismatch)


def _parse_size(entrant: Entrant, size: Any) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", str(size))
    if match is None:
        raise SpecError(
            f"{entrant.name}: backend.call.size is {size!r}; write width x height such as 1280x720."
        )
    return int(match[1]), int(match[2])


def _is_key(name: str, value: str) -> bool:
    """Whether a value looks like an API key, or `api_key_env` is not a variable's name."""
    if name != "api_key_env":
        return KEY.search(value) is not None
    return VARIABLE.fullmatch(value) is None or LONG_RUN.search(value) is not None


def _key_error(entrant: Entrant, name: str) -> SpecError:
    # The message does not contain the value, because messages are logged.
    return SpecError(
        f"{entrant.name}: {name} looks like an API key, and a spec must not contain one; set an "
        "environment variable to it and name the variable in backend.api_key_env."
    )
