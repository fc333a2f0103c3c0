# ruff: noqa: S608  (the SQL is made of constants)
"""A large arena in a minute: votes are made inside the database, by `INSERT ... SELECT`.

For benchmarks and tests of what must not grow with the number of votes. Everything follows from the
number of the vote, so that the same arguments make the same arena on every database.
"""

import hashlib
import time
from typing import Any

from sqlalchemy import JSON, Connection, bindparam, func, insert, select, text

from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry, TrackEntry
from arena.catalog.tracks import add_track
from arena.database import Database
from arena.models import Battle, Clip, ClipStatus, Entrant, Prompt, Track, Vote, Voter, VoterKind
from arena.models import UtcDateTime as Time
from small_arena import START, TRACK

VOTES_PER_VOTER = 30
PATIENCE_S = 300.0  # of a large transaction on a slow machine
_PRIME = 2_147_483_647
_BATCH = 500_000  # votes in one statement
# SQLite's settings meanwhile: every row is valid by construction.
_FAST = {
    **{"synchronous": "OFF", "foreign_keys": "OFF", "ignore_check_constraints": "ON"},
    "cache_size": "-1000000",
}
_USUAL = {
    **{"synchronous": "FULL", "foreign_keys": "ON", "ignore_check_constraints": "OFF"},
    "cache_size": "-2000",
}
_MANY = 100_000  # from here on the secondary indexes are made at the end


def fill_large_arena(
    database: Database,
    *,
    votes: int,
    models: int = 12,
    prompts: int = 1000,
    categories: int = 12,
    voters: int | None = None,
    track: str = TRACK,
) -> None:
    """Fill an empty, migrated database with one track and its votes by people.

    Args:
        database: at the newest revision.
        votes: number of votes; a tenth are ties or "both bad".
        models: number of entrants, each with one clip of every prompt; lower numbers are better.
        prompts: number of prompts; each has one category.
        categories: number of categories.
        voters: number of voters, as for `add_votes`.
        track: name of the track.
    """
    add_catalog(database, models=models, prompts=prompts, categories=categories, track=track)
    add_votes(database, votes=votes, voters=voters, track=track)


def add_votes(
    database: Database,
    *,
    votes: int,
    voters: int | None = None,
    track: str = TRACK,
    kind: VoterKind = VoterKind.PERSON,
    known_voters: bool = False,
) -> None:
    """Add votes to a track in which every entrant has one clip of every prompt.

    Args:
        database: with the track, made by `add_catalog`.
        votes: number of votes.
        voters: number of new voters; a few of them cast many of the votes. None: one for 30 votes.
        track: name of the track.
        kind: of the voters.
        known_voters: whether the voters are those of the votes so far instead of new ones.
    """
    if votes < 1:
        return
    voters = voters or max(1, votes // VOTES_PER_VOTER)
    indexes = [*Battle.__table__.indexes, *Vote.__table__.indexes] if votes >= _MANY else []
    with database.engine.connect() as connection:
        _set_pragmas(connection, **_FAST)
        for index in indexes:
            index.drop(connection)
        made = _batches(connection, track, voters)
        if known_voters:
            made |= {"voters": made["first_voter"] - 1, "first_voter": 1}
        else:
            connection.execute(_VOTERS, _values(0, voters) | {**made, "kind": kind.value})
        for start in range(0, votes, _BATCH):
            stop = min(start + _BATCH, votes)
            connection.execute(_BATTLES, _values(start, stop) | made)
            connection.execute(_VOTES, _values(start, stop) | made)
            connection.commit()
        for index in indexes:
            index.create(connection)
        if not database.is_sqlite:
            for name in ("voter", "battle", "vote"):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"
                )
        connection.commit()
        _set_pragmas(connection, **_USUAL)


