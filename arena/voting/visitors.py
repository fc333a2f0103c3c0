"""Deletes visitors who did not vote, with the battles that they were shown.

They are counted first (`completion`), since which battles were left without a vote shows whether
somebody chooses among them.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from arena.database import Database
from arena.models import Battle, CompletionProgress, Visitor
from arena.voting import battles
from arena.voting.voters import remove_visitors

KEPT = timedelta(days=1)  # after the first battle: a visitor who comes back has the same battle
BATCH = 200  # visitors in one transaction


def sweep_visitors(database: Database, *, now: datetime) -> int:
    """Delete some of the visitors who came a day ago or longer, and return their number.

    Those with battles that are not counted yet stay, and so do those with the newest battle, since
    SQLite would give its number to another one.

    Args:
        database: of the arena.
        now: aware.
    """
    with database.reading() as session:
        found = list(session.scalars(_outdated(now).order_by(Visitor.id).limit(BATCH)))
    if not found:
        return 0

    def delete(session: Session) -> int:
        # Locked, so that nobody votes meanwhile: who did has become a voter.
        locked = select(Visitor.id).where(Visitor.id.in_(found)).order_by(Visitor.id)
        numbers = list(session.scalars(locked.with_for_update()))
        numbers = list(session.scalars(_outdated(now).where(Visitor.id.in_(numbers))))
        battles.remove(session, numbers)
        remove_visitors(session, numbers)
        return len(numbers)

    return database.write(delete)


def _outdated(now: datetime) -> Select[int]:
    counted = select(func.coalesce(func.max(CompletionProgress.battle_id), 0)).scalar_subquery()
    newest = select(func.max(Battle.id)).scalar_subquery()
    return (
        select(Visitor.id)
        .outerjoin(Battle, Battle.voter_id == Visitor.id)
        .where(Visitor.created_at < now - KEPT)
        .group_by(Visitor.id)
        .having(
            func.coalesce(func.max(Battle.id), 0) <= counted,
            func.coalesce(func.max(Battle.id), 0) < newest,
        )
    )
