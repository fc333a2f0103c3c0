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
from arena.catalog.catalog import list_tracks
    session.scalars(select(CompletionProgress).with_for_update()).one_or_none()
    events = events_of_votes(session, votes, HoldRule.COMPLETION)
    return len(add_events(session, events, now=now))
