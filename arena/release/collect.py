"""Reads a release's tables from the database, without what identifies voters or stealth models."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, selectinload

from arena.canonical import instant_text
from arena.catalog.entrants import list_entrants
from arena.catalog.prompts import list_prompts
from arena.catalog.variants import ALONE, Variants, count_variants
from arena.errors import ReleaseError
from arena.holds.status import judge
from arena.models import (
    HONEY,
    Battle,
    BattleState,
    Choice,
    Clip,
    ClipStatus,
    Entrant,
    Prompt,
    Track,
    Visitor,
    Vote,
    Voter,
    VoterKind,
    VoteStatus,
    copy_seed,
)
from arena.release.holds import hold_rows, last_events
from arena.release.schema import TABLES, TRACKS
from arena.release.seals import clip_references
from arena.release.tables import make_table
from arena.standings.rated_votes import WINNERS

LANGUAGE = "en"  # of the pages; they have no other yet
PSEUDONYM_DIGITS = 32  # 128 bits, so that voters' pseudonyms do not collide
JOIN = ";"
EXPIRED, BROKEN = "expired", "broken"
# Keys of a provenance that would let others make or recognize a clip that is still shown.
SECRET_UNTIL_CLOSE = ("seed", "frames_sha256", "usage")
Row = dict[str, Any]


@dataclass(frozen=True)
class Extent:
    """What a release contains: tracks, votes up to an id; and the salt of its pseudonyms.

    `hold_events` is the number of the last event of the ledger.
    """

    tracks: Sequence[Track]
    watermark: int
    salt: bytes = field(repr=False)
    hold_events: int = 0


def collect_tables(session: Session, extent: Extent, leaderboard: list[Row]) -> dict[str, Any]:
    """Return the release's Arrow tables by name.

    Args:
        session: sees at least the votes of the leaderboard's snapshots.
        extent: what the release contains.
        leaderboard: rows with the entrant's id in `model_name`.
    """
    entrants = {entrant.id: entrant for entrant in list_entrants(session)}
    prompts = {prompt.id: prompt for prompt in _prompts(session)}
    _check_unique_names(entrants.values())
    variants = count_variants(session)
    clips = ready_clips(session, extent)
    references = clip_references(session)
    names = clip_names(clips, references)
    votes, simulated, skips, traps = _answers(session, extent, entrants, prompts, names)
    rows: dict[str, list[Row]] = {
        "votes": votes,
        "simulated": simulated,
        "skips": skips,
        "traps": traps,
        "unanswered": _unanswered(session, extent, entrants, prompts),
        "holds": hold_rows(session, extent.hold_events, [*votes, *simulated]),
        "models": [_model(entrant, extent, variants) for entrant in entrants.values()],
        "prompts": [_prompt(prompt, extent) for prompt in prompts.values()],
        "clips": [_clip(clip, references) for clip in clips],
        "tracks": [_track(track) for track in extent.tracks],
        "leaderboard": [_with_model(row, entrants[row["model_name"]]) for row in leaderboard],
    }
    for name in ("models", "prompts"):
        rows[name] = [row for row in rows[name] if row["tracks"]]
    return {schema.name: make_table(schema, rows[schema.name]) for schema in TABLES}


def _prompts(session: Session) -> list[Prompt]:
    session.scalars(select(Prompt).options(selectinload(Prompt.category_rows))).all()
    return list_prompts(session)


def _check_unique_names(entrants: Iterable[Entrant]) -> None:
    names: set[str] = set()
    for entrant in entrants:
        if entrant.shown_name in names:
            raise ReleaseError(
                f"Two models are shown as '{entrant.shown_name}', which a release cannot "
                "distinguish: give one of them another name or codename."
            )
        names.add(entrant.shown_name)


# --- answers --------------------------------------------------------------------------------------


def _answers(
    session: Session,
    extent: Extent,
    entrants: Mapping[int, Entrant],
    prompts: Mapping[str, Prompt],
    names: Mapping[int, str],
) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    """Return people's and simulated votes, skips, and honey pairs, each in the order of votes."""
    a, b = aliased(Clip), aliased(Clip)
    query = (
        select(Vote, Battle, Voter.key, Voter.kind)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .add_columns(a.entrant_id, b.entrant_id, a.damage)
        .join(a, a.id == Battle.clip_a_id)
        .join(b, b.id == Battle.clip_b_id)
        .where(
            Vote.id <= extent.watermark, Battle.track_id.in_([track.id for track in extent.tracks])
        )
        .order_by(Vote.id)
    )
    tracks = {track.id: track.name for track in extent.tracks}
    events = last_events(session, extent.hold_events)
    answered: dict[str, int] = {}
    votes: list[Row] = []
    simulated: list[Row] = []
    skips: list[Row] = []
    traps: list[Row] = []
    for vote, battle, key, kind, entrant_a, entrant_b, damage_a in session.execute(query):
        answered[key] = answered.get(key, 0) + 1
        prompt = prompts[battle.prompt_id]
        row: Row = {
            "id": str(vote.id),
            "model_a": entrants[entrant_a].shown_name,
            "model_b": entrants[entrant_b].shown_name,
            "evaluation_session_id": _pseudonym(key, extent.salt),
            "evaluation_order": answered[key],
            "language": LANGUAGE,
            "timestamp": instant(vote.cast_at),
            "battle_id": str(battle.id),
            "track": tracks[battle.track_id],
            "prompt_id": prompt.id,
            "categories": JOIN.join(prompt.categories),
            "clip_a": names[battle.clip_a_id],
            "clip_b": names[battle.clip_b_id],
            "probability": battle.probability,
            "sampler": battle.sampler,
            "watched_a_ms": vote.watched_a_ms,
            "watched_b_ms": vote.watched_b_ms,
            "heard_a_ms": vote.heard_a_ms,
            "heard_b_ms": vote.heard_b_ms,
            "first": vote.first,
            "decided_ms": vote.decided_ms,
            "reasons": JOIN.join(reason.replace(JOIN, ",") for reason in vote.reasons),
            "voter_kind": kind,
        }
        if battle.sampler == HONEY:
            traps.append(row | _trap(vote.choice, left_is_damaged=damage_a is not None))
            continue
        if vote.choice is Choice.SKIP:
            skips.append(row)
            continue
        row["winner"] = WINNERS[vote.choice]
        verdict = judge(
            vote.choice,
            picture_only=vote.picture_only,
            sampler=battle.sampler,
            last=events.get(vote.id),
        )
        row["counted"] = verdict.status is VoteStatus.COUNTED
        row["hold_rule"] = verdict.rule
        row["repeat_of"] = None if battle.repeat_of is None else str(battle.repeat_of)
        (votes if kind is VoterKind.PERSON else simulated).append(row)
    return votes, simulated, skips, traps


