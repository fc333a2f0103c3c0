"""What somebody who runs the arena decides: to hold votes, or to let them count again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import BallotError, NotFound
from arena.holds.ledger import Event, NewEvent, add_events, last_events
from arena.holds.rules import AUTOMATIC, RULES
from arena.holds.status import BY_FACT, judge_votes
from arena.models import (
    KEY_LENGTH,
    REASON_LENGTH,
    Battle,
    Choice,
    HoldEvent,
    HoldKind,
    HoldRule,
    Track,
    Vote,
    Voter,
    VoteStatus,
)
from arena.text import pluralize

OPERATOR = "operator"  # the author of a decision, unless it names another one


@dataclass(frozen=True)
class Selection:
    """The votes that a decision is about: one vote, or all of a voter, in a track or in all."""

    vote_id: int | None = None
    voter_id: int | None = None
    track: str | None = None

    def __str__(self) -> str:
        if self.vote_id is not None:
            return f"vote {self.vote_id}"
        return f"voter {self.voter_id}" + (f" in the track {self.track}" if self.track else "")

    def describe(self, votes: int) -> str:
        """Name the votes, of which there are `votes`."""
        return str(self) if self.vote_id is not None else f"{pluralize(votes, 'vote')} of {self}"


@dataclass(frozen=True)
class Release:
    """How many votes were released, and whether they were held or counted already."""

    votes: int
    were_held: bool


@dataclass(frozen=True)
class ListedEvent:
    """An event with what is known of its vote."""

    event: Event
    track: str
    voter_id: int


def hold_votes(
    session: Session, selection: Selection, *, reason: str, author: str = OPERATOR, now: datetime
) -> int:
    """Hold votes by decision, and return how many were not held before.

    Args:
        session: in a transaction that writes.
        selection: which votes.
        reason: one plain sentence, which is public.
        author: who decided.
        now: aware.

    Raises:
        NotFound: no such vote or voter.
        BallotError: nothing to hold, or a reason that is empty or too long.
    """
    reason, author = _checked(reason, author)
    votes = _select(session, selection)
    verdicts = judge_votes(session, votes)
    chosen = [vote.id for vote in votes if verdicts[vote.id].status is VoteStatus.COUNTED]
    if not chosen:
        raise BallotError(_nothing(votes, selection, "is held already"))
    return _write(session, chosen, HoldKind.HOLD, reason=reason, author=author, now=now)


def release_votes(
    session: Session, selection: Selection, *, reason: str, author: str = OPERATOR, now: datetime
) -> Release:
    """Let held votes count again, and return how many; the rules do not hold them again.

    Where none is held, it is stored that they count, so that the rules leave the voter alone.

    Args:
        session: in a transaction that writes.
        selection: which votes.
        reason: one plain sentence, which is public.
        author: who decided.
        now: aware.

    Raises:
        NotFound: no such vote or voter.
        BallotError: nothing that could count, or a reason that is empty or too long.
    """
    reason, author = _checked(reason, author)
    votes = _select(session, selection)
    events = last_events(session, [vote.id for vote in votes])
    verdicts = judge_votes(session, votes)
    rated = [
        vote
        for vote in votes
        if vote.choice is not Choice.SKIP and verdicts[vote.id].rule not in BY_FACT
    ]
    if not rated:
        reason = "was cast without hearing both clips, or on a honey pair"
        raise BallotError(_nothing(votes, selection, reason))
    held = [
        vote.id
        for vote in rated
        if (last := events.get(vote.id)) is not None and last.kind is HoldKind.HOLD
    ]
    if held:
        written = _write(session, held, HoldKind.RELEASE, reason=reason, author=author, now=now)
        return Release(written, were_held=True)
    new = [vote.id for vote in rated if not is_decided(events.get(vote.id))]
    if not new:
        raise BallotError(f"It is stored already that {selection} counts.")
    written = _write(session, new, HoldKind.COUNT, reason=reason, author=author, now=now)
    return Release(written, were_held=False)


def is_decided(last: Event | None) -> bool:
    """Whether a person decided last that a vote counts, so that the rules leave it alone."""
    return last is not None and last.kind is not HoldKind.HOLD and last.author != AUTOMATIC


def list_events(
    session: Session, *, track: str | None = None, voter_id: int | None = None
) -> list[ListedEvent]:
    """Return the events of a track and a voter, or of all, in their order."""
    query = (
        select(HoldEvent, Track.name, Vote.voter_id)
        .join(Vote, Vote.id == HoldEvent.vote_id)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Track, Track.id == Battle.track_id)
        .order_by(HoldEvent.number)
    )
    if track is not None:
        query = query.where(Track.name == track)
    if voter_id is not None:
        query = query.where(Vote.voter_id == voter_id)
    names = Event.__dataclass_fields__
    return [
        ListedEvent(Event(**{name: getattr(row, name) for name in names}), name, voter)
        for row, name, voter in session.execute(query)
    ]


def _checked(reason: str, author: str) -> tuple[str, str]:
    reason, author = " ".join(reason.split()), " ".join(author.split())
    for what, value, longest in (
        ("The reason", reason, REASON_LENGTH),
        ("The author", author, KEY_LENGTH),
    ):
        if not value:
            raise BallotError(f"{what} is empty: say in one sentence, which is public.")
        if len(value) > longest:
            raise BallotError(f"{what} has {len(value)} characters: use at most {longest}.")
        if not value.isprintable():
            raise BallotError(f"{what} contains control characters: use plain text.")
    if author == AUTOMATIC:
        raise BallotError(f"The author '{AUTOMATIC}' stands for the rules: name another one.")
    return reason, author


def _select(session: Session, selection: Selection) -> list[Vote]:
    query = select(Vote).order_by(Vote.id)
    if selection.vote_id is not None:
        query = query.where(Vote.id == selection.vote_id)
    else:
        if session.get(Voter, selection.voter_id) is None:
            raise NotFound(
                f"There is no voter {selection.voter_id}: `arena audit voters` lists numbers."
            )
        query = query.where(Vote.voter_id == selection.voter_id)
    if selection.track is not None:
        query = (
            query.join(Battle, Battle.id == Vote.battle_id)
            .join(Track, Track.id == Battle.track_id)
            .where(Track.name == selection.track)
        )
    votes = list(session.scalars(query))
    if not votes and selection.vote_id is not None:
        raise NotFound(f"There is no vote {selection.vote_id}: a receipt names its vote's number.")
    if not votes:
        raise NotFound(f"There are no votes of {selection}.")
    return votes


def _nothing(votes: Sequence[Vote], selection: Selection, otherwise: str) -> str:
    if all(vote.choice is Choice.SKIP for vote in votes):
        subject = str(selection)
        return f"{subject[0].upper()}{subject[1:]} has no vote that counts: a skip never does."
    return (
        f"Every vote of {selection} {otherwise}."
        if len(votes) > 1
        else (f"Vote {votes[0].id} {otherwise}.")
    )


def _write(
    session: Session,
    vote_ids: Sequence[int],
    kind: HoldKind,
    *,
    reason: str,
    author: str,
    now: datetime,
) -> int:
    rule = HoldRule.OPERATOR
    events = [
        NewEvent(number, kind, rule, RULES[rule].version, reason, author) for number in vote_ids
    ]
    return len(add_events(session, events, now=now))
