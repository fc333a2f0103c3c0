"""A database is copied in both directions, with all kinds of values, completely or not at all."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from typer.testing import CliRunner

from arena import database, database_copy
from arena.commands.cli import app
from arena.database import Database
from arena.database_copy import CopiedTable, copy_database, count_rows
from arena.errors import ConfigurationError, DatabaseError
from arena.models import Base, Clip, Entrant, Prompt, Snapshot, Track, Vote, VoterKind
from postgres_server import PostgresServer
from small_arena import Booth

AS_IN_PRODUCTION = True  # for the fixture `_quick_sqlite`

ODD = "Ünïcode 🐎 \u202fوثيقة ' \" \\ %s %(x)s ${y}"


@pytest.fixture
def other(database_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of the other kind."""
    if database_name == "postgresql":
        opened = Database(f"sqlite:///{tmp_path / 'copy.sqlite'}")
        yield opened
        opened.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    opened = Database(server.url(name))
    yield opened
    opened.dispose()
    server.drop_database(name)


def copy(source: Database, target: Database) -> list[CopiedTable]:
    steps: list[int] = []
    copied = copy_database(source, target, on_rows=steps.append)
    assert sum(steps) == sum(each.rows for each in copied) == count_rows(source)
    return copied


def rows_of(opened: Database) -> dict[str, list[Any]]:
    with opened.reading() as session:
        return {
            table.name: [
                tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in database_copy.tables()
        }


def add_odd_values(opened: Database) -> None:
    with opened.writing() as session:
        track = session.get_one(Track, 1)
        track.bytes = 3_999_999_999  # more than 32 bits
        prompt = session.get_one(Prompt, "p-1")
        prompt.text, prompt.source = f"{ODD}\nsecond line\ttab", ""
        entrant = session.get_one(Entrant, 1)
        entrant.creator, entrant.release_date = ODD, date(1999, 12, 31)
        entrant.price_usd_per_minute = 0.1 + 0.2
        entrant.backend = {"nested": {"list": [1, 2.5, None, True, ODD]}, "": {}}
        far = datetime(2031, 7, 1, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-9.5)))
        entrant.retired_at = far
        session.get_one(Clip, 1).provenance = {
            "tiny": 1e-300,
            "huge": 1e22,
            "whole": 1e16,
            "n": -0.0,
        }
        session.get_one(Clip, 2).provenance = None
        session.execute(
            insert(Snapshot),
            [
                {
                    **{"id": 7, "track_id": 1, "category": "overall", "voters": VoterKind.PERSON},
                    **{"published_on": date(2026, 1, 2), "computed_at": far, "votes": 3},
                    **{"watermark": 2**40, "parameters": {"seconds": 0.25}},
                }
            ],
        )
        session.execute(text("UPDATE clip SET measures = NULL WHERE id = 3"))
        session.execute(text("UPDATE clip SET measures = 'null' WHERE id = 4"))


def test_every_row_is_copied_with_its_id_whatever_it_contains(
    booth: Booth, other: Database
) -> None:
    booth.vote("a")
    booth.vote("skip")
    add_odd_values(booth.database)
    before = rows_of(booth.database)
    copied = copy(booth.database, other)
    database.check(other)
    assert rows_of(other) == before == rows_of(booth.database)
    counts = {each.name: each.rows for each in copied}
    assert counts["vote"] == 2
    assert counts["clip"] == 24
    assert all(len(each.sha256) == 64 for each in copied)
    with other.reading() as session:
        nulls = session.execute(
            text("SELECT id FROM clip WHERE measures IS NULL ORDER BY id")
        ).scalars()
        assert list(nulls) == [3], "no value, and the JSON value null, stay what they are"


def test_there_and_back_again_is_the_same_database(
    booth: Booth, other: Database, tmp_path: Path
) -> None:
    booth.vote("b")
    add_odd_values(booth.database)
    there = copy(booth.database, other)
    last = Database(f"sqlite:///{tmp_path / 'last.sqlite'}")
    back = copy(other, last)
    last.dispose()
    assert back == there


def test_voting_goes_on_in_the_copy_with_new_ids(booth: Booth, other: Database) -> None:
    receipt = booth.vote("a").receipt
    copy(booth.database, other)
    continued = Booth(other)
    continued.now = booth.now
    assert continued.vote("b").receipt != receipt
    with other.reading() as session:
        ids = list(session.scalars(select(Vote.id).order_by(Vote.id)))
    assert ids == sorted(set(ids))
    assert len(ids) == 2
    new_key = Booth(other, key="b" * 32)
    new_key.now = booth.now
    new_key.vote("tie")


