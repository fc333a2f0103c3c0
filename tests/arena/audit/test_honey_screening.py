"""Honey pairs hold the votes of voters who do not prefer clips to their own damaged copies."""

from datetime import timedelta
from pathlib import Path

import pytest
from honey_copies import add_copies
from screened_arena import LEFT_ONLY, VOTES, add_voters
from sqlalchemy import insert, update

from arena.audit.screening import VoterScreen
from arena.audit.voter_report import report_voters
from arena.audit.voter_votes import read_honey
from arena.catalog.tracks import find_track
from arena.database import Database
from arena.holds.decisions import list_events
from arena.models import Battle, Vote
from small_arena import START, TRACK, fill_small_arena, new_database

FIRST, SHOWN = 1_000_000, 12
CARELESS, FAILED = 3, 9


def identity(voter: int, turn: int) -> int:
    return FIRST + voter * 1000 + turn


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Every voter answers honey pairs: one fails most, and every second one fails one."""
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    add_voters(opened)
    ((copy, clip),) = add_copies(opened, prompts=("p-1",)).items()
    with opened.writing() as session:
        track = find_track(session, TRACK).id
        for voter in range(1, LEFT_ONLY + 1):
            fails = FAILED if voter == CARELESS else voter % 2
            for turn in range(SHOWN):
                copy_is_left = turn % 2 == 0
                number = identity(voter, turn)
                session.execute(
                    insert(Battle).values(
                        id=number,
                        token=f"t{number}",
                        track_id=track,
                        prompt_id="p-1",
                        voter_id=voter,
                        clip_a_id=copy if copy_is_left else clip,
                        clip_b_id=clip if copy_is_left else copy,
                        sampler="honey",
                        probability=1.0,
                        state="answered",
                        issued_at=START,
                    )
                )
                session.execute(
                    insert(Vote).values(
                        id=number,
                        battle_id=number,
                        voter_id=voter,
                        choice="b" if copy_is_left == (turn >= fails) else "a",
                        cast_at=START,
                        receipt=f"r{number}",
                        decided_ms=3000,
                        reasons=[],
                    )
                )
    return opened


def test_a_voter_who_does_not_reject_damaged_copies_is_held(database: Database) -> None:
    VoterScreen(database, seed=1).run(now=START + timedelta(hours=1))
    with database.reading() as session:
        events = [each for each in list_events(session) if each.voter_id == CARELESS]
        assert {each.event.rule for each in events} == {"honey"}
        assert len(events) == VOTES  # the honey pairs themselves never count
        report = report_voters(session, [find_track(session, TRACK)])
    assert {row[1]: row[-1] for row in report.voters}[CARELESS] == f"{FAILED} of {SHOWN}"
    database.dispose()


def test_skips_and_both_bad_say_nothing_about_care(database: Database) -> None:
    with database.writing() as session:
        for turn, choice in enumerate(("skip", "bad", "tie")):
            changed = update(Vote).where(Vote.id == identity(CARELESS, turn))
            session.execute(changed.values(choice=choice))
    with database.reading() as session:
        results = read_honey(session, find_track(session, TRACK).id, [CARELESS, 4])
    # A tie does not reject the copy.
    assert (results.failed[CARELESS], results.shown[CARELESS]) == (FAILED - 2, SHOWN - 2)
    assert (results.failed[4], results.shown[4]) == (0, SHOWN)
    database.dispose()
