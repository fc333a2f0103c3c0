"""What the rules about voters write to the ledger of holds, for a voter or for single votes."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.holds.decisions import is_decided
from arena.holds.ledger import NewEvent, add_events, last_events
from arena.holds.rules import AUTOMATIC, RULES, VOTER_RULES
from arena.models import HONEY, Battle, Choice, HoldKind, HoldRule, Vote


def events_of_voter(
    session: Session, track_id: int, voter: int, rule: str | None, held: str | None
) -> list[NewEvent]:
    """Return the events that hold a voter's votes by a rule, or release those that rules held.

    Args:
        session: only reads.
        track_id: of the track.
        voter: its number.
        rule: by which the votes are to be held; None: they are to count.
        held: the rule by which some of them are held now; None: none are.
    """
    query = (
        select(Vote.id)
        .join(Battle, Battle.id == Vote.battle_id)
        .where(
            *(Battle.track_id == track_id, Battle.sampler != HONEY, Vote.voter_id == voter),
            *(Vote.choice != Choice.SKIP, Vote.picture_only.is_(False)),
        )
        .order_by(Vote.id)
    )
    numbers = list(session.scalars(query))
    last = last_events(session, numbers)
    if any(is_decided(event) for event in last.values()):
        return []  # a person decided about this voter
    if rule is None:
        if held is None:
            return []
        name = HoldRule(held)
        reason = "With more votes, this no longer holds: they count again."
        return [
            NewEvent(number, HoldKind.RELEASE, name, RULES[name].version, reason, AUTOMATIC)
            for number, event in last.items()
            if event.kind is HoldKind.HOLD
            and event.author == AUTOMATIC
            and event.rule in VOTER_RULES
        ]
    return [
        _hold(number, HoldRule(rule))
        for number in numbers
        if number not in last or last[number].kind is not HoldKind.HOLD
    ]


def events_of_votes(session: Session, votes: Iterable[int], rule: HoldRule) -> list[NewEvent]:
    """Return the events that hold votes about which nothing was decided before."""
    numbers = set(votes)
    return [
        _hold(number, rule) for number in sorted(numbers - last_events(session, numbers).keys())
    ]


def _hold(number: int, rule: HoldRule) -> NewEvent:
    text = RULES[rule]
    return NewEvent(number, HoldKind.HOLD, rule, text.version, text.reason, AUTOMATIC)


def add_new(session: Session, events: Sequence[NewEvent], now: datetime) -> list[int]:
    """Write events, but for those about votes that somebody decided on meanwhile."""
    last = last_events(session, [event.vote_id for event in events])
    wanted = [
        event
        for event in events
        if not is_decided(last.get(event.vote_id))
        and (event.vote_id not in last or last[event.vote_id].kind is not event.kind)
    ]
    return add_events(session, wanted, now=now)
