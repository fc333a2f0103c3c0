"""Schemas of votes and battles, shared by `ballots` and the API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from arena.models import REPORT_LENGTH, BattleFile, Choice, Side

MAX_MS = 24 * 3600 * 1000

Milliseconds = Annotated[int, Field(ge=0, le=MAX_MS)]


class PerSide(BaseModel):
    """Milliseconds on each side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: Milliseconds
    b: Milliseconds


class VoteForm(BaseModel):
    """A vote as sent; only `choice` is required."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    choice: Choice
    watched_ms: PerSide | None = None
    heard_ms: PerSide | None = None
    first: Side | None = None
    picture_only: bool = Field(
        default=False, description="in a track with sound: judged without hearing both sides"
    )
    reasons: Annotated[
        list[Annotated[str, Field(max_length=40)]], Field(max_length=16, default_factory=list)
    ]


class BrokenForm(BaseModel):
    """A voter's report that a file of a battle does not play."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    side: BattleFile
    reason: Annotated[str, Field(max_length=REPORT_LENGTH)] = ""

    @field_validator("reason")
    @classmethod
    def _storable(cls, value: str) -> str:
        return value.replace("\x00", "\ufffd")  # which PostgreSQL does not store


@dataclass(frozen=True)
class IssuedSource:
    """The first image or source video of a battle's prompt.

    Attributes:
        media_type: such as `image/png`.
        width, height: in pixels, as shown.
    """

    media_type: str
    width: int
    height: int

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")


@dataclass(frozen=True)
class IssuedBattle:
    """What a voter may know about a battle before the vote."""

    id: int
    token: str
    track: str
    prompt_id: str
    prompt_text: str
    categories: list[str]
    source: IssuedSource | None
    min_watch_ms: int
    expires_at: datetime | None  # None while it is prefetched
    next: "IssuedBattle | None"


@dataclass(frozen=True)
class RevealedSide:
    """What a voter learns about one side after the vote."""

    name: str
    creator: str | None
    rating: float | None


@dataclass(frozen=True)
class Contribution:
    """What a voter contributed to one track.

    Attributes:
        votes: without skips.
        picture_only: those of the votes that ratings of sound leave out.
    """

    track: str
    votes: int
    skips: int
    picture_only: int


@dataclass(frozen=True)
class CastVote:
    """The answer to a vote.

    Attributes:
        status: a value of `VoteStatus`.
        hold: the rule that holds the vote, and the public reason; None: it is not held.
        watch_checked: False where the watch time could not be checked.
    """

    choice: Choice
    receipt: str
    status: str
    hold: dict[str, str] | None
    watch_checked: bool
    reveal: tuple[RevealedSide, RevealedSide] | None
    next: IssuedBattle | None
