"""What SQLite and PostgreSQL do by different rules is the same in the arena."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text

from arena import database
from arena.catalog.entrants import find_entrant
from arena.catalog.prompts import find_prompt, import_prompts, list_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.errors import CatalogError, NotFound
from arena.models import Base, Clip, Prompt, Voter
from arena.production.entrants import read_entrant_file
from arena.standings.standings import known_categories
from arena.voting.schemas import BrokenForm
from postgres_server import PostgresServer
from small_arena import START, Booth, fill_small_arena, stored_track

AS_IN_PRODUCTION = True  # for the fixture `_quick_sqlite`

WORDS = ("a b", "a-b", "ab", "B", "Z", "_", "a", "z", "É", "é", "ß", "ё", "猫", "🐎", "10", "9")


@pytest.fixture
def with_english_rules(postgres: PostgresServer) -> Iterator[Database]:
    """A database whose own order is that of English dictionaries."""
    name = "english"
    postgres.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    )
    opened = Database(postgres.url(name))
    database.upgrade(opened)
    fill_small_arena(opened)
    yield opened
    opened.dispose()
    postgres.drop_database(name)


def check_order(opened: Database) -> None:
    with opened.writing() as session:
        entries = [
            PromptEntry(id=f"{letter}{number}", text="a ball", categories=(word,))
            for number, word in enumerate(WORDS)
            for letter in "zA"
        ]
        import_prompts(session, entries, now=START)
    with opened.reading() as session:
        assert known_categories(session, stored_track(opened))[1:] == sorted({*WORDS, "even"})
        ids = [prompt.id for prompt in list_prompts(session)]
    assert ids == sorted(ids)


def test_texts_sort_by_their_code_points(arena_database: Database) -> None:
    check_order(arena_database)


def test_texts_sort_alike_whatever_the_rules_of_the_database(with_english_rules: Database) -> None:
    check_order(with_english_rules)


@pytest.mark.databases("postgresql")
def test_every_column_has_the_order_and_the_json_of_the_arena(arena_database: Database) -> None:
    with arena_database.reading() as session:
        columns = session.execute(
            text(
                "SELECT table_name, column_name, data_type, collation_name "
                "FROM information_schema.columns WHERE table_schema = 'public'"
            )
        ).all()
    enums = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if hasattr(column.type, "enum_class")
    }
    for table, column, kind, collation in columns:
        assert kind not in ("json", "timestamp without time zone"), (table, column)
        if kind == "character varying" and (table, column) not in enums:
            assert collation == "C", (table, column)


@pytest.mark.parametrize("name", ["no\x00where", "\x00"])
def test_nothing_has_a_name_with_a_nul_character(arena_database: Database, name: str) -> None:
    for find in (find_track, find_prompt, find_entrant):
        with pytest.raises(NotFound), arena_database.reading() as session:
            find(session, name)


def test_nothing_has_a_number_beyond_the_range(arena_database: Database) -> None:
    for number in (2**31, 2**63, 10**30):
        with pytest.raises(NotFound, match="number"), arena_database.reading() as session:
            if session.get(Clip, number) is None:  # within the range of SQLite
                raise NotFound("no clip has this number")


def test_an_entrant_with_a_nul_character_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "entrant.toml"
    path.write_text(
        'name = "Elm"\ncreator = "Labs"\nlicence = "MIT"\ntracks = ["text-to-video"]\n'
        '[backend]\nkind = "folder"\npath = "a\\u0000b"\n'
    )
    with pytest.raises(CatalogError, match="backend is wrong"):
        read_entrant_file(path)


def test_a_report_keeps_what_can_be_stored() -> None:
    form = BrokenForm.model_validate_json('{"side": "a", "reason": "no\\u0000 picture"}')
    assert form.reason == "no\ufffd picture"


def test_json_has_no_numbers_and_characters_that_one_database_refuses(
    arena_database: Database,
) -> None:
    with arena_database.writing() as session:
        clip = session.get_one(Clip, 1)
        clip.measures = {"quality": math.nan, "speed": [math.inf, 1.5], "a\x00": "b\x00", "é": "🐎"}
    with arena_database.reading() as session:
        stored = session.get_one(Clip, 1).measures
    expected = {"quality": None, "speed": [None, 1.5], "a\ufffd": "b\ufffd", "é": "🐎"}
    assert stored == expected


def test_times_are_those_that_were_stored_in_any_time_zone(arena_database: Database) -> None:
    far = datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=5.75)))
    with arena_database.writing() as session:
        if not arena_database.is_sqlite:
            session.execute(text("SET LOCAL TIME ZONE 'America/St_Johns'"))
        session.add(Voter(key="f" * 32, kind="person", created_at=far))
        session.flush()
        session.expire_all()
        stored = session.scalars(select(Voter.created_at)).one()
        assert stored == far
        assert stored.utcoffset() == timedelta(0)
        assert session.scalar(select(Voter.id).where(Voter.created_at == far)) is not None
        assert session.scalar(select(Voter.id).where(Voter.created_at > far)) is None


@pytest.mark.databases("postgresql")
def test_a_vote_may_have_an_id_beyond_32_bits(booth: Booth) -> None:
    with booth.database.writing() as session:
        for table in ("voter", "battle", "vote"):
            session.execute(text(f"SELECT setval('{table}_id_seq', 3000000000)"))
    receipt = booth.vote("a").receipt
    with booth.database.reading() as session:
        assert session.execute(text("SELECT id, receipt FROM vote")).one() == (3000000001, receipt)


def test_the_order_of_prompts_does_not_depend_on_what_changed_last(
    arena_database: Database,
) -> None:
    with arena_database.writing() as session:
        session.get_one(Prompt, "p-1").source = "changed"
        session.flush()
    with arena_database.reading() as session:
        track = list_tracks(session)[0]
        assert [prompt.id for prompt in track.prompts] == ["p-1", "p-2", "p-3", "p-4"]
        assert [entrant.id for entrant in track.entrants] == [1, 2, 3]