def _trap(choice: Choice, *, left_is_damaged: bool) -> Row:
    """What `traps.*` says of an answer to a honey pair."""
    damaged, clean = (Choice.A, Choice.B) if left_is_damaged else (Choice.B, Choice.A)
    says_nothing = choice in (Choice.SKIP, Choice.BAD)
    passed = None if says_nothing else choice is clean
    return {"damaged": damaged.value, "choice": choice.value, "passed": passed}


def _unanswered(
    session: Session, extent: Extent, entrants: Mapping[int, Entrant], prompts: Mapping[str, Prompt]
) -> list[Row]:
    """Return the battles that ended without an answer, in the order in which they were issued."""
    a, b = aliased(Clip), aliased(Clip)
    query = (
        select(Battle, Voter.key, Visitor.key, Voter.kind, a.entrant_id, b.entrant_id)
        .outerjoin(Voter, Voter.id == Battle.voter_id)
        .outerjoin(Visitor, Visitor.id == Battle.voter_id)
        .join(a, a.id == Battle.clip_a_id)
        .join(b, b.id == Battle.clip_b_id)
        .outerjoin(Vote, Vote.battle_id == Battle.id)
        .where(
            Battle.state == BattleState.EXPIRED,
            Battle.opened_at.is_not(None),
            *(Vote.id.is_(None), Battle.sampler != HONEY),
            Battle.track_id.in_([track.id for track in extent.tracks]),
        )
        .order_by(Battle.id)
    )
    tracks = {track.id: track.name for track in extent.tracks}
    return [
        {
            "battle_id": str(battle.id),
            "model_a": entrants[entrant_a].shown_name,
            "model_b": entrants[entrant_b].shown_name,
            # Of a visitor, who never voted, in no other table.
            "evaluation_session_id": _pseudonym(voter or visitor, extent.salt),
            "track": tracks[battle.track_id],
            "prompt_id": battle.prompt_id,
            "categories": JOIN.join(prompts[battle.prompt_id].categories),
            "probability": battle.probability,
            "sampler": battle.sampler,
            "opened_at": instant(battle.opened_at),
            "ended": EXPIRED if battle.voided_at is None else BROKEN,
            "voter_kind": kind or VoterKind.PERSON,
        }
        for battle, voter, visitor, kind, entrant_a, entrant_b in session.execute(query)
        if voter or visitor
    ]


def _pseudonym(key: str, salt: bytes) -> str:
    return hmac.new(salt, key.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]


def instant(moment: datetime | None) -> str | None:
    """Format a time as ISO 8601 in UTC with `Z`."""
    return None if moment is None else instant_text(moment)


# --- the catalog --------------------------------------------------------------------------------


def _names(tracks: Sequence[Track], extent: Extent) -> str:
    shown = {track.id for track in extent.tracks}
    return JOIN.join(sorted(track.name for track in tracks if track.id in shown))


