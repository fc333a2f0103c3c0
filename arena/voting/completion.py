"""Counts which battles get a vote, by entrant and day, and tests it. Writes completion.

Battles are counted once each, in the order of their numbers, by whichever process gets to it, so
the request of a vote costs nothing for it, and a test reads one row for a day and entrant. The test
is `ratings.screening.completion`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Engine, Table, func, select
from sqlalchemy.orm import Session, aliased

from arena.database import Database
from arena.models import (
    HONEY,
    Battle,
    Choice,
    Clip,
    Completion,
    CompletionProgress,
    Entrant,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.voting.limits import CLOCK_TOLERANCE
from arena.voting.statements import Change

BATCH = 20_000  # battles or votes in one query, about 100 ms
# On PostgreSQL, numbers may be committed out of order: by now all of them are.
SETTLED = timedelta(seconds=60)
PAST = timedelta(days=60)  # days that a test compares with
# The votes of voters with fewer votes than this are the ones that throwing cookies away makes.
FEW_VOTES = 4

_TABLE = cast(Table, Completion.__table__)
_COLUMNS = [_TABLE.c[name] for name in ("track_id", "day", "entrant_id", "issued", "voted")]
_ADD = Change(
    "INSERT INTO completion (track_id, day, entrant_id, issued, voted) {rows} "
    "ON CONFLICT (track_id, day, entrant_id) DO UPDATE SET "
    "issued = completion.issued + excluded.issued, voted = completion.voted + excluded.voted",
    _COLUMNS,
)
# The flags found last, by track, and of which counts: leaderboards ask for them all the time.
_found: WeakKeyDictionary[Engine, dict[int, tuple[list[int], list["CompletionFlag"]]]] = (
    WeakKeyDictionary()
)
_Key = tuple[int, date, int]  # a track, a day and an entrant


@dataclass(frozen=True)
class CompletionFlag:
    """An entrant whose battles of one day were voted on more often than they should be.

    Attributes:
        entrant: its number.
        name: as it is shown.
        day: UTC, on which the battles were issued.
        issued: the battles that showed it.
        voted: those that got a vote.
        rate, expected: share of the battles with a vote, and what it should be.
        z: standardised difference; above 4 is an alarm.
    """

    entrant: int
    name: str
    day: date
    issued: int
    voted: int
    rate: float
    expected: float
    z: float


def count_battles(database: Database, *, now: datetime) -> int:
    """Count some of the battles and votes that are new, and return how many they were.

    They are counted by the database, before the transaction that writes, so that no vote waits.

    Args:
        database: of the arena.
        now: aware.

    Returns:
        The number; 0 also if another process counts them at the moment.
    """
    with database.reading() as session:
        progress = session.scalars(select(CompletionProgress)).one_or_none()
        known = (0, 0) if progress is None else (progress.battle_id, progress.vote_id)
        issued = _count(session, votes=False, after=known[0], now=now)
        voted = _count(session, votes=True, after=known[1], now=now)
    rows: list[Sequence[object]] = [
        (*key, issued.by_key[key], voted.by_key[key])
        for key in sorted({*issued.by_key, *voted.by_key})
    ]

    def store(session: Session) -> int:
        progress = session.scalars(select(CompletionProgress).with_for_update()).one_or_none()
        if progress is None:
            progress = CompletionProgress(id=1, battle_id=0, vote_id=0)
            session.add(progress)
            session.flush()
        if (progress.battle_id, progress.vote_id) != known:
            return 0
        _ADD.run(session.connection(), rows)
        progress.battle_id, progress.vote_id = issued.last, voted.last
        return issued.number + voted.number

    if (issued.last, voted.last) == known:
        return 0
    return database.write(store)


@dataclass(frozen=True)
class _Counted:
    """The settled rows after a number: how many, the last, and those that count, by key."""

    number: int
    last: int
    by_key: Counter[_Key]


def _count(session: Session, *, votes: bool, after: int, now: datetime) -> _Counted:
    row, at = (Vote, Vote.cast_at) if votes else (Battle, Battle.issued_at)
    part = select(row.id, at.label("at")).where(row.id > after).order_by(row.id).limit(BATCH)
    first = part.subquery()
    # The first that is not settled; a time in the future is from a clock that was ahead.
    waits = (first.c.at > now - SETTLED) & (first.c.at <= now + CLOCK_TOLERANCE)
    waiting = session.scalar(select(func.min(first.c.id)).where(waits))
    settled = select(func.count(), func.max(first.c.id))
    if waiting is not None:
        settled = settled.where(first.c.id < waiting)
    number, last = session.execute(settled).one()
    if not number:
        return _Counted(0, after, Counter())
    left, right = aliased(Clip), aliased(Clip)
    day = _utc_day(session).label("day")
    query = (
        select(Battle.track_id, day, left.entrant_id, right.entrant_id, func.count())
        .select_from(Battle)
        .join(left, left.id == Battle.clip_a_id)
        .join(right, right.id == Battle.clip_b_id)
        .outerjoin(Voter, Voter.id == Battle.voter_id)
        .where(row.id > after, row.id <= last, Battle.repeat_of.is_(None))
        .where(Battle.sampler != HONEY)
        .where(Voter.kind.is_distinct_from(VoterKind.SIMULATED))
        .group_by(Battle.track_id, day, left.entrant_id, right.entrant_id)
    )
    if votes:
        query = query.join(Vote, Vote.battle_id == Battle.id).where(Vote.choice != Choice.SKIP)
    counts: Counter[_Key] = Counter()
    for track, text, *entrants, together in session.execute(query):
        for entrant in entrants:
            counts[track, date.fromisoformat(str(text)), entrant] += together
    return _Counted(number, last, counts)


def _utc_day(session: Session) -> ColumnElement[Any]:
    """The day on which a battle was issued; text on SQLite."""
    if session.get_bind().dialect.name == "sqlite":
        return func.date(Battle.issued_at)
    return func.date(func.timezone("UTC", Battle.issued_at))


def completion_flags(session: Session, track: Track) -> list[CompletionFlag]:
    """Return the entrants of a track whose battles are finished suspiciously often, newest first.

    They are of battles that `count_battles` has counted, which a served arena does every minute.

    Args:
        session: only reads.
        track: of the battles.
    """
    newest, *state = session.execute(
        select(
            *(func.max(Completion.day), func.count()),
            *(func.sum(Completion.issued), func.sum(Completion.voted)),
        ).where(Completion.track_id == track.id)
    ).one()
    if newest is None:
        return []
    known = _found.setdefault(session.get_bind().engine, {})
    if track.id not in known or known[track.id][0] != state:
        known[track.id] = (state, _find_flags(session, track, newest))
    return known[track.id][1]


def _find_flags(session: Session, track: Track, newest: date) -> list[CompletionFlag]:
    # They load slowly, and what serves votes does not need them.
    import numpy as np

    from ratings.screening.completion import completion_test

    query = select(Completion).where(
        Completion.track_id == track.id, Completion.day >= newest - PAST
    )
    rows = list(session.scalars(query))
    days = sorted({row.day for row in rows})
    entrants = sorted({row.entrant_id for row in rows})
    issued, voted = np.zeros((2, len(days), len(entrants)))
    for row in rows:
        place = days.index(row.day), entrants.index(row.entrant_id)
        issued[place] = row.issued
        # A vote may be counted a moment before its battle.
        voted[place] = min(row.voted, row.issued)
    tested = completion_test(issued, voted)
    names = {
        entrant.id: entrant.shown_name
        for entrant in session.scalars(select(Entrant).where(Entrant.id.in_(entrants)))
    }
    flags = [
        CompletionFlag(
            entrant=entrants[model],
            name=names[entrants[model]],
            day=days[day],
            issued=int(issued[day, model]),
            voted=int(voted[day, model]),
            rate=float(tested.rate[day, model]),
            expected=float(tested.expected[day, model]),
            z=float(tested.z[day, model]),
        )
        for day, model in np.argwhere(tested.alarm)
    ]
    return sorted(flags, key=lambda flag: (flag.day, flag.z), reverse=True)


def votes_to_review(session: Session, track: Track, flag: CompletionFlag) -> list[int]:
    """Return the votes that an alarm puts under review, by number.

    These are the votes of people with fewer than `FEW_VOTES` votes in all, on battles of that day
    with that entrant: those that somebody makes who throws cookies away. Whom they favour plays no
    part, so leaving them out biases no rating.

    Args:
        session: only reads.
        track: of the battles.
        flag: of one entrant and day.
    """
    start = datetime(flag.day.year, flag.day.month, flag.day.day, tzinfo=UTC)
    own = select(Clip.id).where(Clip.track_id == track.id, Clip.entrant_id == flag.entrant)
    other = aliased(Vote)
    few = (
        select(other.voter_id)
        .where(other.voter_id == Vote.voter_id, other.choice != Choice.SKIP)
        .group_by(other.voter_id)
        .having(func.count() < FEW_VOTES)
        .exists()
    )
    query = (
        select(Vote.id)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .where(
            Battle.clip_a_id.in_(own) | Battle.clip_b_id.in_(own),
            Battle.issued_at >= start,
            Battle.issued_at < start + timedelta(days=1),
            *(Vote.choice != Choice.SKIP, Voter.kind == VoterKind.PERSON, few),
            Battle.sampler != HONEY,
        )
        .order_by(Vote.id)
    )
    return list(session.scalars(query))
