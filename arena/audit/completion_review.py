"""Puts votes under review when battles with one model are finished suspiciously often.

The votes are those of voters with few votes, on that model and day: the ones that somebody makes
who throws cookies away. `arena holds release` lets them count again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.audit.hold_events import events_of_votes
from arena.catalog.tracks import list_tracks
from arena.database import Database
from arena.holds.ledger import add_events, last_events
from arena.models import CompletionProgress, HoldRule
from arena.voting.completion import completion_flags, votes_to_review

EVENTS = 200  # in one transaction


def review_completion(database: Database, *, now: datetime) -> int:
    """Hold the votes that new alarms are about, and return how many.

    A vote about which anything was decided before is left as it is.

    Args:
        database: of the arena.
        now: aware.
    """
    with database.reading() as session:
        found = {
            vote
            for track in list_tracks(session)
            for flag in completion_flags(session, track)
            for vote in votes_to_review(session, track, flag)
        }
        new = sorted(found - last_events(session, found).keys())
    parts = (new[at : at + EVENTS] for at in range(0, len(new), EVENTS))
    return sum(database.write(partial(_hold, votes=part, now=now)) for part in parts)


def _hold(session: Session, votes: Sequence[int], now: datetime) -> int:
    # One process at a time; on SQLite, any transaction that writes is alone.
    session.scalars(select(CompletionProgress).with_for_update()).one_or_none()
    events = events_of_votes(session, votes, HoldRule.COMPLETION)
    return len(add_events(session, events, now=now))
