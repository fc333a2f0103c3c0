"""Whatever is changed in a sealed ledger of holds is found, and the event is named."""

import pytest
from sealed_arena import seal, tamper

from arena.audit.database_check import audit_seals
from arena.database import Database
from arena.holds.decisions import Selection, hold_votes, release_votes
from small_arena import START, Booth

pytestmark = pytest.mark.databases("sqlite")
HASH = "0" * 64
NEW = (
    "INSERT INTO hold_event (number, vote_id, kind, rule, version, reason, author, at, sha256) "
    "VALUES (0, 1, 'hold', 'operator', 1, 'Added.', 'somebody', '2026-11-23', '0')"
)


@pytest.fixture
def ledger(booth: Booth) -> Database:
    """Events 1 to 3 in the first seal, 4 and 5 in the second."""
    for _ in range(4):
        booth.vote("a")
    for votes in ((1, 2, 3), (4,)):
        for vote in votes:
            with booth.database.writing() as session:
                hold_votes(session, Selection(vote_id=vote), reason="By hand.", now=START)
        if votes == (4,):
            with booth.database.writing() as session:
                release_votes(session, Selection(vote_id=2), reason="Checked.", now=START)
        (made,) = seal(booth.database)
    assert '"events":5' in made.payload
    return booth.database


def test_an_unchanged_ledger_has_no_fault_and_no_event_makes_no_seal(ledger: Database) -> None:
    assert audit_seals(ledger).faults == ()
    assert seal(ledger) == []


def test_events_after_the_last_seal_are_not_faults(ledger: Database) -> None:
    with ledger.writing() as session:
        hold_votes(session, Selection(vote_id=2), reason="Again.", now=START)
    assert audit_seals(ledger).faults == ()
    assert len(seal(ledger)) == 1


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["UPDATE hold_event SET reason = 'Other.' WHERE number = 2"], ["Hold event 2 (vote 2)"]),
        (["UPDATE hold_event SET kind = 'release' WHERE number = 5"], []),
        (["UPDATE hold_event SET kind = 'hold' WHERE number = 5"], ["Hold event 5 (vote 2)"]),
        (["UPDATE hold_event SET vote_id = 4 WHERE number = 1"], ["Hold event 1 (vote 4)"]),
        (["DELETE FROM hold_event WHERE number = 3"], ["Hold event 3"]),
        (["DELETE FROM hold_event WHERE number = 5"], ["Hold event 5"]),
        ([NEW], ["Hold event 0 (vote 1)"]),
        (
            [
                "UPDATE hold_event SET number = 99 WHERE number = 1",
                "UPDATE hold_event SET number = 1 WHERE number = 2",
                "UPDATE hold_event SET number = 2 WHERE number = 99",
            ],
            ["Hold event 1 (vote 2)", "Hold event 2 (vote 1)"],
        ),
    ],
)
def test_a_changed_dropped_added_or_reordered_event_is_named(
    ledger: Database, statements: list[str], named: list[str]
) -> None:
    tamper(ledger, *statements)
    faults = audit_seals(ledger).faults
    assert len(faults) == len(named)
    for fault, start in zip(faults, named, strict=True):
        assert fault.startswith(start)


def test_an_event_changed_together_with_its_hash_breaks_the_chain(ledger: Database) -> None:
    tamper(
        ledger,
        f"UPDATE hold_event SET sha256 = '{HASH}' WHERE number = 4",  # noqa: S608
    )
    faults = audit_seals(ledger).faults
    assert any("event 4 (vote 4)" in fault for fault in faults)
