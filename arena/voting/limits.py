"""Checks a vote against the watch time, the rate limits and the limit on skips. Only reads."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import MalformedVote, TooEarly, TooMany
from arena.models import Battle, Choice, Vote, Voter, VoterKind
from arena.settings import RateLimit
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


@dataclass(frozen=True)
class VotingRules:
    """The rules for a voter: rate limits, and whether the watch time is enforced."""

    limits: tuple[RateLimit, ...] = ()
    watch_time: bool = True


def check_watch_time(
    battle: Battle, *, form: VoteForm | MalformedVote, rules: VotingRules, now: datetime
) -> None:
    """Raise TooEarly if, by the server's clock, both clips cannot have been watched yet."""
    if battle.opened_at is None:
        raise TooEarly("This battle opens once the one before it is answered.")
    skipped = isinstance(form, VoteForm) and form.choice is Choice.SKIP
    if skipped or not rules.watch_time:
        return
    watched = now - battle.opened_at
    required = timedelta(milliseconds=battle.track.min_watch_ms)
    if watched < required:
        remaining = (required - watched).total_seconds()
        raise TooEarly(f"Watch both clips first: you can vote in {remaining:.1f} s.")


def covers_watch_time(vote: Vote, *, min_watch_ms: int) -> bool:
    """Whether the watch times reported with a vote cover both clips; False: "could not check".

    Such a vote counts all the same. The server's own clock is checked by `check_watch_time`.
    """
    reported = (vote.watched_a_ms, vote.watched_b_ms)
    return all(ms is not None and ms >= min_watch_ms - WATCH_TOLERANCE_MS for ms in reported)


def check_limits(
    session: Session,
    voter: Voter,
    *,
    form: VoteForm | MalformedVote,
    rules: VotingRules,
    now: datetime,
) -> None:
    """Raise TooMany if the vote or skip exceeds the voter's limits."""
    if not rules.limits or voter.kind is VoterKind.SIMULATED:
        return
    if isinstance(form, VoteForm) and form.choice is Choice.SKIP:
        recent = _recent(session, voter, since=now - SKIP_WINDOW)
        skips = [cast_at for cast_at, choice in recent if choice is Choice.SKIP]
        if len(skips) >= FREE_SKIPS + SKIP_SHARE * (len(recent) - len(skips)):
            raise TooMany(
                "You have skipped too many pairs: vote on some, or come back later.",
                retry_after_s=_wait_s(skips[0], SKIP_WINDOW, now),
            )
        return
    for limit in rules.limits:
        window = timedelta(seconds=limit.period_s)
        recent = _recent(session, voter, since=now - window)
        votes = [cast_at for cast_at, choice in recent if choice is not Choice.SKIP]
        if len(votes) >= limit.votes:
            wait_s = _wait_s(votes[-limit.votes], window, now)
            raise TooMany(
                f"The limit is {limit.votes} votes in {limit.period_s} s: try again in {wait_s} s.",
                retry_after_s=wait_s,
            )


def _recent(session: Session, voter: Voter, *, since: datetime) -> list[tuple[datetime, Choice]]:
    query = (
        select(Vote.cast_at, Vote.choice)
        .where(Vote.voter_id == voter.id, Vote.cast_at > since)
        .order_by(Vote.cast_at)
    )
    return [(cast_at, choice) for cast_at, choice in session.execute(query)]


def _wait_s(oldest: datetime, window: timedelta, now: datetime) -> int:
    return max(1, int((oldest + window - now).total_seconds()) + 1)
