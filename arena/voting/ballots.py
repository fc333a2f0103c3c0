"""Writes voters, battles and votes: a battle is issued, accepts one vote and returns a receipt.

A voter has one open battle per track, and a prefetched one whose clips can load meanwhile. All
times are arguments; the caller opens the session (`Database.writing`), and its commit acknowledges
the vote.
"""

import random
import secrets
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.catalog.catalog import find_track
from arena.errors import (
    AlreadyVoted,
    BattleExpired,
    MalformedVote,
    NoPair,
    NotFound,
)
from arena.models import (
    Battle,
    BattleState,
    Choice,
    Clip,
    Side,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.voting.limits import VotingRules, check_limits, check_watch_time, covers_watch_time
from arena.voting.matchmaking import draw_pair
from arena.voting.reveals import last_ratings, reveal, reveals
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm

BATTLE_LIFETIME = timedelta(minutes=30)
KEY_BYTES = 16  # 128 bits, so that a voter's key or a battle's token cannot be guessed
RECEIPT_BYTES = 9
# One message for unknown, forged and other voters' URLs, so that nobody can distinguish them.
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

    Raises:
        NotFound: unknown track.
        NoPair: the track is inactive, or this voter has seen every pair.
    """
    track = find_track(session, track_name)
    voter = admit_voter(session, voter_key, now=now)
    battle = _open_next(
        session, voter=voter, track=track, category=category, now=now, rng=rng or _system_rng()
    )
    if battle is None:
        raise NoPair(
            f"You have seen every pair in the track {track_name}: come back when it has new clips, "
            "or vote in another track."
        )
    return _describe(session, battle, rules)


def _system_rng() -> random.Random:
    return random.SystemRandom()


def _battle_in_state(
    session: Session, *, voter: Voter, track: Track, state: BattleState
) -> Battle | None:
    return session.scalar(
        select(Battle).where(
            Battle.voter_id == voter.id, Battle.track_id == track.id, Battle.state == state
        )
    )


def _open_next(
    session: Session,
    *,
    voter: Voter,
    track: Track,
    category: str | None,
    now: datetime,
    rng: random.Random,
) -> Battle | None:
    """Return the open battle, else open the prefetched or a new one; prefetch another one."""
    battle = _battle_in_state(session, voter=voter, track=track, state=BattleState.OPEN)
    if battle is not None and _has_expired(battle, now):
        battle.state = BattleState.EXPIRED
        session.flush()
        battle = None
    if battle is None:
        battle = _battle_in_state(session, voter=voter, track=track, state=BattleState.PREFETCHED)
        if battle is not None and battle.category != category:
            battle.state = BattleState.EXPIRED
            session.flush()
            battle = None
        battle = battle or _create_battle(
            session, voter=voter, track=track, category=category, now=now, rng=rng
        )
        if battle is None:
            return None
        battle.state = BattleState.OPEN
        battle.opened_at = now
        battle.expires_at = now + BATTLE_LIFETIME
        session.flush()
    if _battle_in_state(session, voter=voter, track=track, state=BattleState.PREFETCHED) is None:
        _create_battle(
            session, voter=voter, track=track, category=battle.category, now=now, rng=rng
        )
        session.flush()
    return battle


def _has_expired(battle: Battle, now: datetime) -> bool:
    return battle.expires_at is not None and battle.expires_at <= now


def _create_battle(
    session: Session,
    *,
    voter: Voter,
    track: Track,
    category: str | None,
    now: datetime,
    rng: random.Random,
) -> Battle | None:
    """Draw a pair, assign its sides at random, and store the battle as prefetched."""
    pair = draw_pair(session, track=track, voter_id=voter.id, category=category, rng=rng)
    if pair is None:
        return None
    clip_a_id, clip_b_id = rng.sample(pair.clips, 2)
    battle = Battle(
        token=secrets.token_urlsafe(KEY_BYTES),
        track_id=track.id,
        prompt_id=pair.prompt_id,
        voter_id=voter.id,
        clip_a_id=clip_a_id,
        clip_b_id=clip_b_id,
        category=category,
        sampler=pair.sampler,
        probability=pair.probability,
        state=BattleState.PREFETCHED,
        issued_at=now,
    )
    session.add(battle)
    return battle


def _describe(session: Session, battle: Battle, rules: VotingRules) -> IssuedBattle:
    prefetched = None
    if battle.state is BattleState.OPEN:
        prefetched = _battle_in_state(
            session, voter=battle.voter, track=battle.track, state=BattleState.PREFETCHED
        )
    prompt = battle.prompt
    return IssuedBattle(
        id=battle.id,
        token=battle.token,
        track=battle.track.name,
        prompt_id=prompt.id,
        prompt_text=prompt.text,
        categories=prompt.categories,
        min_watch_ms=battle.track.min_watch_ms if rules.watch_time else 0,
        expires_at=battle.expires_at,
        next=_describe(session, prefetched, rules) if prefetched else None,
    )


def cast_vote(
    session: Session,
    *,
    voter_key: str,
    token: str,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
    rng: random.Random | None = None,
) -> CastVote:
    """Store the vote of a battle and open the next battle, in the caller's transaction.

    The errors are checked in the order below; repeating a vote returns the same answer.

    Raises:
        NotFound: unknown token, or that of another voter.
        AlreadyVoted: the battle has a vote with another choice.
        BattleExpired: the battle has expired.
        TooEarly: the track's watch time has not passed since the battle opened (not for a skip).
        TooMany: the voter's limits are exceeded.
        MalformedVote: `form` itself, if the request could not be parsed.
    """
    battle = session.scalar(
        select(Battle)
        .join(Voter)
        .where(Battle.token == token, Voter.key == voter_key)
        .with_for_update(of=Battle)
    )
    if battle is None:
        raise NotFound("You have no battle with this token.")
    vote = session.scalar(select(Vote).where(Vote.battle_id == battle.id))
    if vote is not None:
        if isinstance(form, MalformedVote):
            raise form
        if vote.choice is not form.choice:
            raise AlreadyVoted(
                f"You voted '{vote.choice}' in this battle already; a vote cannot change."
            )
    else:
        if battle.state is BattleState.EXPIRED or _has_expired(battle, now):
            raise BattleExpired("This battle has expired: request a new one.")
        check_watch_time(battle, form=form, rules=rules, now=now)
        check_limits(session, battle.voter, form=form, rules=rules, now=now)
        if isinstance(form, MalformedVote):
            raise form
        vote = _store(session, battle, form, now=now)
    next_battle = _open_next(
        session,
        voter=battle.voter,
        track=battle.track,
        category=battle.category,
        now=now,
        rng=rng or _system_rng(),
    )
    watch_checked = (
        vote.choice is Choice.SKIP
        or not rules.watch_time
        or covers_watch_time(vote, min_watch_ms=battle.track.min_watch_ms)
    )
    return CastVote(
        choice=vote.choice,
        receipt=vote.receipt,
        watch_checked=watch_checked,
        status=vote.status.value,
        reveal=reveal(battle, vote),
        next=_describe(session, next_battle, rules) if next_battle else None,
    )


def _store(session: Session, battle: Battle, form: VoteForm, *, now: datetime) -> Vote:
    opened_at = battle.opened_at or now
    watched, heard = form.watched_ms, form.heard_ms
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
    )
    battle.state = BattleState.ANSWERED
    session.add(vote)
    session.flush()
    return vote


def clip_of(session: Session, *, battle_id: int, side: Side, voter_key: str, now: datetime) -> Clip:
    """Return the clip on one side of a voter's battle until the battle expires.

    Raises:
        NotFound: this voter has no such battle, or it has expired.
    """
    battle = session.scalar(
        select(Battle).join(Voter).where(Battle.id == battle_id, Voter.key == voter_key)
    )
    if battle is None or battle.state is BattleState.EXPIRED or _has_expired(battle, now):
        raise NotFound(NO_CLIP)
    return battle.clip_a if side is Side.A else battle.clip_b


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
