"""What an operator wants to see at a glance: tracks, clips, votes, disk and health. Only reads."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.catalog.identical import find_identical
from arena.catalog.tracks import list_tracks
from arena.catalog.withholding import faulty_sources, is_withheld
from arena.context import Arena
from arena.health import check_health
from arena.models import (
    HONEY,
    Battle,
    Choice,
    Clip,
    ClipStatus,
    Entrant,
    EntrantTrack,
    Prompt,
    PromptTrack,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.site import read_site
from arena.voting.matchmaking import is_active

ACTIVE, INACTIVE, CLOSED = "active", "inactive", "closed"


@dataclass(frozen=True)
class TrackStatus:
    """One track: whether it takes votes, and how many clips and votes by people it has.

    Attributes:
        name: of the track.
        state: `active`, `inactive` (no two clips to compare yet) or `closed`.
        entrants, prompts: that are not retired.
        ready, failed, missing: clips of these; a failed clip is not counted as missing.
        withheld: of the ready clips, those that are in no battle.
        votes: by people, without skips and honey pairs.
        votes_today: of these, since 00:00 UTC.
    """

    name: str
    state: str
    entrants: int
    prompts: int
    ready: int
    missing: int
    failed: int
    withheld: int
    votes: int
    votes_today: int


@dataclass(frozen=True)
class Status:
    """An arena at one moment.

    Attributes:
        problems: sentences, empty if both stores are healthy.
        notes: sentences about prompts and clips that no battle can show.
    """

    tracks: tuple[TrackStatus, ...]
    used_bytes: int
    free_bytes: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_status(arena: Arena, *, now: datetime) -> Status:
    """Return what the arena holds and whether database and media store respond.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    with arena.database.reading() as session:
        tracks = _track_statuses(session, now)
        notes = _notes(session)
    health = check_health(arena)
    faults = (health.database, health.media, *read_site(arena.settings).problems)
    problems = tuple(each for each in faults if each is not None)
    home = arena.settings.home
    used = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    return Status(tracks, used, shutil.disk_usage(home).free, problems, notes)


def next_steps(tracks: Sequence[TrackStatus]) -> list[str]:
    """Return what to do next in an arena with these tracks, as sentences that name commands."""
    still_open = [track for track in tracks if track.state != CLOSED]
    if not tracks:
        return ["`arena tracks add FILE` adds a track."]
    if not still_open:
        return ["all tracks are closed; `arena export DIR` writes a release."]
    steps = []
    if not any(track.entrants for track in still_open):
        steps.append("`arena entrants add FILE` adds a model.")
    if not any(track.prompts for track in still_open):
        steps.append("`arena prompts import FILE` adds prompts.")
    if any(track.missing for track in still_open):
        steps.append("`arena generate` generates the missing clips.")
    if any(track.failed for track in still_open):
        steps.append("`arena failures` lists the failed clips with their reasons.")
    if steps:
        return steps
    if not any(track.state == ACTIVE for track in still_open):
        return ["`arena entrants add FILE` adds another model, so that there are pairs to compare."]
    steps = ["`arena serve` serves the arena to voters."]
    if any(track.votes for track in tracks):
        steps.append("`arena leaderboard` shows the ratings.")
        steps.append("`arena export DIR` writes a release.")
    return steps


def _notes(session: Session) -> tuple[str, ...]:
    return (
        *(f"{pair}." for pair in find_identical(session)),
        *(
            f"The prompt {key} is in no battle: {fault.removesuffix('.')}."
            for key, fault in faulty_sources(session).items()
        ),
    )


def _track_statuses(session: Session, now: datetime) -> tuple[TrackStatus, ...]:
    clips = _count_clips(session)
    entrants, prompts = _count_entrants(session), _count_prompts(session)
    votes = _count_votes(session, since=None)
    today = _count_votes(session, since=now.replace(hour=0, minute=0, second=0, microsecond=0))
    withheld = Counter(each.track_id for each in _withheld(session))
    statuses = []
    for track in list_tracks(session):
        ready = clips[track.id, ClipStatus.READY]
        failed = clips[track.id, ClipStatus.FAILED]
        wanted = entrants[track.id] * prompts[track.id] * track.seeds
        statuses.append(
            TrackStatus(
                name=track.name,
                state=_state(session, track),
                entrants=entrants[track.id],
                prompts=prompts[track.id],
                ready=ready,
                missing=0 if track.closed_at else wanted - ready - failed,
                failed=failed,
                withheld=withheld[track.id],
                votes=votes[track.id],
                votes_today=today[track.id],
            )
        )
    return tuple(statuses)


def _state(session: Session, track: Track) -> str:
    if track.closed_at is not None:
        return CLOSED
    return ACTIVE if is_active(session, track) else INACTIVE


def _count_clips(session: Session) -> Counter[tuple[int, ClipStatus]]:
    """Return the numbers of clips of active entrants and prompts, by track and status."""
    query = (
        select(Clip.track_id, Clip.status, func.count())
        .join(Entrant, Entrant.id == Clip.entrant_id)
        .join(Prompt, Prompt.id == Clip.prompt_id)
        .where(
            *(Entrant.retired_at.is_(None), Prompt.retired_at.is_(None)),
            Clip.damage.is_(None),
        )
        .group_by(Clip.track_id, Clip.status)
    )
    return Counter({(track, status): n for track, status, n in session.execute(query)})


def _withheld(session: Session) -> list[Clip]:
    query = (
        select(Clip)
        .join(Entrant, Entrant.id == Clip.entrant_id)
        .join(Prompt, Prompt.id == Clip.prompt_id)
        .where(
            *(is_withheld(), Clip.damage.is_(None)),
            *(Entrant.retired_at.is_(None), Prompt.retired_at.is_(None)),
        )
    )
    return list(session.scalars(query))


def _count_entrants(session: Session) -> Counter[int]:
    query = (
        select(EntrantTrack.track_id, func.count())
        .join(Entrant, Entrant.id == EntrantTrack.entrant_id)
        .where(Entrant.retired_at.is_(None))
        .group_by(EntrantTrack.track_id)
    )
    return Counter(dict(session.execute(query).all()))


def _count_prompts(session: Session) -> Counter[int]:
    query = (
        select(PromptTrack.track_id, func.count())
        .join(Prompt, Prompt.id == PromptTrack.prompt_id)
        .where(Prompt.retired_at.is_(None))
        .group_by(PromptTrack.track_id)
    )
    return Counter(dict(session.execute(query).all()))


def _count_votes(session: Session, *, since: datetime | None) -> Counter[int]:
    """Return the numbers of votes by people, without skips and honey pairs, by track."""
    query = (
        select(Battle.track_id, func.count())
        .select_from(Vote)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .where(
            *(Voter.kind == VoterKind.PERSON, Vote.choice != Choice.SKIP),
            Battle.sampler != HONEY,
        )
        .group_by(Battle.track_id)
    )
    if since is not None:
        query = query.where(Vote.cast_at >= since)
    return Counter(dict(session.execute(query).all()))
