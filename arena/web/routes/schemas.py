"""Requests and responses of the API, and their conversion from the arena's objects."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from arena.audit.proofs import Inclusion
from arena.catalog.registration import PublishedRegistration
from arena.holds.status import Verdict
from arena.models import BattleFile, Choice, Track, Vote
from arena.text import page_text, track_label
from arena.voting.own_data import OwnVote
from arena.voting.schemas import CastVote, Contribution, IssuedBattle, RevealedSide
from arena.web.routes.clip_urls import ClipUrls
from arena.web.routes.seals import encode_path

CLIPS = (BattleFile.A, BattleFile.B)


def utc_text(time: datetime) -> str:
    """A time in ISO 8601, with milliseconds and `Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TrackResponse(BaseModel):
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
    reasons: list[str] = Field(description="what a vote's reasons are chosen from")
    sampler: str
    prompt_rewriting: str = Field(
        description="whether makers' services may rewrite prompts: maker-default or off"
    )
    active: bool = Field(description="whether two entrants have clips to compare")
    closed: bool
    categories: list[str]
    battle_categories: list[str] = Field(
        description="those of them that battles can be asked for: they have enough prompts"
    )
    held_out_prompts: int = Field(description="active prompts whose votes never reveal names")
    registration: "RegisteredResponse | None" = Field(description="null: not registered")


class DeviationResponse(BaseModel):
    what: str = Field(description="a setting or rule, or `prompt` and its id")
    registered: Any = Field(description="null: it was added later")
    found: Any = Field(description="null: it was removed")
    noted_at: str


class RegistrationResponse(BaseModel):
    track: str
    sha256: str = Field(description="of the canonical JSON of the document, as a seal has it")
    registered_at: str
    document: dict[str, Any] = Field(description="prompts, settings and rules, as registered")
    deviations: list[DeviationResponse] = Field(description="later changes, oldest first")
    nonces: dict[str, str] = Field(
        description="of the hashes of private prompts, by id; none while the track is open"
    )


class RegisteredResponse(BaseModel):
    """A registration in short; `/tracks/{name}/registration` has all of it."""

    sha256: str
    registered_at: str
    deviations: list[DeviationResponse]


class BattleRequest(BaseModel):
    track: str = Field(max_length=80)
    category: str | None = Field(default=None, max_length=80)


class PromptResponse(BaseModel):
    id: str
    text: str
    categories: list[str]
    source: str | None = Field(
        description="URL of the first image or source video that is shown with the clips, "
        "valid for this battle and this voter only"
    )
    source_type: Literal["image", "video"] | None
    source_width: int | None = Field(description="pixels")
    source_height: int | None = Field(description="pixels")


class ClipResponse(BaseModel):
    video: str = Field(description="URL, valid for this battle and this voter only")


class BattleResponse(BaseModel):
    token: str
    track: str
    prompt: PromptResponse
    a: ClipResponse
    b: ClipResponse
    expires_at: str | None = Field(description="null for a prefetched battle")
    min_watch_ms: int
    next: "BattleResponse | None" = Field(description="prefetched, so that its clips can load")


class RevealedSideResponse(BaseModel):
    name: str
    creator: str | None
    rating: float | None = Field(description="Elo points in the latest snapshot")


class RevealResponse(BaseModel):
    a: RevealedSideResponse
    b: RevealedSideResponse


class HoldResponse(BaseModel):
    rule: str
    reason: str = Field(description="one sentence")


class VoteResponse(BaseModel):
    choice: Choice
    receipt: str
    status: str
    hold: HoldResponse | None = Field(
        default=None,
        description="why the vote is held, if it is; the rule `honey-pair` says that the pair was "
        "a check: a clip and its own damaged copy",
    )
    reveal: RevealResponse | None
    next: BattleResponse | None


class WithdrawnResponse(BaseModel):
    choice: Choice
    receipt: str
    status: str
    hold: HoldResponse | None = Field(description="why the vote does not count")


class BrokenResponse(BaseModel):
    next: BattleResponse | None = Field(description="the battle to show instead; null: none left")


class ProofResponse(BaseModel):
    """The proof that the vote is in the tree of a seal (RFC 6962, 2.1.1)."""

    leaf: str = Field(description="hash of the vote's leaf, in hexadecimal")
    index: int
    size: int = Field(description="of the seal's tree")
    root: str = Field(description="of the seal's tree, in hexadecimal")
    path: str = Field(description="hashes of 32 bytes, side by side in base64")


class ReceiptResponse(BaseModel):
    status: str
    hold: HoldResponse | None = Field(description="why the vote is held; null: it is not held")
    vote_id: int
    track: str
    cast_at: str
    sealed_in: int | None = Field(description="number of the seal; null: not sealed yet")
    proof: ProofResponse | None = Field(description="null: not sealed yet")


class MeResponse(BaseModel):
    votes: int
    skips: int
    choices: dict[Choice, int]
    tracks: list[Contribution] = Field(description="the same for each track with votes or skips")


class OwnVoteResponse(BaseModel):
    vote_id: int = Field(description="`id` in a release")
    receipt: str
    track: str
    prompt: str
    choice: Choice
    cast_at: str
    status: str
    hold: HoldResponse | None = Field(description="why the vote is held; null: it is not held")
    models: tuple[str, str] | None = Field(
        description="the left and the right model; null while names are hidden"
    )


class OwnVotesResponse(BaseModel):
    votes: list[OwnVoteResponse] = Field(description="votes and skips, latest first")
    before: int | None = Field(description="`before` of the next page; null: this is the last")


class LeftResponse(BaseModel):
    votes: int = Field(description="votes and skips that stay, without a voter")


def own_votes_response(votes: list[OwnVote], *, limit: int) -> OwnVotesResponse:
    return OwnVotesResponse(
        votes=[
            OwnVoteResponse(
                vote_id=vote.vote_id,
                receipt=vote.receipt,
                track=vote.track,
                prompt=page_text(vote.prompt),
                choice=vote.choice,
                cast_at=utc_text(vote.cast_at),
                status=vote.verdict.status.value,
                hold=_hold(vote.verdict),
                models=vote.models and (page_text(vote.models[0]), page_text(vote.models[1])),
            )
            for vote in votes
        ],
        before=votes[-1].vote_id if len(votes) == limit else None,
    )


def registered_response(found: PublishedRegistration | None) -> RegisteredResponse | None:
    """Describe a registration in short."""
    if found is None:
        return None
    return RegisteredResponse(
        sha256=found.sha256,
        registered_at=found.registered_at,
        deviations=[DeviationResponse.model_validate(each) for each in found.deviations],
    )


def track_response(
    track: Track,
    *,
    active: bool,
    categories: list[str],
    battle_categories: list[str],
    held_out_prompts: int,
    registration: PublishedRegistration | None,
) -> TrackResponse:
    return TrackResponse(
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
        reasons=track.reasons,
        sampler=track.sampler,
        prompt_rewriting=track.prompt_rewriting,
        active=active,
        closed=track.closed_at is not None,
        categories=categories,
        battle_categories=battle_categories,
        held_out_prompts=held_out_prompts,
        registration=registered_response(registration),
    )


def battle_document(battle: IssuedBattle, *, clip_urls: ClipUrls, voter_key: str) -> dict[str, Any]:
    """Return the values of a `BattleResponse`, which every vote is answered with.

    A dictionary, because pydantic works longer on the models than the vote takes to be stored.
    """
    source, upcoming = battle.source, battle.next
    source_url = source and clip_urls.make(
        battle_id=battle.id,
        file=BattleFile.SOURCE,
        voter_key=voter_key,
        media_type=source.media_type,
    )
    video_a, video_b = (
        clip_urls.make(battle_id=battle.id, file=file, voter_key=voter_key) for file in CLIPS
    )
    return {
        "token": battle.token,
        "track": battle.track,
        "prompt": {
            "id": battle.prompt_id,
            "text": page_text(battle.prompt_text),
            "categories": [page_text(category) for category in battle.categories],
            "source": source_url,
            "source_type": source and ("image" if source.is_image else "video"),
            "source_width": source and source.width,
            "source_height": source and source.height,
        },
        "a": {"video": video_a},
        "b": {"video": video_b},
        "expires_at": utc_text(battle.expires_at) if battle.expires_at else None,
        "min_watch_ms": battle.min_watch_ms,
        "next": upcoming and battle_document(upcoming, clip_urls=clip_urls, voter_key=voter_key),
    }


def _revealed(side: RevealedSide) -> dict[str, Any]:
    return {
        "name": page_text(side.name),
        "creator": side.creator and page_text(side.creator),
        "rating": side.rating,
    }


def vote_document(cast: CastVote, *, clip_urls: ClipUrls, voter_key: str) -> dict[str, Any]:
    """Return the values of a `VoteResponse`."""
    reveal, upcoming = cast.reveal, cast.next
    return {
        "choice": cast.choice.value,
        "receipt": cast.receipt,
        "status": cast.status,
        **({"hold": cast.hold} if cast.hold else {}),
        "reveal": reveal and {"a": _revealed(reveal[0]), "b": _revealed(reveal[1])},
        "next": upcoming and battle_document(upcoming, clip_urls=clip_urls, voter_key=voter_key),
    }


def broken_response(
    battle: IssuedBattle | None, *, clip_urls: ClipUrls, voter_key: str
) -> BrokenResponse:
    upcoming = battle and battle_document(battle, clip_urls=clip_urls, voter_key=voter_key)
    return BrokenResponse.model_validate({"next": upcoming})


def _hold(verdict: Verdict) -> HoldResponse | None:
    return None if verdict.hold is None else HoldResponse(**verdict.hold)


def receipt_response(vote: Vote, verdict: Verdict, inclusion: Inclusion | None) -> ReceiptResponse:
    return ReceiptResponse(
        status=verdict.status.value,
        hold=_hold(verdict),
        vote_id=vote.id,
        track=vote.battle.track.name,
        cast_at=utc_text(vote.cast_at),
        sealed_in=inclusion and inclusion.seal,
        proof=inclusion
        and ProofResponse(
            leaf=inclusion.leaf.hex(),
            index=inclusion.index,
            size=inclusion.size,
            root=inclusion.root.hex(),
            path=encode_path(inclusion.path),
        ),
    )
