"""Schemas of the API's requests and responses, as in the official client."""

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from generator.jsonable import storable_text
from generator.serve.errors import BadRequest
from generator.validation import first_error

MAX_PROMPT = 32_000  # characters, as in the OpenAI API
MAX_SEED = 2**63 - 1  # maximum of torch.Generator
MAX_PAGE = 100
MAX_SECONDS = 24 * 3600  # bounds the time to process a number with millions of digits
MAX_RATE = 20  # characters, as in 24000/1001
Status = Literal["queued", "in_progress", "completed", "failed"]
Variant = Literal["video", "thumbnail", "spritesheet"]


class _RequestModel(BaseModel):
    """Base of request parameters; reports the first invalid one by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: object) -> Self:
        """Validate values from a client.

        Raises:
            BadRequest: A parameter is missing, invalid or unknown.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = first_error(error)
            param = storable_text("".join(first.path[:1]))[:100] or None
            if first.type == "missing":
                raise BadRequest(f"{param} is missing; add it.", param=param) from None
            if first.type == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise BadRequest(
                    f"{param} is not a known parameter; remove it or use one of {known}.",
                    param=param,
                    code="unknown_parameter",
                ) from None
            raise BadRequest(f"{param} is wrong: {first.reason}.", param=param) from None


def _limit_digits(rate: object) -> object:
    if isinstance(rate, str) and (len(rate) > MAX_RATE or "e" in rate.lower()):
        raise ValueError("use frames per second such as 24, 23.976 or 24000/1001")
    return rate


class CreateVideo(_RequestModel):
    """Parameters of a new video, except its image; those from `seed` on are extensions."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT, pattern=r"\S")
    model: str | None = None
    seconds: Annotated[Decimal, Field(gt=0, le=MAX_SECONDS, decimal_places=9)] | None = None
    size: str | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    fps: Annotated[Fraction, BeforeValidator(_limit_digits), Field(ge=1, le=60)] | None = None
    audio: bool | None = None


class ListVideos(_RequestModel):
    """Parameters of a page of videos."""

    after: str | None = None
    limit: int = Field(default=20, ge=1, le=MAX_PAGE)
    order: Literal["asc", "desc"] = "desc"


class Download(_RequestModel):
    """Parameters of a download."""

    variant: Variant = "video"


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class Video(BaseModel):
    """One video job. `seed` is an extension, which the client passes through."""

    model_config = ConfigDict(frozen=True)

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Status = "queued"
    progress: int = 0
    created_at: int
    completed_at: int | None = None
    expires_at: int | None = None
    prompt: str
    seconds: str
    size: str
    seed: int
    remixed_from_video_id: str | None = None
    error: VideoError | None = None

    @property
    def finished(self) -> bool:
        """Whether the status is final."""
        return self.status in ("completed", "failed")


def list_response(videos: list[Video], *, has_more: bool) -> dict[str, Any]:
    """Build the response for a page of videos."""
    return {
        "object": "list",
        "data": [video.model_dump(mode="json") for video in videos],
        "first_id": videos[0].id if videos else None,
        "last_id": videos[-1].id if videos else None,
        "has_more": has_more,
    }
