"""A large pool is rated from sums, to within 0.00002 Elo of what its votes give."""

from datetime import timedelta
from pathlib import Path

import pytest

from arena.database import Database
from arena.models import VoterKind
from arena.standings import job as job_module
from arena.standings import pool_sums, standings
from arena.standings.boards import board_frame
from arena.standings.job import StandingsJob
from many_votes import add_votes, fill_large_arena
from small_arena import START, TRACK, new_database

HOUR = START + timedelta(hours=1)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An arena that counts as large, without pauses between rounds."""
    monkeypatch.setattr(pool_sums, "LARGE", 1000)
    monkeypatch.setattr(pool_sums, "_REBUILD_PAUSE", 0.0)
    monkeypatch.setattr(job_module, "COMPUTE_SHARE", float("inf"))
    database = new_database(tmp_path)
    fill_large_arena(database, votes=20_000, models=4, prompts=20, categories=2, voters=4000)
    return database


def test_boards_from_sums_are_those_from_the_votes(
    large: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    board_of = job_module.board_of

    def note(*args: object, **options: object) -> object:
        computed = board_of(*args, **options)  # type: ignore[arg-type]
        used.append(computed.board.category)
        return computed

    monkeypatch.setattr(job_module, "board_of", note)
    job = StandingsJob(large)
    job._details_at = float("inf")
    job.run_once(now=HOUR)
    add_votes(large, votes=10, known_voters=True)
    add_votes(large, votes=10, voters=5)
    job.run_once(now=HOUR)
    assert set(used) == {"overall", "category-00", "category-01"}
    for category in sorted(set(used)):
        by_job = job._states[TRACK, category, VoterKind.PERSON].computed.board
        standings._memories.clear()
        on_demand = standings._compute(
            large,
            (TRACK, category, VoterKind.PERSON),
            standings._memory(large),
            now=HOUR,
            with_details=False,
        ).board
        assert (by_job.votes, by_job.watermark) == (on_demand.votes, 20_020)
        assert by_job.votes == on_demand.votes
        assert by_job.pairs == on_demand.pairs
        assert by_job.parameters["intervals"] == on_demand.parameters["intervals"]
        first, second = board_frame(by_job), board_frame(on_demand)
        assert first["model"].tolist() == second["model"].tolist()
        for column in first.columns.drop(["model", "status"]):
            assert first[column].tolist() == pytest.approx(second[column].tolist(), abs=2e-5)
    large.dispose()
