"""The options of an entrant behind an OpenAI Videos API, checked before anything is asked of it."""

import math
import os
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from generator.backends import refuse_unknown_options
from generator.errors import SpecError
from generator.spec import Entrant, TrackSettings
from generator.validation import describe_validation_error

Seconds = Annotated[float, Field(gt=0, le=3600)]
SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
# The request decides these, so that every entrant is asked for the same.
RESERVED = ("prompt", "model", "input_reference")
MODALITIES = ("text-to-video", "image-to-video")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# How keys of services begin (OpenAI, xAI, Groq, Hugging Face, Replicate, Google, Amazon).
KEY = re.compile(
    r"\b(sk[-_]|xai-|gsk_|hf_|r8_)(?=[\w-]*[0-9])[\w-]{12,}|\bAIza[\w-]{20,}|\bAKIA[0-9A-Z]{12,}"
)
# Many letters and digits without a word's end: no name that a person gives a variable.
LONG_RUN = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}")


class OpenaiOptions(BaseModel):
    """What `[backend]` may say beside `kind` and `call`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    base_url: str
    model: str = Field(min_length=1, max_length=200)
    api_key_env: str | None = None
    timeout_s: float = Field(default=1800.0, gt=0)  # for one video, from order to file
    poll_s: float = Field(default=2.0, gt=0)
    max_retries: int = Field(default=5, ge=0, le=20)
    requests_per_minute: float | None = Field(default=None, gt=0)  # videos asked for
    concurrency: int = Field(default=4, ge=1, le=64)
    seconds: tuple[Seconds, ...] = ()  # lengths that the API takes; none for any
    sizes: tuple[str, ...] = ()
    send_seed: bool = False  # as a field `seed`, which not every API has
    max_download_mib: int = Field(default=512, ge=1, le=512)

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
            raise ValueError("must hold no user, password, query or fragment")
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
        """The server's name for messages."""
        return urlsplit(self.base_url).netloc


def read_options(entrant: Entrant) -> OpenaiOptions:
    """The checked options.

    Raises:
        SpecError: One is missing, wrong, unknown, or holds a key.
    """
    given = entrant.backend.options
    if "api_key" in given or "api_key" in entrant.backend.call:
        raise _key_error(entrant, "api_key")
    for place, value in (*given.items(), *entrant.backend.call.items()):
        if isinstance(value, str) and _is_key(place, value):
            raise _key_error(entrant, place)
    refuse_unknown_options(entrant, frozenset(OpenaiOptions.model_fields))
    try:
        return OpenaiOptions.model_validate(given)
    except ValidationError as error:
        problem = describe_validation_error(error, OpenaiOptions, prefix="backend.")
        raise SpecError(f"{entrant.name}: {problem}.") from None


def read_key(entrant: Entrant, options: OpenaiOptions) -> str | None:
    """The key in the environment; None where the spec names no variable.

    Raises:
        SpecError: The variable is not set.
    """
    name = options.api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise SpecError(
            f"{entrant.name}: the environment variable {name} is not set; put the API's key in it."
        )
    return key


def check_call(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> None:
    """Refuse tracks and arguments that cannot be asked for.

    Raises:
        SpecError: naming what is wrong.
    """
    if track.modality not in MODALITIES:
        raise SpecError(
            f"{entrant.name}: the openai backend makes no {track.modality}; "
            f"enter it in tracks of {' or '.join(MODALITIES)}."
        )
    for name in RESERVED:
        if name in entrant.backend.call:
            raise SpecError(
                f"{entrant.name}: backend.call.{name} is set by the request; remove it."
            )
    choose_seconds(entrant, options, track)
    choose_size(entrant, options, track)


def choose_seconds(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> float:
    """How long a video to ask for: the spec's, else the shortest possible that is long enough.

    Raises:
        SpecError: The API's videos are all shorter than the track.
    """
    written = entrant.backend.call.get("seconds")
    if written is not None:
        try:
            seconds = float(written)
        except (TypeError, ValueError):
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            raise SpecError(
                f"{entrant.name}: backend.call.seconds is {written!r}; give a number of seconds."
            )
        possible: tuple[float, ...] = (seconds,)
    else:
        possible = options.seconds or (track.duration_s,)
    enough = [seconds for seconds in possible if seconds >= track.duration_s]
    if not enough:
        raise SpecError(
            f"{entrant.name} makes videos of at most {max(possible):g} s and the track "
            f"{track.name} has {track.duration_s:g} s; leave that track out."
        )
    return min(enough)


def choose_size(entrant: Entrant, options: OpenaiOptions, track: TrackSettings) -> tuple[int, int]:
    """Which size to ask for: the spec's, else the track's, else that of the nearest shape.

    Raises:
        SpecError: The spec's is no size.
    """
    written = entrant.backend.call.get("size")
    if written is not None:
        return _sides(entrant, written)
    wanted = track.width, track.height
    sizes = [_sides(entrant, size) for size in options.sizes] or [wanted]
    if wanted in sizes:
        return wanted

    def unfitness(size: tuple[int, int]) -> tuple[float, bool, int]:
        """Shape first; then none that has to be scaled up, and no more pixels than needed."""
        width, height = size
        shape = abs(math.log(width / height) - math.log(track.width / track.height))
        too_small = width < track.width or height < track.height
        return round(shape, 3), too_small, -width * height if too_small else width * height

    return min(sizes, key=unfitness)


def _sides(entrant: Entrant, size: Any) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", str(size))
    if match is None:
        raise SpecError(
            f"{entrant.name}: backend.call.size is {size!r}; write width x height such as 1280x720."
        )
    return int(match[1]), int(match[2])


def _is_key(place: str, value: str) -> bool:
    """Whether a value looks like a key, or stands where a variable's name belongs and is none."""
    if place != "api_key_env":
        return KEY.search(value) is not None
    return VARIABLE.fullmatch(value) is None or LONG_RUN.search(value) is not None


def _key_error(entrant: Entrant, place: str) -> SpecError:
    # The value stays out of the message: messages end in logs.
    return SpecError(
        f"{entrant.name}: {place} looks like a key, and a key never stands in a spec; put it in "
        "the environment and give the variable's name as backend.api_key_env."
    )
