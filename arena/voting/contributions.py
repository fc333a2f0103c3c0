"""Counts what a voter contributed. Only reads."""

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from arena.models import Battle, Choice, Track, Vote, Voter
from arena.voting.schemas import Contribution


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
