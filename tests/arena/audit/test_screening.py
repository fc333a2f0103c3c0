"""Rules hold the votes of flagged voters, release them, and respect what a person decided."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from screened_arena import LEFT_ONLY, VOTERS, VOTES, add_voters, held_voters
from sqlalchemy import update
from sqlalchemy.orm import Session

from arena.audit import screening
from arena.audit.hold_job import HoldJob
from arena.audit.screening import VoterScreen
from arena.audit.voter_rules import MIN_VOTES
from arena.audit.voter_votes import read_votes
from arena.database import Database
from arena.holds.decisions import Selection, list_events, release_votes
from arena.models import HoldRule, Vote
from arena.standings.vote_arrays import VoteArrays
from small_arena import START, Booth, fill_small_arena, new_database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    add_voters(opened)
    return opened


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


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of votes that each query of the screen returned."""
    numbers: list[int] = []

    def count(
        session: Session, arrays: VoteArrays, track: int, voters: Sequence[int] | None
    ) -> pd.DataFrame:
        frame = read_votes(session, arrays, track, voters)
        numbers.append(len(frame))
        return frame

    monkeypatch.setattr(screening, "read_votes", count)
    return numbers


def test_a_round_in_a_large_arena_reads_a_bounded_number_of_votes(
    database: Database, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large is more than the sample; the sample is read once, and each voter is tested once."""
    monkeypatch.setattr(screening, "REFERENCE", 5 * VOTES)
    monkeypatch.setattr(screening, "BATCH", 3 * VOTES)
    screen = VoterScreen(database, seed=1)
    screen.run(now=START)
    assert read == [5 * VOTES, 3 * VOTES]
    assert screen.is_behind
    screen.run_all(now=START)
    assert not screen.is_behind
    assert sum(read) == 5 * VOTES + (VOTERS + 1) * VOTES
    assert held_voters(database) == {LEFT_ONLY}
    read.clear()
    assert screen.run(now=START) == 0
    assert read == []  # nobody voted meanwhile


def test_only_voters_with_new_votes_are_read_again(
    database: Database, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screening, "REFERENCE", 5 * VOTES)
    screen = VoterScreen(database, seed=1)
    screen.run_all(now=START)
    read.clear()
    newcomer = Booth(database)
    for _ in range(MIN_VOTES):
        newcomer.vote("a")
    screen.run_all(now=newcomer.now)
    assert read == [MIN_VOTES]


def test_votes_of_a_group_that_favours_a_model_are_put_under_review_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person decided about one of them stays, and all votes of the group on it are held."""

    def found(*, voter: Any, left: Any, right: Any, outcome: Any, models: int) -> Any:
        return ["a bloc"], (np.asarray(voter) <= 4) & (np.asarray(left) == 0)

    monkeypatch.setattr(screening, "find_blocs", found)
    screen = VoterScreen(database, seed=1)
    screen.run(now=START)
    with database.reading() as session:
        events = [
            each.event for each in list_events(session) if each.event.rule == HoldRule.BLOC.value
        ]
    assert 4 < len(events) < 4 * VOTES
    assert len({event.vote_id for event in events}) == len(events)
    assert held_voters(database) == {1, 2, 3, 4, LEFT_ONLY}
    with database.writing() as session:
        selection = Selection(vote_id=events[0].vote_id)
        release_votes(session, selection, reason="Looked at.", now=START)
    assert VoterScreen(database, seed=1).run(now=START) == 0
