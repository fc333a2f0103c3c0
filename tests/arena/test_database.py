"""Migrations work in both directions with data; other databases are refused."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from honey_copies import add_copies
from sqlalchemy import text

from alembic import command
from arena import database
from arena.database import Database, _configuration, _revisions
from arena.errors import ConfigurationError, DatabaseOutdated, DatabaseTooNew, StoreUnavailable
from small_arena import Booth

AS_IN_PRODUCTION = True  # for the fixture `_quick_sqlite`


def test_the_models_and_the_migrations_agree(arena_database: Database) -> None:
    command.check(_configuration(arena_database))


def test_the_revisions_read_from_the_files_are_those_of_alembic(arena_database: Database) -> None:
    script = ScriptDirectory.from_config(_configuration(arena_database))
    assert _revisions() == {step.revision: step.down_revision for step in script.walk_revisions()}
    assert database.head_revision() == script.get_current_head()


def test_migrations_go_up_down_and_up_again_with_data(booth: Booth) -> None:
    booth.vote("a")
    database.upgrade(booth.database)
    database.downgrade(booth.database, "base")
    assert database.current_revision(booth.database) is None
    database.upgrade(booth.database)
    database.check(booth.database)


def test_an_upgrade_keeps_the_votes(booth: Booth) -> None:
    booth.vote("a")
    database.downgrade(booth.database, "0001")
    with pytest.raises(DatabaseOutdated, match="arena db upgrade"):
        database.check(booth.database)
    database.upgrade(booth.database)
    with booth.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM vote")).scalar() == 1
        assert session.execute(text("SELECT count(*) FROM clip WHERE refused")).scalar() == 0


def test_a_downgrade_leaves_honey_pairs_unrated_and_unshown(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = add_copies(booth.database)
    monkeypatch.setattr("arena.voting.issuing.HONEY_SHARE", 1.0)
    for _ in range(6):
        booth.vote("a")

    def count(condition: str) -> int:
        with booth.database.reading() as session:
            query = f"SELECT count(*) FROM {condition}"  # noqa: S608
            return int(session.execute(text(query)).scalar_one())

    honey = "battle b ON b.id = v.battle_id WHERE b.sampler = 'honey'"
    assert count(f"vote v JOIN {honey}") == 3
    database.downgrade(booth.database, "0014")
    assert count(f"vote v JOIN {honey} AND v.picture_only") == 3
    assert count("battle WHERE sampler = 'honey' AND state IN ('open', 'ahead')") == 0
    assert count("withheld_clip") == len(copies)
    database.upgrade(booth.database)
    assert count("withheld_clip") == 0
    assert count("clip WHERE damage = 'blocks'") == len(copies)
    booth.vote("a")
    assert count(f"vote v JOIN {honey}") >= 3


def test_a_database_without_tables_needs_init(tmp_path: Path) -> None:
    with pytest.raises(DatabaseOutdated, match="arena init"):
        database.check(Database(f"sqlite:///{tmp_path / 'new.sqlite'}"))


def test_a_newer_database_is_refused_and_unchanged(arena_database: Database) -> None:
    with arena_database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (database.check, database.upgrade):
        with pytest.raises(DatabaseTooNew, match="9999"):
            act(arena_database)
    assert database.current_revision(arena_database) == "9999"


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "arena.sqlite").write_text("this is a poem, not a database" * 100)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        database.check(Database(f"sqlite:///{tmp_path / 'arena.sqlite'}"))


def test_an_unsupported_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ARENA_DATABASE_URL"):
        Database("carrier-pigeon://loft")


@pytest.mark.databases("sqlite")
def test_sqlite_is_durable_and_checks_foreign_keys(arena_database: Database) -> None:
    with arena_database.reading() as session:
        settings = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