def test_a_target_that_has_rows_is_refused_and_unchanged(booth: Booth, other: Database) -> None:
    copy(booth.database, other)
    before = rows_of(other)
    booth.vote("a")
    with pytest.raises(DatabaseError, match=r"has rows already .* choose an empty database"):
        copy(booth.database, other)
    assert rows_of(other) == before


def test_a_target_with_tables_of_another_program_is_refused(
    arena_database: Database, other: Database
) -> None:
    with other.engine.connect() as connection:
        connection.execute(text("CREATE TABLE poems (id INTEGER)"))
        connection.commit()
    with pytest.raises(DatabaseError, match=r"another program \(poems\)"):
        copy(arena_database, other)


def test_a_database_is_not_copied_onto_itself(arena_database: Database) -> None:
    again = Database(arena_database.engine.url.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match="choose another"):
        copy(arena_database, again)
    again.dispose()


def test_an_interrupted_copy_leaves_the_target_empty_and_can_be_repeated(
    booth: Booth, other: Database
) -> None:
    booth.vote("a")
    before = rows_of(booth.database)

    def stop(_rows: int, done: list[int] = []) -> None:  # noqa: B006
        done.append(_rows)
        if len(done) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(booth.database, other, on_rows=stop)
    assert not any(
        rows for name, rows in rows_of(other).items() if name not in database_copy.SEEDED
    )
    assert rows_of(booth.database) == before
    copy(booth.database, other)
    assert rows_of(other) == before


def test_a_copy_that_differs_is_not_kept(
    arena_database: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: object, table: Any) -> CopiedTable:
        return CopiedTable(table.name, 0, "")

    monkeypatch.setattr(database_copy, "_read_back", broken)
    with pytest.raises(DatabaseError, match=r"differs .* nothing was copied"):
        copy(arena_database, other)
    assert not rows_of(other)["track"]


@pytest.mark.databases("sqlite")
def test_a_text_that_postgresql_cannot_store_is_named(
    arena_database: Database, other: Database
) -> None:
    with arena_database.writing() as session:
        session.execute(text("UPDATE prompt SET text = 'a' || char(0) WHERE id = 'p-2'"))
    with pytest.raises(DatabaseError, match=r"row 'p-2' of the table prompt .* U\+0000 .* text"):
        copy(arena_database, other)
    assert not rows_of(other)["track"]


@pytest.mark.databases("sqlite")
def test_a_text_that_is_too_long_for_postgresql_is_named(
    arena_database: Database, other: Database
) -> None:
    with arena_database.writing() as session:
        session.execute(text("UPDATE entrant SET licence = :text"), {"text": "x" * 300})
    with pytest.raises(DatabaseError, match=r"rows of the table entrant .*too long"):
        copy(arena_database, other)


@pytest.mark.databases("sqlite")
def test_numbers_that_json_does_not_have_become_null(
    arena_database: Database, other: Database
) -> None:
    with arena_database.writing() as session:
        session.execute(text("UPDATE clip SET measures = '{\"quality\": NaN}' WHERE id = 1"))
    copy(arena_database, other)
    with other.reading() as session:
        assert session.get_one(Clip, 1).measures == {"quality": None}


def test_every_table_is_copied_or_named_as_one_that_is_not() -> None:
    names = {table.name for table in database_copy.tables()}
    assert names | database_copy.NOT_COPIED >= set(Base.metadata.tables)


def test_the_command_prints_counts_and_checksums_and_what_to_do_next(
    booth: Booth, other: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    booth.vote("a")
    source, target = (
        opened.engine.url.render_as_string(hide_password=False)
        for opened in (booth.database, other)
    )
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setenv("ARENA_DATABASE_URL", source)
    done = CliRunner().invoke(app, ["db", "copy", target])
    assert done.exit_code == 0, done.output
    assert re.search(r"^vote +1 +[0-9a-f]{64}$", done.output, re.MULTILINE)
    assert "Next: set ARENA_DATABASE_URL" in done.output
    again = CliRunner().invoke(app, ["db", "copy", target])
    assert isinstance(again.exception, DatabaseError)
    refused = CliRunner().invoke(app, ["db", "copy", "oracle://user:s3cret@host/name"])
    assert isinstance(refused.exception, ConfigurationError)
    assert str(refused.exception).startswith("TARGET_URL is not of a supported database")
    assert "s3cret" not in str(refused.exception)
