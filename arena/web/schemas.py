"""What the API answers: the shapes of the contract, and how they are made of the arena's own."""

from datetime import datetime

from pydantic import BaseModel, Field

from arena.models import Choice, Side, Track, Vote
from arena.voting.schemas import CastVote, IssuedBattle, RevealedSide
from arena.web.clip_urls import ClipAddresses
from arena.web.words import track_label


def utc_text(moment: datetime) -> str:
    """ISO 8601 with milliseconds and `Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TrackShape(BaseModel):
    name: str
    label: str = Field(description="the name as pages show it")
    modality: str
    audio: bool
    width: int
    height: int
    fps: int
    frames: int
    min_watch_ms: int
    reveal: str
    ties: str
    sampler: str
    active: bool = Field(description="whether there are clips of two entrants to compare")
    closed: bool
    categories: list[str]


class BattleForm(BaseModel):
    track: str = Field(max_length=80)
    category: str | None = Field(default=None, max_length=80)


class PromptShape(BaseModel):
    id: str
    text: str
    categories: list[str]
    source: str | None = Field(description="first image or source video, where the track has one")


class ClipShape(BaseModel):
    video: str = Field(description="good for this battle and this voter")


class BattleShape(BaseModel):
    token: str
    track: str
    prompt: PromptShape
    a: ClipShape
    b: ClipShape
    expires_at: str | None = Field(description="null while it is issued ahead")
    min_watch_ms: int
    next: "BattleShape | None" = Field(description="issued ahead, so that its clips can load")


class RevealedShape(BaseModel):
    name: str
    creator: str | None
    rating: float | None = Field(description="Elo points in the last snapshot")


class RevealShape(BaseModel):
    a: RevealedShape
    b: RevealedShape


class VoteShape(BaseModel):
    choice: Choice
    receipt: str
    status: str
    reveal: RevealShape | None
    next: BattleShape | None


class ReceiptShape(BaseModel):
    status: str
    vote_id: int
    track: str
    cast_at: str
    sealed_in: str | None


class MeShape(BaseModel):
    votes: int
    skips: int
    choices: dict[Choice, int]


def track_shape(track: Track, *, active: bool, categories: list[str]) -> TrackShape:
    return TrackShape(
        name=track.name,
        label=track_label(track.name),
        modality=track.modality.value,
        audio=track.audio,
        width=track.width,
        height=track.height,
        fps=track.fps,
        frames=track.frames,
        min_watch_ms=track.min_watch_ms,
        reveal=track.reveal.value,
        ties=track.ties,
        sampler=track.sampler,
        active=active,
        closed=track.closed_at is not None,
        categories=categories,
    )


def battle_shape(battle: IssuedBattle, *, addresses: ClipAddresses, voter_key: str) -> BattleShape:
    def clip(side: Side) -> ClipShape:
        return ClipShape(video=addresses.make(battle_id=battle.id, side=side, voter_key=voter_key))

    return BattleShape(
        token=battle.token,
        track=battle.track,
        prompt=PromptShape(
            id=battle.prompt_id,
            text=battle.prompt_text,
            categories=battle.categories,
            source=None,  # image and edit tracks, which have one, are not active yet
        ),
        a=clip(Side.A),
        b=clip(Side.B),
        expires_at=utc_text(battle.expires_at) if battle.expires_at else None,
        min_watch_ms=battle.min_watch_ms,
        next=battle_shape(battle.next, addresses=addresses, voter_key=voter_key)
        if battle.next
        else None,
    )


def _revealed(side: RevealedSide) -> RevealedShape:
    return RevealedShape(name=side.name, creator=side.creator, rating=side.rating)


def vote_shape(cast: CastVote, *, addresses: ClipAddresses, voter_key: str) -> VoteShape:
    reveal = cast.reveal and RevealShape(a=_revealed(cast.reveal[0]), b=_revealed(cast.reveal[1]))
    upcoming = cast.next and battle_shape(cast.next, addresses=addresses, voter_key=voter_key)
    return VoteShape(
        choice=cast.choice,
        receipt=cast.receipt,
        status=cast.status,
        reveal=reveal,
        next=upcoming,
    )


def receipt_shape(vote: Vote) -> ReceiptShape:
    return ReceiptShape(
        status="skipped" if vote.choice is Choice.SKIP else "counted",
        vote_id=vote.id,
        track=vote.battle.track.name,
        cast_at=utc_text(vote.cast_at),
        sealed_in=None,
    )
