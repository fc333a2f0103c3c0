"""Writes and reads the table of hold events: rows are only added, and their numbers have no gaps.

Each event has the SHA-256 of its canonical JSON. Seals cover the events in their order by a chain
of these hashes, in which each link is the SHA-256 of the link before it followed by the event's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from arena.canonical import canonical_json, instant_text, sha256_hex
from arena.models import HoldEvent, HoldKind, HoldRule

EMPTY_CHAIN = sha256_hex("")  # the link before the first event
_IN = 500  # numbers in one query; databases limit parameters
_COLUMNS = (
    *(HoldEvent.number, HoldEvent.vote_id, HoldEvent.kind, HoldEvent.rule, HoldEvent.version),
    *(HoldEvent.reason, HoldEvent.author, HoldEvent.at, HoldEvent.sha256),
)


@dataclass(frozen=True)
class NewEvent:
    """An event that is to be written."""

    vote_id: int
    kind: HoldKind
    rule: HoldRule
    version: int
    reason: str
    author: str


@dataclass(frozen=True)
class Event:
    """A row of the ledger."""

    number: int
    vote_id: int
    kind: HoldKind
    rule: str
    version: int
    reason: str
    author: str
    at: datetime
    sha256: str


def event_text(
    *,
    number: str,
    vote: str,
    kind: str,
    rule: str,
    version: int,
    reason: str,
    author: str,
    at: str,
) -> str:
    """Return the canonical JSON of an event.

    Args:
        number: of the event.
        vote: number of the vote.
        kind: `hold`, `release` or `count`.
        rule: its name.
        version: of the rule.
        reason: the public sentence.
        author: who decided.
        at: ISO 8601 in UTC, with `Z`.
    """
    return canonical_json(
        {
            **{"at": at, "author": author, "kind": kind, "number": number, "reason": reason},
            **{"rule": rule, "version": version, "vote": vote},
        }
    )


def text_of(event: Event) -> str:
    """Return the canonical JSON of a stored event."""
    return event_text(
        number=str(event.number),
        vote=str(event.vote_id),
        kind=str(event.kind),
        rule=event.rule,
        version=event.version,
        reason=event.reason,
        author=event.author,
        at=instant_text(event.at),
    )


def next_link(link: str, sha256: str) -> str:
    """Return the link of the chain after an event with this hash."""
    return sha256_hex(link + sha256)


def add_events(session: Session, events: Sequence[NewEvent], *, now: datetime) -> list[int]:
    """Write events, in this order, and return their numbers.

    Args:
        session: in a transaction that writes; on PostgreSQL, other writers of events wait for it.
        events: about stored votes.
        now: aware.
    """
    if not events:
        return []
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE hold_event IN EXCLUSIVE MODE"))
    first = newest_event(session) + 1
    rows: list[dict[str, Any]] = []
    for number, new in enumerate(events, start=first):
        stored = Event(
            *(number, new.vote_id, new.kind, new.rule.value, new.version, new.reason),
            *(new.author, now, ""),
        )
        rows.append({**vars(stored), "sha256": sha256_hex(text_of(stored))})
    session.execute(insert(HoldEvent), rows)
    return [row["number"] for row in rows]


def newest_event(session: Session) -> int:
    """Return the number of the newest event; 0 if there is none."""
    return session.scalar(select(func.max(HoldEvent.number))) or 0


def read_events(
    session: Session, *, after: int = 0, up_to: int | None = None, limit: int | None = None
) -> list[Event]:
    """Return events in the order of their numbers.

    Args:
        session: of the database.
        after: only events with a larger number.
        up_to: only events with at most this number.
        limit: at most this number of events.
    """
    query = select(*_COLUMNS).where(HoldEvent.number > after).order_by(HoldEvent.number)
    if up_to is not None:
        query = query.where(HoldEvent.number <= up_to)
    return [Event(*row) for row in session.execute(query.limit(limit))]


def last_events(session: Session, vote_ids: Iterable[int]) -> dict[int, Event]:
    """Return the last event about each of these votes that has any, by the vote's number."""
    numbers = sorted(set(vote_ids))
    found: dict[int, Event] = {}
    query = select(*_COLUMNS).order_by(HoldEvent.number)
    for at in range(0, len(numbers), _IN):
        part = query.where(HoldEvent.vote_id.in_(numbers[at : at + _IN]))
        found |= {row.vote_id: Event(*row) for row in session.execute(part)}
    return found


def extend_chain(link: str, hashes: Iterable[str]) -> str:
    """Return the link of the chain after events with these hashes, in order."""
    for sha256 in hashes:
        link = next_link(link, sha256)
    return link
