"""Writes voters and votes: a battle is issued, accepts one vote and returns a receipt.

All times are arguments; the caller opens the session (`Database.writing`), and its commit
acknowledges the vote.
"""

import random
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from arena.catalog.catalog import check_category, find_track
from arena.catalog.withholding import battle_is_withdrawn
from arena.errors import (
    AlreadyVoted,
    BattleExpired,
    MalformedVote,
    NoPair,
    NotFound,
)
from arena.models import (
    OVERALL,
    Battle,
    BattleFile,
    BattleState,
    Choice,
    Prompt,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.voting.battles import (
    describe,
    has_expired,
    open_after,
    open_next,
    system_rng,
)
from arena.voting.fetches import FetchLedger, fetches_of
from arena.voting.limits import (
    VotingRules,
    check_limits,
    check_watch_time,
)
from arena.voting.reveals import last_ratings, reveal, reveals
from arena.voting.schemas import CastVote, Contribution, IssuedBattle, VoteForm
from arena.voting.watching import WatchedTime, judge_times

KEY_BYTES = 16  # 128 bits, so that a voter's key cannot be guessed
RECEIPT_BYTES = 9
# One message for unknown, forged and other voters' URLs, so that nobody can distinguish them.
CLIP_MEDIA_TYPE = "video/mp4"
NO_CLIP = "No clip at this URL for this voter."


def new_voter_key() -> str:
    """Return a new pseudonym: 128 random bits."""
    return secrets.token_hex(KEY_BYTES)


def admit_voter(
    session: Session, key: str, *, now: datetime, kind: VoterKind = VoterKind.PERSON
) -> Voter:
    """Return the voter of this key; add it if new."""
    voter = _find_voter(session, key)
    if voter is None:
        voter = Voter(key=key, kind=kind, created_at=now)
        session.add(voter)
        session.flush()
    return voter


def _find_voter(session: Session, key: str) -> Voter | None:
    # Locks the row, on databases that do, so that requests of one voter are handled in sequence.
    return session.scalar(select(Voter).where(Voter.key == key).with_for_update())


def issue_battle(
    session: Session,
    *,
    voter_key: str,
    track_name: str,
    category: str | None = None,
    rules: VotingRules,
    now: datetime,
    rng: random.Random | None = None,
) -> IssuedBattle:
    """Return the voter's open battle of a track, or open a new one.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's; a new voter is stored.
        track_name: of the battle.
        category: of the next battle that opens; the open one stays. None for all prompts.
        rules: for this voter.
        now: aware.
        rng: draws pairs and sides; by default one that nobody can predict.

    Raises:
        NotFound: unknown track, or none of its prompts has this category.
        NoPair: the track is inactive, or this voter has seen every pair.
    """
    track = find_track(session, track_name)
    if category == OVERALL:
        category = None
    if category is not None:
        check_category(session, track, category)
    within = "" if category is None else f" in the category {category}"
    voter = admit_voter(session, voter_key, now=now)
    battle = open_next(
        session, voter=voter, track=track, category=category, now=now, rng=rng or system_rng()
    )
    if battle is None:
        contributed = [asdict(part) for part in contributions(session, voter_key=voter_key)]
        shown = any(part["track"] == track_name for part in contributed)
        state = "You have seen every pair in" if shown else "There is no pair to show in"
        raise NoPair(
            f"{state} the track {track_name}{within}: come back when it has new clips, or vote in "
            "another track.",
            contributed=contributed,
        )
    return describe(session, battle, rules)


def cast_vote(
    session: Session,
    *,
    voter_key: str,
    token: str,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
    fetches: FetchLedger | None = None,
    rng: random.Random | None = None,
) -> CastVote:
    """Store the vote of a battle and open the next battle, in the caller's transaction.

    The errors are checked in the order below; repeating a vote returns the same answer.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's.
        token: the battle's.
        form: the vote, or why it could not be parsed.
        rules: for this voter.
        now: when the vote arrived; aware.
        fetches: what this process sent of clips; None if it is not known what was sent.
        rng: draws pairs and sides; by default one that nobody can predict.

    Raises:
        NotFound: unknown token, or that of another voter.
        AlreadyVoted: the battle has a vote with another choice.
        BattleExpired: the battle has expired.
        TooEarly: the track's watch time has not passed since the battle opened (not for a skip).
        TooMany: the voter's limits are exceeded.
        MalformedVote: `form` itself, if the request could not be parsed.
    """
    row = session.execute(
        select(Battle, battle_is_withdrawn())
        .join(Voter)
        .where(Battle.token == token, Voter.key == voter_key)
        .with_for_update(of=Battle)
    ).first()
    if row is None:
        raise NotFound("You have no battle with this token.")
    battle, withdrawn = row
    vote = session.scalar(select(Vote).where(Vote.battle_id == battle.id))
    if vote is not None:
        if isinstance(form, MalformedVote):
            raise form
        if vote.choice is not form.choice:
            raise AlreadyVoted(
                f"You voted '{vote.choice}' in this battle already; a vote cannot change."
            )
    else:
        _check_answerable(battle, now, withdrawn=withdrawn)
        check_watch_time(battle, form=form, rules=rules, now=now)
        check_limits(session, battle.voter, form=form, rules=rules, now=now)
        if isinstance(form, MalformedVote):
            raise form
        _check_reasons(battle.track, form)
        sent = None if fetches is None else fetches_of(battle, fetches)
        times = judge_times(battle, form, fetches=sent, rules=rules, now=now)
        vote = _store(session, battle, form, times, now=now)
    next_battle = open_after(session, battle, now=now, rng=rng or system_rng())
    return CastVote(
        choice=vote.choice,
        receipt=vote.receipt,
        watch_checked=vote.watch_checked is not False,
        status=vote.status.value,
        reveal=reveal(battle, vote),
        next=describe(session, next_battle, rules) if next_battle else None,
    )


def _check_answerable(battle: Battle, now: datetime, *, withdrawn: bool) -> None:
    if battle.voided_at is not None:
        raise BattleExpired("You reported that this battle does not play: request a new one.")
    if has_expired(battle, now):
        raise BattleExpired("This battle has expired: request a new one.")
    if withdrawn:
        raise BattleExpired("A clip of this battle was withdrawn: request a new one.")


def _check_reasons(track: Track, form: VoteForm) -> None:
    unknown = [reason for reason in form.reasons if reason not in track.reasons]
    if unknown:
        known = ", ".join(track.reasons) or "none"
        raise MalformedVote(f"reasons: one is not of this track, whose reasons are: {known}.")


def _store(
    session: Session, battle: Battle, form: VoteForm, times: WatchedTime, *, now: datetime
) -> Vote:
    opened_at = battle.opened_at or now
    watched, heard = times.watched, times.heard
    shown = last_ratings(session, battle) if reveals(battle, form.choice) else (None, None)
    vote = Vote(
        battle_id=battle.id,
        voter_id=battle.voter_id,
        choice=form.choice,
        cast_at=now,
        receipt=secrets.token_urlsafe(RECEIPT_BYTES),
        watched_a_ms=watched and watched.a,
        watched_b_ms=watched and watched.b,
        heard_a_ms=heard and heard.a,
        heard_b_ms=heard and heard.b,
        first=form.first,
        decided_ms=max(0, int((now - opened_at).total_seconds() * 1000)),
        reasons=form.reasons,
        shown_rating_a=shown[0],
        shown_rating_b=shown[1],
        picture_only=times.picture_only,
        watch_checked=times.checked,
    )
    battle.state = BattleState.ANSWERED
    session.add(vote)
    session.flush()
    return vote


@dataclass(frozen=True)
class StoredFile:
    """A file of a battle in the media store.

    Attributes:
        path: in the store.
        sha256: of its content, in hexadecimal.
        bytes: its size.
        media_type: such as `video/mp4`.
        clip_id: the clip whose rendition it is; None for a source.
        prompt_id: the prompt of the battle.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    clip_id: int | None
    prompt_id: str


def stored_file(battle: Battle, file: BattleFile) -> StoredFile:
    """Return where a file of a battle is stored, and what its content should be.

    Raises:
        NotFound: the battle shows no source.
    """
    if file is BattleFile.SOURCE:
        return _stored_source(battle.prompt)
    clip = battle.clip_a if file is BattleFile.A else battle.clip_b
    if clip.rendition_path is None or clip.sha256 is None:
        raise NotFound(NO_CLIP)
    return StoredFile(
        path=clip.rendition_path,
        sha256=clip.sha256,
        bytes=battle.track.bytes,
        media_type=CLIP_MEDIA_TYPE,
        clip_id=clip.id,
        prompt_id=battle.prompt_id,
    )


def _stored_source(prompt: Prompt) -> StoredFile:
    if prompt.source_path is None:
        raise NotFound("This battle shows no source.")
    return StoredFile(
        path=prompt.source_path,
        sha256=str(prompt.source_sha256),
        bytes=prompt.source_bytes or 0,
        media_type=str(prompt.source_media_type),
        clip_id=None,
        prompt_id=prompt.id,
    )


def file_of(
    session: Session, *, battle_id: int, file: BattleFile, voter_key: str, now: datetime
) -> StoredFile:
    """Return a file of a voter's battle until the battle expires.

    Raises:
        NotFound: this voter has no such battle, it has expired, or the file is withheld.
    """
    row = session.execute(
        select(Battle, battle_is_withdrawn())
        .join(Voter)
        .where(Battle.id == battle_id, Voter.key == voter_key)
    ).first()
    if row is None or row[1] or has_expired(row[0], now):
        raise NotFound(NO_CLIP)
    return stored_file(row[0], file)


def find_receipt(session: Session, code: str) -> Vote:
    """Return the vote of a receipt.

    Raises:
        NotFound: no vote has this receipt.
    """
    vote = session.scalar(select(Vote).where(Vote.receipt == code))
    if vote is None:
        raise NotFound("No vote has this receipt: check the code.")
    return vote


def count_votes(session: Session, *, voter_key: str) -> dict[Choice, int]:
    """Return how often this voter made each choice."""
    query = (
        select(Vote.choice, func.count())
        .join(Voter, Voter.id == Vote.voter_id)
        .where(Voter.key == voter_key)
        .group_by(Vote.choice)
    )
    return dict(session.execute(query).all())


def contributions(session: Session, *, voter_key: str) -> list[Contribution]:
    """Return what this voter contributed to each track, in the order of the tracks."""
    is_skip = Vote.choice == Choice.SKIP
    query = (
        select(
            Track.name,
            func.sum(case((is_skip, 0), else_=1)),
            func.sum(case((is_skip, 1), else_=0)),
            func.sum(case((Vote.picture_only, 1), else_=0)),
        )
        .select_from(Vote)
        .join(Voter, Voter.id == Vote.voter_id)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Track, Track.id == Battle.track_id)
        .where(Voter.key == voter_key)
        .group_by(Track.id, Track.name)
        .order_by(Track.id)
    )
    return [
        Contribution(track, int(votes), int(skips), int(picture_only))
        for track, votes, skips, picture_only in session.execute(query)
    ]
