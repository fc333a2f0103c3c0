"""Writes and reads the battle table, by a few statements for many voters at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.orm import Session

from arena.catalog.index import CatalogIndex, catalog_index
from arena.models import HONEY, Battle, BattleState, Vote
from arena.voting.matchmaking import ClipPair
from arena.voting.statements import Query, change, insertion, new_ids

BATTLE_LIFETIME = timedelta(minutes=30)
RECENT_SET_ASIDE = 10  # battles of one category that are looked at to prefetch one again
BATTLE = cast(Table, Battle.__table__)
VOTE = cast(Table, Vote.__table__)
_CHANGING = ("state", "next_category", "opened_at", "expires_at", "voided_at")


@dataclass(slots=True)
class BattleRow:
    """A row of the battle table, with its columns.

    `id` is 0 until it is stored, `voter_id` until its voter or visitor is.
    """

    token: str
    track_id: int
    prompt_id: str
    voter_id: int
    clip_a_id: int
    clip_b_id: int
    category: str | None
    sampler: str
    probability: float
    state: BattleState
    issued_at: datetime
    next_category: str | None = None
    repeat_of: int | None = None
    opened_at: datetime | None = None
    expires_at: datetime | None = None
    voided_at: datetime | None = None
    fetched_a_at: datetime | None = None
    fetched_b_at: datetime | None = None
    fetched_a_bytes: int | None = None
    fetched_b_bytes: int | None = None
    id: int = 0


_COLUMNS = [BATTLE.c[name] for name in BattleRow.__slots__]
_BY_TOKEN = (
    select(*_COLUMNS, *VOTE.c)
    .join_from(BATTLE, VOTE, VOTE.c.battle_id == BATTLE.c.id, isouter=True)
    .where(BATTLE.c.token.in_(bindparam("tokens", expanding=True)))
)


_SELECTED = ", ".join(column.name for column in _COLUMNS)
# The states are literals: SQLite uses the partial index of a state only where the query names it.
_LIVE = Query(
    f"""
    SELECT {_SELECTED} FROM battle
    WHERE voter_id {{listed}} AND state = '{BattleState.OPEN.value}'
    UNION ALL SELECT {_SELECTED} FROM battle
    WHERE voter_id {{listed}} AND state = '{BattleState.PREFETCHED.value}'
    """,  # noqa: S608  (made of constants)
    _COLUMNS,
)
_SHOWN_COLUMNS = [BATTLE.c.voter_id, BATTLE.c.track_id, BATTLE.c.clip_a_id, BATTLE.c.clip_b_id]
_SHOWN = Query(
    "SELECT voter_id, track_id, clip_a_id, clip_b_id FROM battle WHERE voter_id {listed}",
    _SHOWN_COLUMNS,
)
_BY_ID = Query(f"SELECT {_SELECTED} FROM battle WHERE id {{listed}}", _COLUMNS)  # noqa: S608
_OF_VOTER = (BATTLE.c.voter_id == bindparam("voter"), BATTLE.c.track_id == bindparam("track"))
_SET_ASIDE = (
    select(*_COLUMNS)
    .where(
        *_OF_VOTER,
        BATTLE.c.category.is_not_distinct_from(bindparam("category", type_=BATTLE.c.category.type)),
        *(BATTLE.c.state == BattleState.EXPIRED, BATTLE.c.opened_at.is_(None)),
        BATTLE.c.voided_at.is_(None),
    )
    .order_by(BATTLE.c.id.desc())
    .limit(RECENT_SET_ASIDE)
)
_AGAIN = BATTLE.alias()
_REPEATABLE = (
    select(BATTLE.c.id, BATTLE.c.clip_a_id, BATTLE.c.clip_b_id, BATTLE.c.prompt_id)
    .join(VOTE, VOTE.c.battle_id == BATTLE.c.id)
    .where(
        *_OF_VOTER,
        *(BATTLE.c.repeat_of.is_(None), BATTLE.c.sampler != HONEY, VOTE.c.choice != "skip"),
        ~select(_AGAIN.c.id)
        .where(_AGAIN.c.voter_id == bindparam("voter"), _AGAIN.c.repeat_of == BATTLE.c.id)
        .exists(),
    )
    .order_by(BATTLE.c.id)
)
_INSERT = insertion(_COLUMNS)
_CHANGE = change([BATTLE.c[name] for name in _CHANGING], BATTLE.c.id)
_NEW_VALUES = attrgetter(*BattleRow.__slots__)
_CHANGED_VALUES = attrgetter(*_CHANGING, "id")

VoteRow = Mapping[str, Any]  # a row of the vote table
VoterTrack = tuple[int, int]  # a voter's and a track's id


def has_expired(battle: BattleRow, now: datetime) -> bool:
    """Whether a battle can no longer be answered."""
    if battle.state is BattleState.EXPIRED:
        return True
    return battle.expires_at is not None and battle.expires_at <= now


def is_withdrawn(index: CatalogIndex, session: Session, battle: BattleRow) -> bool:
    """Whether a battle may be shown no more.

    A file of it is withheld, its prompt or one of its entrants is retired, or its track is closed.
    """
    return not index.of(session, battle.track_id).shows(battle.clip_a_id, battle.clip_b_id)


def index_with(session: Session, index: CatalogIndex, rows: Iterable[BattleRow]) -> CatalogIndex:
    """Return the index, or a newer one if it lacks what one of these stored battles shows."""

    def has(row: BattleRow) -> bool:
        if row.track_id not in index.tracks or row.prompt_id not in index.prompts:
            return False
        return index.of(session, row.track_id).has(row.clip_a_id, row.clip_b_id)

    return index if all(has(row) for row in rows) else catalog_index(session, exact=True)


def read_by_token(
    session: Session, tokens: Sequence[str]
) -> dict[str, tuple[BattleRow, VoteRow | None]]:
    """Return battles and their votes by the battles' tokens."""
    rows = session.connection().execute(_BY_TOKEN, {"tokens": tokens})
    width = len(_COLUMNS)
    names = list(VOTE.c.keys())
    return {
        row[0]: (
            BattleRow(*row[:width]),
            None if row[width] is None else dict(zip(names, row[width:], strict=True)),
        )
        for row in rows
    }


