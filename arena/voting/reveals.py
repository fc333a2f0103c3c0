"""Decides what a voter learns about the two sides after the vote. Only reads."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import (
    OVERALL,
    Battle,
    Choice,
    Entrant,
    Reveal,
    Snapshot,
    Standing,
    Vote,
    VoterKind,
)
from arena.voting.schemas import RevealedSide


def reveals(battle: Battle, choice: Choice) -> bool:
    """Whether names are shown: not for skips, held-out prompts or tracks that reveal at close."""
    if battle.prompt.private or choice is Choice.SKIP:
        return False
    return battle.track.reveal is Reveal.AFTER_VOTE or battle.track.closed_at is not None


def last_ratings(session: Session, battle: Battle) -> tuple[float | None, float | None]:
    """Return each side's rating in the track's latest snapshot of people's votes."""
    snapshot_id = session.scalar(
        select(Snapshot.id)
        .where(
            Snapshot.track_id == battle.track_id,
            Snapshot.category == OVERALL,
            Snapshot.voters == VoterKind.PERSON,
        )
        .order_by(Snapshot.id.desc())  # not by day, which a clock that was ahead falsifies
        .limit(1)
    )
    query = select(Standing.entrant_id, Standing.rating).where(Standing.snapshot_id == snapshot_id)
    ratings = dict(session.execute(query).all())
    return ratings.get(battle.clip_a.entrant_id), ratings.get(battle.clip_b.entrant_id)


def reveal(battle: Battle, vote: Vote) -> tuple[RevealedSide, RevealedSide] | None:
    """Return what the voter learns about both sides; None if the names stay hidden."""
    if not reveals(battle, vote.choice):
        return None
    return (
        _revealed(battle.clip_a.entrant, vote.shown_rating_a),
        _revealed(battle.clip_b.entrant, vote.shown_rating_b),
    )


def _revealed(entrant: Entrant, rating: float | None) -> RevealedSide:
    return RevealedSide(name=entrant.shown_name, creator=entrant.shown_creator, rating=rating)
