"""A held vote does not count; boards show the difference, and follow the ledger by themselves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from arena.database import Database
from arena.holds.decisions import Selection, hold_votes, release_votes
from arena.models import Snapshot, Vote, VoterKind
from arena.standings import job as job_module
from arena.standings import pool_sums, standings
from arena.standings.arrays_file import load_arrays, save_arrays
from arena.standings.boards import Board, board_cells, board_document, board_frame
from arena.standings.hold_share import UNKNOWN, UNUSUAL, USUAL, compare_share
from arena.standings.hold_texts import describe_held
from arena.standings.job import StandingsJob
from arena.standings.vote_arrays import VoteArrays
from arena.standings.vote_reader import VoteReader
from arena.web.rendering.tables import render_board
from many_votes import add_votes, fill_large_arena
from small_arena import START, TRACK, Booth, new_database

HOUR = START + timedelta(hours=1)


def decide(database: Database, what: Any, **selection: object) -> int:
    with database.writing() as session:
        count: int = what(session, Selection(**selection), reason="By hand.", now=START)  # type: ignore[arg-type]
        return count


def board(database: Database, **values: object) -> Board:
    defaults: dict[str, object] = {"track_name": TRACK, "now": HOUR}
    return standings.leaderboard(database, **(defaults | values))  # type: ignore[arg-type]


@pytest.fixture
def voted(booth: Booth) -> Booth:
    """Three voters' votes; the third one votes against the others."""
    for number in range(3):
        voter = Booth(booth.database, key=f"{number}" * 32)
        for _ in range(10):
            battle = voter.ask()
            voter.wait(1)
            a, b = voter.models(battle.token)
            voter.cast(battle.token, "a" if (a < b) != (number == 2) else "b")
    return booth


def third_voter(database: Database) -> int:
    with database.reading() as session:
        return max(session.scalars(select(Vote.voter_id)))


def test_holding_votes_changes_the_board_without_a_new_vote(voted: Booth) -> None:
    database = voted.database
    before = board(database)
    assert before.holds is not None
    assert (before.votes, before.holds["held"], before.holds["without"]) == (30, 0, None)
    held = decide(database, hold_votes, voter_id=third_voter(database))
    after = board(database)
    assert (after.votes, held) == (20, 10)
    assert after.holds is not None
    assert after.holds["by_rule"] == [
        {"rule": "operator", "reason": "by decision", "votes": 10, "share": 10 / 30}
    ]
    without = {each["model"]: each["rating"] for each in after.holds["without"]}
    assert without == {row.model: row.rating for row in before.rows}
    decide(database, release_votes, voter_id=third_voter(database))
    assert board_frame(board(database)).equals(board_frame(before))


def test_the_job_stores_a_new_snapshot_when_the_ledger_changes(
    voted: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "COMPUTE_SHARE", float("inf"))
    database = voted.database
    job = StandingsJob(database)
    job.run_once(now=HOUR)
    decide(database, hold_votes, voter_id=third_voter(database))
    job.run_once(now=HOUR + timedelta(minutes=1))
    with database.reading() as session:
        snapshot = session.scalars(
            select(Snapshot)
            .where(Snapshot.category == "overall", Snapshot.voters == VoterKind.PERSON)
            .where(Snapshot.votes > 0)
        ).first()
        assert snapshot is not None
        assert snapshot.holds is not None
        assert (snapshot.votes, snapshot.hold_events) == (20, 10)
        assert snapshot.holds["held"] == {"operator": 10}


def test_pages_and_terminals_show_ratings_with_and_without_holds(voted: Booth) -> None:
    decide(voted.database, hold_votes, voter_id=third_voter(voted.database))
    shown = board(voted.database)
    document = board_document(shown)
    assert document["holds"]["share"] == pytest.approx(1 / 3)
    assert all("rating_without_holds" in row for row in document["rows"])
    assert "without holds" in board_cells(shown, now=HOUR)[1]
    assert "Without holds" in render_board(shown)
    sentences = " ".join(describe_held(shown))
    assert "10 of 30 votes (33.3%) held: 10 by decision." in sentences
    assert "too little history" in sentences