def _model(entrant: Entrant, extent: Extent, variants: Mapping[int, Variants]) -> Row:
    counted = variants.get(entrant.id, ALONE)
    return {
        "model": entrant.shown_name,
        "creator": entrant.shown_creator,
        "licence": entrant.shown_licence,
        "release_date": date.isoformat() if (date := entrant.shown_release_date) else None,
        "commitment": entrant.commitment,
        "id": str(entrant.id),
        "tracks": _names(entrant.tracks, extent),
        "price_usd_per_minute": None if entrant.stealth else entrant.price_usd_per_minute,
        "stealth": entrant.stealth,
        "codename": entrant.codename,
        "claimed_at": instant(entrant.claimed_at),
        "maker_variants": counted.ran,
        "maker_retired_unranked": counted.retired_unranked,
        "created_at": instant(entrant.created_at),
        "retired_at": instant(entrant.retired_at),
    }


def _prompt(prompt: Prompt, extent: Extent) -> Row:
    return {
        "id": prompt.id,
        "text": None if prompt.private else prompt.text,
        "categories": JOIN.join(prompt.categories),
        "tracks": _names(prompt.tracks, extent),
        "source": None if prompt.private or not prompt.source else Path(prompt.source).name,
        "private": prompt.private,
        "held_out": prompt.is_held_out,
        "retired_at": instant(prompt.retired_at),
    }


def ready_clips(session: Session, extent: Extent) -> list[Clip]:
    """Return the clips that voters of these tracks may have seen.

    Of damaged copies, those of honey pairs that were answered: others would say which battles to
    come are honey pairs, and whose clips these show.
    """
    answered = (
        select(Battle.id)
        .where(
            *(Battle.sampler == HONEY, Battle.state == BattleState.ANSWERED),
            (Battle.clip_a_id == Clip.id) | (Battle.clip_b_id == Clip.id),
        )
        .exists()
    )
    query = (
        select(Clip)
        .where(
            *(Clip.status == ClipStatus.READY, Clip.damage.is_(None) | answered),
            Clip.track_id.in_([track.id for track in extent.tracks]),
        )
        .options(selectinload(Clip.entrant), selectinload(Clip.track), selectinload(Clip.prompt))
        .order_by(Clip.id)
    )
    return list(session.scalars(query))


def has_public_file(clip: Clip) -> bool:
    """Whether a clip's file and its hash may be published.

    While a track is open, the file's hash beside a name would tell every voter before the vote who
    made it; and under a codename, whoever has candidate weights could compare.
    """
    return not (clip.track.closed_at is None or clip.entrant.stealth or clip.prompt.private)


def clip_names(clips: Iterable[Clip], references: Mapping[int, tuple[str, str]]) -> dict[int, str]:
    """Return what votes name each clip by: its SHA-256 if that is public, else its reference."""
    return {
        clip.id: str(clip.sha256) if has_public_file(clip) else references[clip.id][1]
        for clip in clips
    }


def _clip(clip: Clip, references: Mapping[int, tuple[str, str]]) -> Row:
    salt, reference = references.get(clip.id, (None, None))
    hidden = clip.prompt.private
    stealth = clip.entrant.stealth
    is_public = has_public_file(clip)
    provenance = dict(clip.provenance or {})
    seed = provenance.get("seed")
    is_open = clip.track.closed_at is None
    if is_open:  # with its seed, anybody who has the weights can make the file that is served
        seed = None
        for key in SECRET_UNTIL_CLOSE:
            provenance.pop(key, None)
    return {
        "model": clip.entrant.shown_name,
        "track": clip.track.name,
        "prompt_id": clip.prompt_id,
        "number": clip.seed if clip.damage is None else copy_seed(clip.seed),
        "damage": clip.damage,
        "seed": None if hidden else seed,
        "sha256": clip.sha256 if is_public else None,
        "salt": salt if is_public else None,
        "reference": reference,
        "master_sha256": clip.master_sha256 if is_public else None,
        "created_at": instant(clip.created_at),
        # Provenance contains the prompt's text and the model's name.
        "provenance": None if hidden or stealth else _json(_without_folders(provenance or None)),
        "measures": _json(clip.measures),
    }


def _json(value: Any) -> str | None:
    if value is None:
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without_folders(value: Any) -> Any:
    """Return the value with every absolute path cut to its last part."""
    if isinstance(value, dict):
        return {key: _without_folders(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_folders(part) for part in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute():
                return path.name
    return value


def _track(track: Track) -> Row:
    name = {"track": track.name}
    dates = {"created_at": instant(track.created_at), "closed_at": instant(track.closed_at)}
    settings = [column for column in TRACKS.names if column not in name | dates]
    return name | {column: getattr(track, column) for column in settings} | dates


def _with_model(row: Row, entrant: Entrant) -> Row:
    return row | {
        "model_name": entrant.shown_name,
        "organization": entrant.shown_creator,
        "license": entrant.shown_licence,
    }
