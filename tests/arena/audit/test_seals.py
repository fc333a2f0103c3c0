"""Votes are sealed in an order that never changes, and proofs lead from a vote to a signed root."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from released_arena import let_people_vote, let_simulated_voters_vote
from sealed_arena import seal, signer_of, tamper
from sqlalchemy import event, func, select, text

from arena.audit import proofs, seals
from arena.audit.chain import ChainError, check_chain
from arena.audit.job import SealJob
from arena.audit.keys import list_keys, open_signer
from arena.audit.merkle import WIDTH, is_consistent, root_from_inclusion
from arena.context import Arena
from arena.database import Database
from arena.media import open_store
from arena.models import Seal, Vote
from playable import settings_for
from small_arena import START, Booth, fill_small_arena, new_database

LATER = START + timedelta(days=2)


def newest(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.max(Vote.id))) or 0


@pytest.fixture(scope="module")
def sealed(shared_database: Database) -> Database:
    """Three seals: the first of nothing, the others over a few hundred votes each."""
    seal(shared_database)
    let_people_vote(shared_database)
    let_simulated_voters_vote(shared_database, 200)
    seal(shared_database, now=LATER)
    let_people_vote(shared_database, people=2, days_later=1)
    seal(shared_database, now=LATER)
    return shared_database


def test_the_chain_begins_with_a_seal_of_nothing_and_covers_every_vote(sealed: Database) -> None:
    with sealed.reading() as session:
        chain = check_chain(list_keys(session), proofs.published_seals(session))
        votes = session.scalar(select(func.count()).select_from(Vote))
    first, *_, last = chain.seals
    assert (first.number, first.size, first.previous) == (0, 0, "0" * 64)
    assert last.size == votes
    assert int(last.watermark) == newest(sealed)
    assert chain.fingerprints == (signer_of(sealed).fingerprint,)


def test_nothing_new_makes_no_seal(sealed: Database) -> None:
    assert seal(sealed, now=LATER) == []


def test_votes_that_are_cast_while_sealing_wait_for_the_next_seal(tmp_path: Path) -> None:
    """Otherwise sealing would never end while people vote, with a seal of a few votes each."""
    database = new_database(tmp_path)
    fill_small_arena(database)
    booths = (Booth(database, key=f"{number:032x}") for number in range(10))
    next(booths).vote("a")

    def cast_another() -> None:
        next(booths).vote("b")

    signer = signer_of(database)
    (made,) = seals.make_seals(database, signer, now=LATER, pause=cast_another)
    assert made.watermark < newest(database)
    assert seal(database, now=LATER)[-1].watermark == newest(database)
    database.dispose()


def test_every_vote_is_proved_to_be_in_its_seal(sealed: Database) -> None:
    with sealed.reading() as session:
        ids = list(session.scalars(select(Vote.id).order_by(Vote.id)))
        stored = {each.number: each for each in session.scalars(select(Seal))}
        for position, vote_id in enumerate(ids):
            found = proofs.find_inclusion(session, vote_id)
            assert found is not None
            assert found.index == position
            assert found.root.hex() == proofs.root_of_seal(stored[found.seal])
            root = root_from_inclusion(found.leaf, found.index, found.size, found.path)
            assert root == found.root
            assert stored[found.seal - 1].size <= position < stored[found.seal].size
        assert proofs.find_inclusion(session, ids[-1] + 1) is None


def test_a_proof_takes_three_queries_whatever_the_number_of_votes(sealed: Database) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    with sealed.reading() as session:
        ids = list(session.scalars(select(Vote.id).order_by(Vote.id)))
        event.listen(sealed.engine, "before_cursor_execute", note)
        proofs.find_inclusion(session, ids[0])
        event.remove(sealed.engine, "before_cursor_execute", note)
    assert len(ids) > WIDTH  # so that tiles of two levels are read
    assert len(statements) == 3


def test_any_two_seals_are_consistent(sealed: Database) -> None:
    with sealed.reading() as session:
        stored = list(session.scalars(select(Seal).order_by(Seal.number)))
        for first in stored:
            for second in stored[first.number :]:
                path = proofs.prove_consistency(session, first, second)
                roots = [bytes.fromhex(proofs.root_of_seal(each)) for each in (first, second)]
                assert is_consistent(first.size, roots[0], second.size, roots[1], path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("size", 3), ("root", "0" * 64), ("watermark", "7"), ("previous", "1" * 64), ("late", ["5"])],
)
def test_a_seal_that_was_changed_is_named(sealed: Database, key: str, value: object) -> None:
    with sealed.reading() as session:
        keys, published = list_keys(session), proofs.published_seals(session)
    published[1]["payload"][key] = value
    with pytest.raises(ChainError, match="seal 1"):
        check_chain(keys, published)


def test_a_chain_without_one_of_its_seals_is_refused(sealed: Database) -> None:
    with sealed.reading() as session:
        keys, published = list_keys(session), proofs.published_seals(session)
    for number in range(len(published) - 1):
        shorter = published[:number] + published[number + 1 :]
        with pytest.raises(ChainError, match=f"seal {number} does not follow"):
            check_chain(keys, shorter)


def test_leaderboards_of_past_days_are_sealed_once(arena_database: Database) -> None:
    from arena.models import VoterKind
    from arena.standings import standings
    from small_arena import TRACK

    let_people_vote(arena_database, people=2)
    standings.leaderboard(arena_database, track_name=TRACK, voters=VoterKind.PERSON, now=START)
    entries = [
        each
        for later in (START, LATER, LATER)
        for made in seal(arena_database, now=later)
        for each in seals.read_payload(made.payload)["standings"]
    ]
    assert [(each["day"], each["track"]) for each in entries] == [("2026-11-23", TRACK)]


@pytest.mark.databases("postgresql")
def test_votes_after_a_missing_number_wait_a_minute_for_it(arena_database: Database) -> None:
    booth = Booth(arena_database)
    booth.vote("a")
    with arena_database.writing() as session:  # as a transaction that was rolled back
        session.execute(text("SELECT nextval(pg_get_serial_sequence('vote', 'id'))"))
    booth.vote("b")
    first = newest(arena_database) - 2
    (early,) = seal(arena_database, now=booth.now)
    assert early.watermark == first
    assert seal(arena_database, now=booth.now + timedelta(seconds=30)) == []
    (later,) = seal(arena_database, now=booth.now + timedelta(seconds=90))
    assert later.watermark == newest(arena_database)


@pytest.mark.databases("postgresql")
def test_a_vote_that_is_committed_later_still_is_sealed_as_late(arena_database: Database) -> None:
    from arena.audit.database_check import audit_seals

    booth = Booth(arena_database)
    for choice in ("a", "b", "tie"):
        booth.vote(choice)
    last = newest(arena_database)
    tamper(
        arena_database,
        "CREATE TABLE moved AS SELECT * FROM vote WHERE id = :id",
        "DELETE FROM vote WHERE id = :id",
        values=[{"id": last - 1}] * 2,
    )
    seal(arena_database, now=booth.now, up_to=last)
    tamper(arena_database, "INSERT INTO vote SELECT * FROM moved", "DROP TABLE moved")
    booth.vote("a")
    (made,) = seal(arena_database, now=booth.now)
    assert proofs.late_numbers(made) == [last - 1]
    assert seal(arena_database, now=booth.now) == []
    with arena_database.reading() as session:
        for vote_id in (last - 1, last, newest(arena_database)):
            found = proofs.find_inclusion(session, vote_id)
            assert found is not None
            root = root_from_inclusion(found.leaf, found.index, found.size, found.path)
            assert root == found.root
    assert audit_seals(arena_database).faults == ()


def test_two_processes_that_seal_at_once_make_one_chain(arena_database: Database) -> None:
    from threading import Thread

    let_people_vote(arena_database, people=2)
    signer_of(arena_database)
    threads = [Thread(target=seal, args=(arena_database,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with arena_database.reading() as session:
        chain = check_chain(list_keys(session), proofs.published_seals(session))
        assert chain.seals[-1].size == session.scalar(select(func.count()).select_from(Vote))


def test_a_machine_without_the_key_leaves_sealing_to_one_that_has_it(tmp_path: Path) -> None:
    """Otherwise nothing would be sealed for as long as it has the lease."""
    database = new_database(tmp_path)
    homes = [tmp_path / "without", tmp_path / "with"]
    for home in homes:
        home.mkdir()
    open_signer(homes[1], database, now=START)
    without, having = (
        SealJob(Arena(settings_for(home), database, open_store(str(home)))) for home in homes
    )
    assert not without.run_once()
    assert having.run_once()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Seal)) == 1
    database.dispose()


def test_a_large_backlog_is_sealed_in_parts(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_people_vote(arena_database, people=3)
    monkeypatch.setattr(seals, "MAX_VOTES", 7)
    made = seal(arena_database)
    assert [each.size for each in made[:3]] == [7, 14, 21]
    assert made[-1].watermark == newest(arena_database)