def test_events_about_votes_that_are_read_later_are_kept(voted: Booth, tmp_path: Path) -> None:
    """Reading stops after a batch, and the file of arrays keeps what was read."""
    database = voted.database
    decide(database, hold_votes, vote_id=25)
    reader = VoteReader(VoteArrays())
    with database.reading() as session:
        reader._read_holds(session)
        assert reader.arrays.pending == {25: "operator"}
        reader.read_all(session)
    (pool,) = [pool for pool in reader.arrays.pools.values() if len(pool.votes)]
    assert pool.votes["vote"][pool.held_rows].tolist() == [25]
    path = tmp_path / "votes.npz"
    with database.reading() as session:
        save_arrays(path, reader.arrays, session)
        loaded = load_arrays(path, session)
    assert loaded is not None
    decide(database, release_votes, vote_id=25)
    decide(database, hold_votes, vote_id=3)
    with database.reading() as session:
        VoteReader(loaded).read_all(session)
    (pool,) = [pool for pool in loaded.pools.values() if len(pool.votes)]
    assert pool.votes["vote"][pool.held_rows].tolist() == [3]


def test_a_large_board_follows_the_ledger_from_its_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_sums, "LARGE", 1000)
    monkeypatch.setattr(pool_sums, "_REBUILD_PAUSE", 0.0)
    monkeypatch.setattr(job_module, "COMPUTE_SHARE", float("inf"))
    database = new_database(tmp_path)
    fill_large_arena(database, votes=6000, models=4, prompts=20, categories=2, voters=1500)
    job = StandingsJob(database)
    job._details_at = float("inf")
    job.run_once(now=HOUR)
    for voter in (1, 20, 300):
        decide(database, hold_votes, voter_id=voter)
    add_votes(database, votes=10, known_voters=True)
    job.run_once(now=HOUR)
    decide(database, release_votes, voter_id=1)
    job.run_once(now=HOUR)
    for category in ("overall", "category-00"):
        by_job = job._states[TRACK, category, VoterKind.PERSON].computed.board
        standings._memories.clear()
        on_demand = standings._compute(
            database,
            (TRACK, category, VoterKind.PERSON),
            standings._memory(database),
            now=HOUR,
            with_details=False,
        ).board
        assert by_job.votes == on_demand.votes < 6010
        assert by_job.pairs == on_demand.pairs
        first, second = board_frame(by_job), board_frame(on_demand)
        for column in first.columns.drop(["model", "status"]):
            assert first[column].tolist() == pytest.approx(second[column].tolist(), abs=2e-5)
        assert by_job.holds is not None
        assert on_demand.holds is not None
        for one, other in zip(by_job.holds["without"], on_demand.holds["without"], strict=True):
            assert one == pytest.approx(other, abs=2e-5)
    database.dispose()


@pytest.mark.parametrize(
    ("shares", "votes", "held", "status"),
    [
        ([0.02] * 5, 1000, 900, UNKNOWN),  # fewer than seven days
        ([0.02] * 28, 1000, 20, USUAL),
        ([0.02] * 28, 1000, 200, UNUSUAL),  # above five times the median
        ([0.02] * 28, 1000, 0, UNUSUAL),  # below a fifth of it
        ([0.02] * 28, 20, 0, USUAL),  # which chance explains
        ([0.0] * 28, 1000, 0, USUAL),
        ([0.0] * 28, 1000, 300, UNUSUAL),
        ([0.0] * 28, 1000, 3, USUAL),
        ([0.02] * 28, 0, 0, USUAL),  # no votes today
    ],
)
def test_an_alarm_says_when_the_held_share_leaves_its_usual_range(
    shares: list[float], votes: int, held: int, status: str
) -> None:
    assert compare_share(shares, votes=votes, held=held)["status"] == status
