"""Opens a voter's battles of a track, prefetches the one after it, and closes those that end.

A voter has one open battle per track, and a prefetched one whose clips can load meanwhile.
"""

import random
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.withholding import battle_is_withdrawn
from arena.models import Battle, BattleState, Modality, Prompt, Track, Voter
from arena.voting.limits import CLOCK_TOLERANCE, VotingRules
from arena.voting.matchmaking import draw_pair, may_be_shown
from arena.voting.schemas import IssuedBattle, IssuedSource

BATTLE_LIFETIME = timedelta(minutes=30)
TOKEN_BYTES = 16  # 128 bits, so that a battle's token cannot be guessed


def system_rng() -> random.Random:
    """Return the random numbers of real battles, which nobody can predict."""
    return random.SystemRandom()


def has_expired(battle: Battle, now: datetime) -> bool:
    """Whether a battle can no longer be answered."""
    if battle.state is BattleState.EXPIRED:
        return True
    # Opened while a clock was ahead: neither its watch time nor its expiry would come in time.
    if battle.opened_at is not None and battle.opened_at > now + CLOCK_TOLERANCE:
        return True
    return battle.expires_at is not None and battle.expires_at <= now


def is_withdrawn(session: Session, battle: Battle) -> bool:
    """Whether a file of the battle is withheld."""
    query = select(battle_is_withdrawn()).where(Battle.id == battle.id)
    return bool(session.scalar(query))


def close(session: Session, battle: Battle) -> None:
    """Let a battle accept no vote any more."""
    battle.state = BattleState.EXPIRED
    session.flush()


def open_next(
    session: Session,
    *,
    voter: Voter,
    track: Track,
    category: str | None,
    now: datetime,
    rng: random.Random,
) -> Battle | None:
    """Return the open battle, else open the prefetched or a new one; prefetch another one.

    Args:
        session: in a transaction that writes.
        voter: its voter.
        track: its track.
        category: of the battle after the open one; None for all prompts.
        now: aware.
        rng: draws pairs and sides.

    Returns:
        The open battle; None if the voter has seen every pair, or the track is inactive.
    """
    battle = _find(session, voter=voter, track=track, state=BattleState.OPEN, now=now)
    return _continue(session, battle, voter=voter, track=track, category=category, now=now, rng=rng)


def open_after(
    session: Session, closed: Battle, *, now: datetime, rng: random.Random
) -> Battle | None:
    """Return the battle after one that was answered or voided, as `open_next` does."""
    voter, track = closed.voter, closed.track
    battle = _find(session, voter=voter, track=track, state=BattleState.OPEN, now=now)
    category = (battle or closed).next_category
    return _continue(session, battle, voter=voter, track=track, category=category, now=now, rng=rng)


def _continue(
    session: Session,
    battle: Battle | None,
    *,
    voter: Voter,
    track: Track,
    category: str | None,
    now: datetime,
    rng: random.Random,
) -> Battle | None:
    prefetched = _find(session, voter=voter, track=track, state=BattleState.PREFETCHED, now=now)
    if prefetched is not None and prefetched.category != category:
        close(session, prefetched)
        prefetched = _resume(session, voter=voter, track=track, category=category)
    if battle is None:
        battle = prefetched or _create(
            session, voter=voter, track=track, category=category, now=now, rng=rng
        )
        if battle is None:
            return None
        prefetched = None
        battle.state = BattleState.OPEN
        battle.opened_at = now
        battle.expires_at = now + BATTLE_LIFETIME
        session.flush()
    battle.next_category = category
    if prefetched is None:
        _create(session, voter=voter, track=track, category=category, now=now, rng=rng)
        session.flush()
    return battle


def _find(
    session: Session, *, voter: Voter, track: Track, state: BattleState, now: datetime
) -> Battle | None:
    """Return the voter's battle in this state; close it if it cannot be answered any more."""
    row = session.execute(
        select(Battle, battle_is_withdrawn()).where(
            Battle.voter_id == voter.id, Battle.track_id == track.id, Battle.state == state
        )
    ).first()
    if row is None:
        return None
    battle, withdrawn = row
    if withdrawn or has_expired(battle, now):
        close(session, battle)
        return None
    return battle


def _resume(session: Session, *, voter: Voter, track: Track, category: str | None) -> Battle | None:
    """Prefetch again the battle that a change of category put aside.

    Otherwise a voter could go through all pairs, and choose one, by changing the category.
    """
    battle = session.scalar(
        select(Battle)
        .where(
            *(Battle.voter_id == voter.id, Battle.track_id == track.id),
            Battle.category.is_not_distinct_from(category),
            *(Battle.state == BattleState.EXPIRED, Battle.opened_at.is_(None)),
            *(Battle.voided_at.is_(None), ~battle_is_withdrawn()),
        )
        .order_by(Battle.id.desc())
        .limit(1)
    )
    if battle is None or not may_be_shown(battle):
        return None
    battle.state = BattleState.PREFETCHED
    session.flush()
    return battle


def _create(
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
        token=secrets.token_urlsafe(TOKEN_BYTES),
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


def describe(session: Session, battle: Battle, rules: VotingRules) -> IssuedBattle:
    """Return what the battle's voter may know about it, with the prefetched battle after it."""
    prefetched = None
    if battle.state is BattleState.OPEN:
        prefetched = session.scalar(
            select(Battle).where(
                Battle.voter_id == battle.voter_id,
                Battle.track_id == battle.track_id,
                Battle.state == BattleState.PREFETCHED,
            )
        )
    prompt = battle.prompt
    return IssuedBattle(
        id=battle.id,
        token=battle.token,
        track=battle.track.name,
        prompt_id=prompt.id,
        prompt_text=prompt.text,
        categories=prompt.categories,
        source=_source(prompt, battle.track),
        min_watch_ms=battle.track.min_watch_ms if rules.watch_time else 0,
        expires_at=battle.expires_at,
        next=describe(session, prefetched, rules) if prefetched else None,
    )


def _source(prompt: Prompt, track: Track) -> IssuedSource | None:
    if track.modality is Modality.TEXT_TO_VIDEO or prompt.source_media_type is None:
        return None
    return IssuedSource(
        media_type=prompt.source_media_type,
        width=prompt.source_width or 0,
        height=prompt.source_height or 0,
    )