def _set_pragmas(connection: Connection, **values: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("COMMIT")  # they cannot change in a transaction
        for name, value in values.items():
            connection.exec_driver_sql(f"PRAGMA {name}={value}")
        connection.exec_driver_sql("BEGIN")


def add_catalog(
    database: Database,
    *,
    models: int = 12,
    prompts: int = 1000,
    categories: int = 12,
    track: str = TRACK,
) -> None:
    """Add a track, its entrants and prompts, and a clip row, without a file, of every pair."""
    settings = {
        **{"name": track, "modality": "text-to-video", "audio": False},
        **{"width": 64, "height": 64, "fps": 24, "frames": 24, "video_kbps": 300, "bytes": 80_000},
    }
    entries = [
        PromptEntry(
            id=f"p-{number:05}",
            text=f"Prompt {number}",
            categories=(f"category-{number % categories:02}",) if categories else (),
        )
        for number in range(prompts)
    ]
    with database.writing(until=time.monotonic() + PATIENCE_S) as session:
        add_track(session, TrackEntry.model_validate(settings), now=START)
        for number in range(models):
            entrant = {
                **{"slug": f"model-{number:03}", "name": f"Model {number:03}", "creator": "Labs"},
                **{"licence": "MIT", "tracks": (track,)},
                **{"backend": {"kind": "folder", "path": "/clips"}},
            }
            add_entrant(session, EntrantEntry.model_validate(entrant), now=START)
        import_prompts(session, entries, now=START)
        track_id = session.scalars(select(Track.id).where(Track.name == track)).one()
        entrants = session.scalars(select(Entrant.id).order_by(Entrant.id)).all()
        keys = session.scalars(select(Prompt.id).order_by(Prompt.id)).all()
        names = [(entrant, key, f"{track}/{entrant}/{key}") for entrant in entrants for key in keys]
        rows = [
            {
                **{"entrant_id": entrant, "track_id": track_id, "prompt_id": key, "seed": 0},
                **{"status": ClipStatus.READY, "created_at": START},
                **{"master_path": f"masters/{name}", "rendition_path": f"renditions/{name}"},
                "sha256": hashlib.sha256(name.encode()).hexdigest(),
            }
            for entrant, key, name in names
        ]
        session.execute(insert(Clip), rows)


def _batches(connection: Connection, track: str, voters: int) -> dict[str, Any]:
    """The values of all statements: a clip's id is `first_clip + entrant * prompts + prompt`."""
    number = connection.scalar(select(Track.id).where(Track.name == track))
    clips = select(
        func.min(Clip.id),
        func.count(Clip.entrant_id.distinct()),
        func.count(Clip.prompt_id.distinct()),
    ).where(Clip.track_id == number)
    first_clip, models, prompts = connection.execute(clips).one()
    return {
        **{"track": number, "first_clip": first_clip, "models": models, "prompts": prompts},
        "first": (connection.scalar(select(func.max(Battle.id))) or 0) + 1,
        "first_vote": (connection.scalar(select(func.max(Vote.id))) or 0) + 1,
        "first_voter": (connection.scalar(select(func.max(Voter.id))) or 0) + 1,
        **{"voters": voters, "now": START, "reasons": []},
    }


def _values(start: int, stop: int) -> dict[str, int]:
    return {"start": start, "last": stop - 1}


def _random(stream: int) -> str:
    """SQL of a number from 0 to `_PRIME - 1` that depends on the vote's number and the stream."""
    mixed = f"((i * {1_103_515_245 + 7_919 * stream} + {12_345 + 777_767 * stream}) % {_PRIME})"
    return f"(({mixed} * {mixed}) % {_PRIME})"


_NUMBERS = """
WITH RECURSIVE numbers(i) AS (
    SELECT CAST(:start AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < :last
)"""
# The square of a random share: the first voters cast many votes, most cast few.
_VOTER = f"CAST({_random(4)} % 10000 AS BIGINT) * ({_random(5)} % 10000) * :voters / 100000000"


def _statement(sql: str) -> Any:
    statement = text(sql)
    known = {"now": Time(), "reasons": JSON()}
    bound = [bindparam(name, type_=kind) for name, kind in known.items() if f":{name}" in sql]
    return statement.bindparams(*bound)


_VOTERS = _statement(f"""
INSERT INTO voter (id, key, kind, created_at)
{_NUMBERS}
SELECT i + :first_voter, 'many-' || (1000000000 + i + :first_voter), :kind, :now FROM numbers
""")
_BATTLES = _statement(f"""
INSERT INTO battle (id, token, track_id, prompt_id, voter_id, clip_a_id, clip_b_id, sampler,
    probability, state, issued_at, opened_at)
{_NUMBERS}, drawn AS (
    SELECT i, {_random(1)} % :models AS a, 1 + {_random(2)} % (:models - 1) AS step,
        {_random(3)} % :prompts AS prompt, {_VOTER} AS voter
    FROM numbers
)
SELECT i + :first, 'many-' || (1000000000 + i + :first), :track, clip.prompt_id,
    voter + :first_voter, clip.id,
    :first_clip + (a + step) % :models * :prompts + prompt, 'uniform',
    2.0 / :models / (:models - 1), 'answered', :now, :now
FROM drawn JOIN clip ON clip.id = :first_clip + a * :prompts + prompt
""")
_VOTES = _statement(f"""
INSERT INTO vote (id, battle_id, voter_id, choice, cast_at, receipt, first, decided_ms, reasons,
    picture_only, watch_checked)
{_NUMBERS}, drawn AS (
    SELECT i, {_random(6)} % 1000 AS chance, {_random(7)} % 2 AS first FROM numbers
), answered AS (
    SELECT i, chance, first, battle.id AS battle, battle.voter_id AS voter,
        (clip_b_id - clip_a_id) / :prompts * 300 / :models AS lead
    FROM drawn JOIN battle ON battle.id = i + :first
)
SELECT i + :first_vote, battle, voter,
    CASE WHEN chance >= 950 THEN 'tie' WHEN chance >= 900 THEN 'bad'
        WHEN chance < 450 + lead THEN 'a' ELSE 'b' END,
    :now, 'many-' || (1000000000 + battle), CASE first WHEN 0 THEN 'a' ELSE 'b' END, 1000,
    :reasons, false, true
FROM answered
""")
