"""Checks a vote against the watch time, the rate limits and the limit on skips. Only reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from arena.errors import MalformedVote, TooEarly, TooMany
from arena.models import BattleReport, Choice, HoldEvent, HoldRule, Vote, VoterKind
from arena.settings import RateLimit
from arena.text import pluralize
from arena.voting.schemas import VoteForm

# Unlimited skips make rigging ten times more effective: a few are free, then 3 per 10 votes.
FREE_SKIPS = 5
SKIP_SHARE = 0.3
SKIP_WINDOW = timedelta(hours=1)
# A container may round a clip's duration by a frame or two, so a clip played to its end may be
# measured this much short. It decides only whether a reported watch time is recorded as covering
# the clips: `check_watch_time` has no tolerance. The page (`watch-account.js`) has the same number,
# by which it accepts a clip that has ended; it cannot import this one.
WATCH_TOLERANCE_MS = 100


# Clocks of two machines may differ by this much. A stored time further in the future is from a
# clock that was ahead, and its age says nothing.
CLOCK_TOLERANCE = timedelta(seconds=10)


@dataclass(frozen=True)
class VotingRules:
    """The rules for a voter: rate limits, and whether the watch time is enforced.

    Attributes:
        limits: on the votes of one voter.
        watch_time: whether it is enforced.
        network_limits, total_limits: on the battles that get no vote, as `budgets` explains.
    """

    limits: tuple[RateLimit, ...] = ()
    watch_time: bool = True
    network_limits: tuple[RateLimit, ...] = ()
    total_limits: tuple[RateLimit, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = (self.limits, self.watch_time, self.network_limits, self.total_limits)
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self) -> int:  # computed once: requests are grouped by their rules
        return self._hash


def check_watch_time(
    opened_at: datetime | None,
    min_watch_ms: int,
    *,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
) -> None:
    """Raise TooEarly if, by the server's clock, both clips cannot have been watched yet.

    Args:
        opened_at: when the battle opened; None while it is prefetched.
        min_watch_ms: how long its track wants both clips to be watched.
        form: the vote.
        rules: for this voter.
        now: aware.
    """
    if opened_at is None:
        raise TooEarly("This battle opens once the one before it is answered.")
    skipped = isinstance(form, VoteForm) and form.choice is Choice.SKIP
    # After a clock that was ahead was set back, its battles would be refused until it is there
    # again. How long they were watched is not known, and the vote says so.
    if skipped or not rules.watch_time or opened_at > now + CLOCK_TOLERANCE:
        return
    watched = now - opened_at
    required = timedelta(milliseconds=min_watch_ms)
    if watched < required:
        remaining = (required - watched).total_seconds()
        raise TooEarly(f"Watch both clips first: you can vote in {remaining:.1f} s.")


class LimitedVoter(Protocol):
    """A stored voter."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> VoterKind: ...


def may_exceed_limits(
    session: Session, voter_ids: Sequence[int], *, rules: VotingRules, now: datetime
) -> set[int]:
    """Return the voters for whom `check_limits` has to look closer before a vote.

    One statement for many voters, which counts and returns no votes. It counts a skip as a vote, so
    the others are certainly below every limit.

    Args:
        session: in a transaction.
        voter_ids: whose votes to count.
        rules: for all of them.
        now: the earliest time at which one of them votes.
    """
    if not rules.limits or not voter_ids:
        return set()
    counts = [
        func.sum(case((Vote.cast_at > now - timedelta(seconds=limit.period_s), 1), else_=0))
        for limit in rules.limits
    ]
    longest = max(limit.period_s for limit in rules.limits)
    query = (
        select(Vote.voter_id, *counts)
        .where(Vote.voter_id.in_(voter_ids), Vote.cast_at > now - timedelta(seconds=longest))
        .group_by(Vote.voter_id)
    )
    return {
        row[0]
        for row in session.connection().execute(query)
        if any(row[1 + n] >= limit.votes for n, limit in enumerate(rules.limits))
    }


def check_limits(
    session: Session,
    voter: LimitedVoter,
    *,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
) -> None:
    """Raise TooMany if the vote or skip exceeds the voter's limits."""
    if not rules.limits or voter.kind is VoterKind.SIMULATED:
        return
    if isinstance(form, VoteForm) and form.choice is Choice.SKIP:
        _check_skips(session, voter, now=now)
        return
    for limit in rules.limits:
        window = timedelta(seconds=limit.period_s)
        recent = _recent(session, voter, since=now - window, now=now)
        votes = [cast_at for cast_at, choice in recent if choice is not Choice.SKIP]
        if len(votes) >= limit.votes:
            wait_s = _wait_s(votes[-limit.votes], window, now)
            raise TooMany(
                f"The limit is {pluralize(limit.votes, 'vote')} in {limit.period_s} s: "
                f"try again in {wait_s} s.",
                retry_after_s=wait_s,
            )


def check_reports(
    session: Session, voter: LimitedVoter, *, rules: VotingRules, now: datetime
) -> None:
    """Raise TooMany if a report of an intact file exceeds the limit on skips, which it shares."""
    if rules.limits and voter.kind is not VoterKind.SIMULATED:
        _check_skips(session, voter, now=now)


def check_withdrawals(
    session: Session, voter: LimitedVoter, *, rules: VotingRules, now: datetime
) -> None:
    """Raise TooMany if withdrawing a vote exceeds the limit on skips, which it shares.

    Otherwise whoever votes on every battle, and withdraws what shows other models than theirs,
    would skip without a limit.
    """
    if rules.limits and voter.kind is not VoterKind.SIMULATED:
        _check_skips(session, voter, now=now, withdrawing=1)


def _check_skips(
    session: Session, voter: LimitedVoter, *, now: datetime, withdrawing: int = 0
) -> None:
    since = now - SKIP_WINDOW
    recent = _recent(session, voter, since=since, now=now)
    reported = session.scalars(
        select(BattleReport.reported_at).where(
            BattleReport.voter_id == voter.id,
            BattleReport.reported_at > since,
            BattleReport.reported_at <= now + CLOCK_TOLERANCE,
            BattleReport.damage.is_(None),
        )
    )
    withdrawn = session.scalars(
        select(Vote.cast_at)
        .join(HoldEvent, HoldEvent.vote_id == Vote.id)
        .where(
            Vote.voter_id == voter.id,
            Vote.cast_at > since,
            Vote.cast_at <= now + CLOCK_TOLERANCE,
            HoldEvent.rule == HoldRule.WITHDRAWN,
        )
    ).all()
    skipped = [cast_at for cast_at, choice in recent if choice is Choice.SKIP]
    votes = len(recent) - len(skipped) - len(withdrawn) - withdrawing
    skips = sorted([*skipped, *reported, *withdrawn])
    if len(skips) >= FREE_SKIPS + SKIP_SHARE * votes:
        raise TooMany(
            "You have skipped or withdrawn too many pairs: vote on some, or come back later.",
            retry_after_s=_wait_s(skips[0], SKIP_WINDOW, now),
        )


def _recent(
    session: Session, voter: LimitedVoter, *, since: datetime, now: datetime
) -> list[tuple[datetime, Choice]]:
    query = (
        select(Vote.cast_at, Vote.choice)
        .where(
            Vote.voter_id == voter.id,
            Vote.cast_at > since,
            Vote.cast_at <= now + CLOCK_TOLERANCE,
        )
        .order_by(Vote.cast_at)
    )
    return [(cast_at, choice) for cast_at, choice in session.execute(query)]


def _wait_s(oldest: datetime, window: timedelta, now: datetime) -> int:
    return max(1, int((oldest + window - now).total_seconds()) + 1)
