"""Whatever is changed in a database after it was sealed is found, and the vote is named."""

import random
import shutil
from pathlib import Path

import pytest
from released_arena import let_people_vote, let_simulated_voters_vote
from sealed_arena import seal, tamper
from sqlalchemy import text

from arena.audit.database_check import audit_seals
from arena.database import Database
from small_arena import fill_small_arena, new_database

pytestmark = pytest.mark.databases("sqlite")
ROUNDS = 40


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    opened = new_database(folder)
    fill_small_arena(opened)
    seal(opened)
    let_people_vote(opened, people=4)
    let_simulated_voters_vote(opened, 150)
    seal(opened)
    let_people_vote(opened, people=2, days_later=1)
    seal(opened)
    opened.dispose()
    with opened.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    opened.dispose()
    return folder / "arena.sqlite"


@pytest.fixture
def database(pristine: Path, tmp_path: Path) -> Database:
    shutil.copyfile(pristine, tmp_path / "arena.sqlite")
    return Database(f"sqlite:///{tmp_path / 'arena.sqlite'}")


def votes_of(database: Database) -> list[int]:
    with database.engine.connect() as connection:
        return list(connection.execute(text("SELECT id FROM vote ORDER BY id")).scalars())


def named(database: Database) -> set[int]:
    """The votes that the audit names; every sentence names one."""
    faults = audit_seals(database).faults
    assert all(fault.startswith("Vote ") for fault in faults), faults
    return {int(fault.split()[1]) for fault in faults}


def test_an_unchanged_database_has_no_fault(database: Database) -> None:
    found = audit_seals(database)
    assert found.faults == ()
    assert (found.seals, found.votes, found.unsealed) == (3, len(votes_of(database)), 0)
    assert audit_seals(database, key=found.fingerprint).is_pinned
    assert audit_seals(database, key="0" * 64).faults == (
        f"The seals are not signed by the key {'0' * 64}.",
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vote SET choice = CASE choice WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = :id",
        "UPDATE vote SET cast_at = datetime(cast_at, '+1 second') WHERE id = :id",
        "DELETE FROM vote WHERE id = :id",
        "UPDATE battle SET clip_a_id = clip_b_id, clip_b_id = clip_a_id "
        "WHERE id = (SELECT battle_id FROM vote WHERE id = :id)",
        "UPDATE battle SET clip_a_id = (SELECT max(id) FROM clip c WHERE c.id NOT IN "
        "(clip_a_id, clip_b_id)) WHERE id = (SELECT battle_id FROM vote WHERE id = :id)",
    ],
)
def test_any_one_vote_that_was_changed_or_removed_is_named(database: Database, change: str) -> None:
    rng = random.Random(0)
    ids = votes_of(database)
    for vote_id in rng.sample(ids, 8):
        # Each change stays: earlier ones do not hide later ones.
        before = named(database)
        tamper(database, change, values=[{"id": vote_id}])
        assert named(database) == before | {vote_id}


def test_any_set_of_changes_is_named(database: Database) -> None:
    rng = random.Random(1)
    ids = votes_of(database)
    changed = set(rng.sample(ids, 25))
    removed = set(rng.sample(sorted(changed), 9))
    for vote_id in changed - removed:
        tamper(
            database,
            "UPDATE vote SET choice = CASE choice WHEN 'tie' THEN 'bad' ELSE 'tie' END "
            "WHERE id = :id",
            values=[{"id": vote_id}],
        )
    for vote_id in removed:
        tamper(database, "DELETE FROM vote WHERE id = :id", values=[{"id": vote_id}])
    assert named(database) == changed


def test_votes_that_change_places_are_named(database: Database) -> None:
    rng = random.Random(2)
    ids = votes_of(database)
    for _ in range(4):
        first, second = rng.sample(ids, 2)
        before = named(database)
        tamper(
            database,
            "UPDATE vote SET id = -1 WHERE id = :first",
            "UPDATE vote SET id = :first WHERE id = :second",
            "UPDATE vote SET id = :second WHERE id = -1",
            values=[{"first": first}, {"first": first, "second": second}, {"second": second}],
        )
        assert named(database) >= before | {first, second}


def test_a_vote_that_was_added_below_the_watermark_is_named(database: Database) -> None:
    vote_id = votes_of(database)[40]
    tamper(database, "DELETE FROM vote WHERE id = :id", values=[{"id": vote_id}])
    tamper(
        database,
        "INSERT INTO vote (id, battle_id, voter_id, choice, cast_at, receipt, decided_ms, reasons,"
        " picture_only) SELECT 0, max(id) + 1000, min(voter_id), 'a', max(issued_at), 'added', 1,"
        " '[]', 0 FROM battle",
    )
    # Numbers below all others and a number that was free: both are below the watermark.
    tamper(database, "UPDATE vote SET id = :id WHERE id = 0", values=[{"id": vote_id}])
    tamper(
        database,
        "UPDATE vote SET battle_id = (SELECT id FROM battle WHERE id NOT IN (SELECT battle_id "
        "FROM vote) LIMIT 1) WHERE id = :id",
        values=[{"id": vote_id}],
    )
    assert named(database) == {vote_id}


def test_stored_hashes_that_were_changed_are_told_apart_from_votes(database: Database) -> None:
    tamper(database, "UPDATE seal_tile SET hashes = zeroblob(length(hashes)) WHERE level = 0")
    faults = audit_seals(database).faults
    assert faults
    assert all("the votes are as they were sealed" in fault for fault in faults)


def test_a_vote_changed_together_with_its_stored_hash_is_placed_in_its_seal(
    database: Database,
) -> None:
    from arena.audit.leaves import hash_of_vote, read_clip_names, read_votes

    vote_id = votes_of(database)[30]
    tamper(
        database,
        "UPDATE vote SET choice = CASE choice WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = :id",
        values=[{"id": vote_id}],
    )
    with database.reading() as session:
        (vote,) = read_votes(session, ids=[vote_id])
        clips: dict[int, object] = {}
        read_clip_names(session, clips, [vote.clip_a, vote.clip_b])  # type: ignore[arg-type]
        forged = hash_of_vote(vote, clips)  # type: ignore[arg-type]
        (hashes,) = session.execute(
            text("SELECT hashes FROM seal_tile WHERE level = 0 AND number = 0")
        ).one()
    at = 32 * 30
    tamper(
        database,
        "UPDATE seal_tile SET hashes = :hashes WHERE level = 0 AND number = 0",
        values=[{"hashes": hashes[:at] + forged + hashes[at + 32 :]}],
    )
    faults = audit_seals(database).faults
    assert any("seal 1" in fault and "was changed" in fault for fault in faults)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE clip SET sha256 = '00' WHERE id = 3", "Clip 3 is another file"),
        ("UPDATE seal SET payload = replace(payload, '\"late\":[]', '\"late\":[\"1\"]') WHERE "
         "number = 1", "Seal 1 does not have a valid signature"),
        ("DELETE FROM seal WHERE number = 1", "Seal 1 does not follow the one before it"),
        ("DELETE FROM seal_key", "There is no key"),
        ("DELETE FROM seal", "There is no seal"),
    ],
)  # fmt: skip
def test_everything_else_that_is_sealed_is_checked_too(
    database: Database, change: str, fault: str
) -> None:
    tamper(database, change)
    assert any(fault in each for each in audit_seals(database).faults)
