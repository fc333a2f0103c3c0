"""Rules hold the votes of flagged voters, release them, and respect what a person decided."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from arena.audit.hold_job import HoldJob
from arena.audit.screening import VoterScreen
from arena.catalog.catalog import find_track
from arena.database import Database
from arena.holds.decisions import Selection, list_events, release_votes
from arena.holds.status import judge_votes
from arena.models import Battle, Clip, Vote, Voter, VoterKind, VoteStatus
from small_arena import START, TRACK, fill_small_arena, new_database

VOTERS, VOTES = 12, 40
LEFT_ONLY = VOTERS + 1  # the number of a voter who always votes for the left side


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Honest voters who mostly prefer the first entrant, and one who always chooses the left."""
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    rng = random.Random(1)
    with opened.writing() as session:
        track = find_track(session, TRACK)
        clips = session.scalars(
            select(Clip).where(Clip.track_id == track.id, Clip.prompt_id == "p-1")
        ).all()
        for number in range(1, LEFT_ONLY + 1):
            key = f"{number:032x}"
            voter = {"id": number, "key": key, "kind": VoterKind.PERSON, "created_at": START}
            session.execute(insert(Voter).values(voter))
            for turn in range(VOTES):
                a, b = rng.sample(clips, 2)
                identity = number * 1000 + turn
                better = rng.random() < 0.5 + 0.1 * (b.entrant_id - a.entrant_id)
                choice = "a" if better or number == LEFT_ONLY else "b"
                session.execute(
                    insert(Battle).values(
                        id=identity,
                        token=f"t{identity}",
                        track_id=track.id,
                        prompt_id="p-1",
                        voter_id=number,
                        clip_a_id=a.id,
                        clip_b_id=b.id,
                        sampler="uniform",
                        probability=1 / 3,
                        state="answered",
                        issued_at=START,
                    )
                )
                session.execute(
                    insert(Vote).values(
                        id=identity,
                        battle_id=identity,
                        voter_id=number,
                        choice=choice,
                        cast_at=START,
                        receipt=f"r{identity}",
                        decided_ms=int(3000 * rng.lognormvariate(0, 0.3)),
                        reasons=[],
                    )
                )
    return opened


def held_voters(database: Database) -> set[int]:
    with database.reading() as session:
        votes = session.scalars(select(Vote)).all()
        verdicts = judge_votes(session, votes)
    return {vote.voter_id for vote in votes if verdicts[vote.id].status is VoteStatus.HELD}


def test_the_votes_of_a_one_sided_voter_are_held_with_the_public_reason(
    database: Database,
) -> None:
    screen = VoterScreen(database, seed=1)
    assert screen.run(now=START + timedelta(hours=1)) == VOTES
    assert held_voters(database) == {LEFT_ONLY}
    with database.reading() as session:
        events = [each.event for each in list_events(session)]
    assert {event.author for event in events} == {"arena"}
    assert all(event.reason.endswith(".") and event.version == 1 for event in events)
    assert screen.run(now=START + timedelta(hours=2)) == 0
    database.dispose()


def test_rules_leave_alone_whom_a_person_released(database: Database) -> None:
    VoterScreen(database, seed=1).run(now=START)
    with database.writing() as session:
        selection = Selection(voter_id=LEFT_ONLY)
        release_votes(session, selection, reason="A known tester.", author="Ada", now=START)
    assert VoterScreen(database, seed=1).run(now=START) == 0
    assert held_voters(database) == set()
    database.dispose()


def test_votes_count_again_once_a_voter_is_no_longer_flagged(database: Database) -> None:
    VoterScreen(database, seed=1).run(now=START)
    with database.writing() as session:  # as if many more votes had been cast
        session.execute(
            update(Vote).where(Vote.voter_id == LEFT_ONLY, Vote.id % 2 == 0).values(choice="b")
        )
    VoterScreen(database, seed=1).run(now=START)
    assert held_voters(database) == set()
    with database.reading() as session:
        assert list_events(session)[-1].event.kind == "release"
    database.dispose()


def test_the_job_holds_votes_by_itself(database: Database) -> None:
    job = HoldJob(database)
    assert job.run_once()
    assert held_voters(database) == {LEFT_ONLY}
    assert not HoldJob(database).run_once()  # another process has the lease
    database.dispose()