def read_battle(session: Session, battle_id: int) -> BattleRow | None:
    """Return one battle."""
    rows = _BY_ID.rows(session.connection(), [battle_id])
    return BattleRow(*rows[0]) if rows else None


def read_live(session: Session, voter_ids: Sequence[int]) -> dict[int, list[BattleRow]]:
    """Return the open and the prefetched battles of these voters, by the voter's id."""
    live: defaultdict[int, list[BattleRow]] = defaultdict(list)
    for row in _LIVE.rows(session.connection(), voter_ids):
        battle = BattleRow(*row)
        live[battle.voter_id].append(battle)
    return live


def read_shown(session: Session, voter_ids: Sequence[int]) -> dict[VoterTrack, set[ClipPair]]:
    """Return the clips (left, right) of every battle of these voters."""
    shown: defaultdict[VoterTrack, set[ClipPair]] = defaultdict(set)
    for voter_id, track_id, left, right in _SHOWN.rows(session.connection(), voter_ids):
        shown[voter_id, track_id].add((left, right))
    return shown


def read_set_aside(
    session: Session, *, voter_id: int, track_id: int, category: str | None
) -> list[BattleRow]:
    """Return the battles that changes of category put aside before they opened, newest first."""
    values = {"voter": voter_id, "track": track_id, "category": category}
    rows = session.connection().execute(_SET_ASIDE, values)
    return [BattleRow(*row) for row in rows]


def read_repeatable(
    session: Session, *, voter_id: int, track_id: int
) -> list[tuple[int, int, int, str]]:
    """Return what a voter may be shown again, oldest first: id, left and right clip, prompt.

    These are battles that the voter voted on, not skipped, that were neither repeats nor honey
    pairs, and not repeated.
    """
    rows = session.connection().execute(_REPEATABLE, {"voter": voter_id, "track": track_id})
    return [(row[0], row[1], row[2], row[3]) for row in rows]


# Battles leave a state before others enter it: the database allows one open and one prefetched.
_ORDER = (
    (BattleState.ANSWERED, BattleState.EXPIRED),
    (BattleState.OPEN,),
    (BattleState.PREFETCHED,),
)


def store(session: Session, battles: Iterable[BattleRow]) -> None:
    """Store new and changed battles; new ones get their ids.

    Args:
        session: in a transaction that writes.
        battles: with their voters' ids.
    """
    all_changed = list(battles)
    connection = session.connection()
    new = []
    for states in _ORDER:
        changed = [battle for battle in all_changed if battle.state in states]
        _CHANGE.run(connection, [_CHANGED_VALUES(battle) for battle in changed if battle.id])
        new += [battle for battle in changed if not battle.id]
    for battle, number in zip(new, new_ids(connection, "battle", len(new)), strict=True):
        battle.id = number
    _INSERT.run(connection, [_NEW_VALUES(battle) for battle in new])


def remove(session: Session, voter_ids: Sequence[int]) -> int:
    """Delete all battles of visitors, which have no votes, and return their number."""
    result = session.connection().execute(delete(BATTLE).where(BATTLE.c.voter_id.in_(voter_ids)))
    return int(result.rowcount)
