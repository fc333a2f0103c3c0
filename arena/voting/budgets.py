"""Limits how many battles networks and the whole arena get without voting. Writes issued_to.

A cookie costs nothing, so limits on one voter do not stop somebody who throws cookies away until a
battle shows the model they want. What such a person cannot hide is the battles that get no vote. A
network, and the arena, may be issued

    limit + BATTLES_PER_VOTE * votes

battles in an hour and in a day (UTC): those who vote never use the limit up, however many they are.
The counts are stored with the battles and votes, so they hold over all processes and restarts; what
a transaction costs for them is one statement that reads and one that writes.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import cast

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from arena.database import Database
from arena.errors import TooMany
from arena.models import IssuedTo
from arena.settings import PERIODS_S, RateLimit
from arena.voting.limits import VotingRules
from arena.voting.networks import delete_old_salts, has_old_salts, network_names, salt_of
from arena.voting.statements import Change, Query

# Honest voters cast 3.5 votes on average and leave two battles without one: 1.57 battles a vote.
BATTLES_PER_VOTE = 1.5
# A provider's network holds many sites: how many times the limit of one it may use.
WIDE_FACTOR = 4
# The total of the arena is the sum of some rows, so that processes seldom wait for each other.
SHARDS = 8

_TABLE = cast(Table, IssuedTo.__table__)
_COLUMNS = list(_TABLE.c)
_NAMES = ", ".join(column.name for column in _COLUMNS)
_READ = Query(f"SELECT {_NAMES} FROM issued_to WHERE network {{listed}}", _COLUMNS)  # noqa: S608
_SUM = "{0} = CASE WHEN issued_to.hour = excluded.hour THEN issued_to.{0} ELSE 0 END + excluded.{0}"
_ADD = Change(
    f"INSERT INTO issued_to ({_NAMES}) {{rows}} "
    "ON CONFLICT (network) DO UPDATE SET issued = issued_to.issued + excluded.issued, "
    "votes = issued_to.votes + excluded.votes, "
    f"{_SUM.format('issued_in_hour')}, {_SUM.format('votes_in_hour')}, hour = excluded.hour",
    _COLUMNS,
)
_OWN_SHARD = secrets.randbelow(SHARDS)


@dataclass(slots=True)
class _Counts:
    """Battles and votes of a network, or of the whole arena, on this day and in this hour."""

    issued: int = 0
    votes: int = 0
    issued_in_hour: int = 0
    votes_in_hour: int = 0

    def used(self, period_s: int) -> float:
        if period_s == PERIODS_S["day"]:
            return self.issued - BATTLES_PER_VOTE * self.votes
        return self.issued_in_hour - BATTLES_PER_VOTE * self.votes_in_hour

    def add(self, issued: int, votes: int, *, in_hour: bool = True) -> None:
        self.issued += issued
        self.votes += votes
        if in_hour:
            self.issued_in_hour += issued
            self.votes_in_hour += votes


class Budgets:
    """The counts that matter to some requests, in one transaction.

    Args:
        session: in a transaction that writes.
        rules: the limits; those of the network and of the total may each be empty.
        addresses: of the clients whose requests are answered; None: not known.
        now: aware.
    """

    def __init__(
        self,
        session: Session,
        rules: VotingRules,
        addresses: Iterable[str | None],
        *,
        now: datetime,
    ) -> None:
        self._session, self._rules = session, rules
        self._now = now.astimezone(UTC)
        self._counts: dict[str, _Counts] = {}
        self._added: dict[str, _Counts] = {}
        self._total = _Counts()
        self._is_active = bool(rules.network_limits or rules.total_limits)
        if not self._is_active:
            return
        self._salt = salt_of(session, self._day)
        self._names = {each: network_names(each, self._salt) for each in set(addresses)}
        self._read()

    @property
    def _day(self) -> date:
        return self._now.date()

    def _read(self) -> None:
        shards = (
            [self._shard(number) for number in range(SHARDS)] if self._rules.total_limits else []
        )
        networks = sorted({name for names in self._names.values() for name in names})
        self._counts = {name: _Counts() for name in networks}
        for row in _READ.rows(self._session.connection(), [*networks, *shards]):
            network, _, hour, issued, votes, issued_in_hour, votes_in_hour = row
            counts = self._counts.get(network, self._total)
            counts.add(issued, votes, in_hour=False)
            if hour == self._now.hour:
                counts.issued_in_hour += issued_in_hour
                counts.votes_in_hour += votes_in_hour

    def _shard(self, number: int) -> str:
        return f"all {self._day.isoformat()} {number}"

    def refusal(self, address: str | None, *, has_voted: bool) -> TooMany | None:
        """Return why no new battle may be issued now; None if it may.

        Args:
            address: of the client.
            has_voted: whether the voter has voted before: the arena's total is not for them.
        """
        if not self._is_active:
            return None
        for position, name in enumerate(self._names.get(address, ())):
            factor = 1 if position == 0 else WIDE_FACTOR
            for limit in self._rules.network_limits:
                if self._counts[name].used(limit.period_s) >= factor * limit.votes:
                    return self._too_many("Your network was", limit)
        if not has_voted:
            for limit in self._rules.total_limits:
                if self._total.used(limit.period_s) >= limit.votes:
                    return self._too_many("New voters were", limit)
        return None

    def _too_many(self, whose: str, limit: RateLimit) -> TooMany:
        until = self._now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if limit.period_s == PERIODS_S["day"]:
            until = self._now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        wait_s = max(1, ceil((until - self._now).total_seconds()))
        period = "day" if limit.period_s == PERIODS_S["day"] else "hour"
        return TooMany(
            f"{whose} shown many pairs this {period} that got no vote: vote on the pair that is "
            f"open in your browser, or come back in {ceil(wait_s / 60)} min.",
            retry_after_s=wait_s,
        )

    def note(self, address: str | None, *, issued: int = 0, votes: int = 0) -> None:
        """Count battles that were issued, and votes that were cast, by a client."""
        if not self._is_active or not (issued or votes):
            return
        for name in self._names.get(address, ()):
            self._count(name, self._counts[name], issued, votes)
        if self._rules.total_limits:
            self._count(self._shard(_OWN_SHARD), self._total, issued, votes)

    def _count(self, name: str, counts: _Counts, issued: int, votes: int) -> None:
        counts.add(issued, votes)
        added = self._added.get(name)
        if added is None:
            added = self._added[name] = _Counts()
        added.add(issued, votes)

    def store(self) -> None:
        """Store what was counted; the last statement of the transaction.

        In the order of the names, so that two processes never wait for each other.
        """
        rows: list[Sequence[object]] = [
            (name, self._day, self._now.hour, *(added.issued, added.votes) * 2)
            for name, added in sorted(self._added.items())
        ]
        _ADD.run(self._session.connection(), rows)
        self._added = {}


def delete_old_counts(database: Database, *, now: datetime) -> None:
    """Delete the counts and secrets of days that are over."""
    today = now.astimezone(UTC).date()
    with database.reading() as session:
        found = session.scalar(select(IssuedTo.day).where(IssuedTo.day < today).limit(1))
        has_old = found is not None or has_old_salts(session, today)
    if not has_old:
        return
    with database.writing() as session:
        session.execute(delete(IssuedTo).where(IssuedTo.day < today))
        delete_old_salts(session, today)
