"""The background job keeps snapshots as new as the votes; one process of several does it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from arena import database as migrations
from arena.catalog.entrants import add_entrant
from arena.database import Database
from arena.errors import StoreUnavailable
from arena.models import Entrant, Lease, Snapshot, VoterKind
from arena.standings import job as job_module
from arena.standings import leases, standings
from arena.standings.boards import Board, board_frame
from arena.standings.job import StandingsJob, pause_after
from broken_stores import make_read_only
from small_arena import NAMES, START, TRACK, Booth, entrant_entry

HOUR = START + timedelta(hours=1)


@pytest.fixture
def followed(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> Iterator[Booth]:
    """A voter in an arena that is served: what it shows is what the job stores."""
    # Rounds follow each other here without the pause that keeps the job from using a whole core.
    monkeypatch.setattr(job_module, "COMPUTE_SHARE", float("inf"))
    monkeypatch.setattr(job_module, "DETAILS_SHARE", float("inf"))
    monkeypatch.setattr(job_module, "DETAILS_ROUND_S", -1.0)  # without details, which take long
    standings.follow_job(booth.database)
    yield booth
    standings.follow_job(booth.database, follows=False)


@pytest.fixture
def detailed(followed: Booth, monkeypatch: pytest.MonkeyPatch) -> Booth:
    """The same, and each round computes the details of all leaderboards."""
    monkeypatch.setattr(job_module, "DETAILS_ROUND_S", float("inf"))
    return followed


def shown(database: Database, now: object = HOUR, **values: object) -> Board:
    """What a page shows when it looks again."""
    standings._memory(database).followed.clear()
    return standings.leaderboard(database, track_name=TRACK, now=now, **values)  # type: ignore[arg-type]


def test_every_leaderboard_has_a_snapshot_after_the_first_round(followed: Booth) -> None:
    followed.vote("a")
    StandingsJob(followed.database).run_once(now=HOUR)
    for category in ("overall", "even"):
        for kind in VoterKind:
            board = shown(followed.database, category=category, voters=kind)
            assert {row.model for row in board.rows} == set(NAMES)
    assert shown(followed.database).votes == 1


def test_a_round_shows_the_votes_since_the_last_one(detailed: Booth) -> None:
    job = StandingsJob(detailed.database)
    for number, choice in enumerate(("a", "b", "tie", "skip", "bad"), start=1):
        detailed.vote(choice)
        job.run_once(now=HOUR + timedelta(minutes=number))
    board = shown(detailed.database)
    assert board.votes == 4
    assert board.details is not None
    assert board.details["votes"] >= 1


def test_the_job_shows_what_is_computed_on_demand(followed: Booth) -> None:
    job = StandingsJob(followed.database)
    for number in range(6):
        Booth(followed.database, key=f"{number:032x}").vote("ab"[number % 3 == 2])
        job.run_once(now=HOUR)
    job._states.clear()
    job.run_once(now=HOUR)
    by_job = board_frame(shown(followed.database))
    standings.follow_job(followed.database, follows=False)
    with followed.database.writing() as session:
        session.query(Snapshot).delete()
    standings._memories.clear()
    on_demand = standings.leaderboard(followed.database, track_name=TRACK, now=HOUR)
    assert by_job.equals(board_frame(on_demand))


def test_a_round_without_news_stores_nothing(detailed: Booth) -> None:
    job = StandingsJob(detailed.database)
    detailed.vote("a")
    job.run_once(now=HOUR)

    def newest() -> int | None:
        with detailed.database.reading() as session:
            return session.scalar(select(func.max(Snapshot.id)))

    before = newest()
    job.run_once(now=HOUR + timedelta(seconds=10))
    assert newest() == before


def test_a_new_entrant_is_on_the_board_without_a_vote(followed: Booth) -> None:
    job = StandingsJob(followed.database)
    job.run_once(now=HOUR)
    with followed.database.writing() as session:
        add_entrant(session, entrant_entry("Damson"), now=START)
    job.run_once(now=HOUR)
    assert "Damson" in {row.model for row in shown(followed.database).rows}


def test_without_the_job_the_last_board_is_shown_and_is_stale_once_a_vote_waits(
    followed: Booth,
) -> None:
    followed.vote("a")
    StandingsJob(followed.database).run_once(now=HOUR)
    assert not shown(followed.database, HOUR + timedelta(days=3)).stale
    followed.now = HOUR
    followed.vote("b")
    assert not shown(followed.database, HOUR + timedelta(seconds=50)).stale
    late = shown(followed.database, HOUR + timedelta(minutes=5))
    assert (late.votes, late.computed_at, late.stale) == (1, HOUR, True)


def test_a_board_is_not_stale_for_votes_that_did_not_change_it(
    followed: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "TOUCH_S", 0.0)
    job = StandingsJob(followed.database)
    job.run_once(now=HOUR)
    followed.vote("a")
    later = HOUR + timedelta(minutes=30)
    job.run_once(now=later)
    board = shown(followed.database, later, voters=VoterKind.SIMULATED)
    assert (board.stale, board.watermark, board.computed_at) == (False, 1, HOUR)
    tomorrow = HOUR + timedelta(days=1)
    followed.vote("a")
    job.run_once(now=tomorrow)
    assert shown(followed.database, tomorrow, voters=VoterKind.SIMULATED).computed_at == tomorrow


def test_on_a_read_only_database_the_process_shows_new_boards_from_memory(followed: Booth) -> None:
    followed.vote("a")
    job = StandingsJob(followed.database)
    job.run_once(now=HOUR)
    followed.vote("b")
    make_read_only(followed.database)
    assert job.run_once(now=HOUR + timedelta(minutes=1))
    assert shown(followed.database).votes == 2


def test_a_process_that_follows_waits_for_the_first_board(
    followed: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "FEW_VOTES", -1)
    monkeypatch.setattr(standings, "TURN_S", 0.1)
    with pytest.raises(StoreUnavailable, match="still being computed"):
        shown(followed.database)
    monkeypatch.setattr(standings, "TURN_S", 60.0)
    job = StandingsJob(followed.database)
    computing = threading.Timer(0.2, job.run_once, kwargs={"now": HOUR})
    computing.start()
    assert shown(followed.database).votes == 0
    computing.join()


def test_of_many_readers_at_once_one_looks_for_a_newer_board(
    followed: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.vote("a")
    StandingsJob(followed.database).run_once(now=HOUR)
    first = shown(followed.database)
    monkeypatch.setattr(standings, "CHECK_S", 0.0)
    looks = []
    read = standings._last

    def read_slowly(*arguments: Any) -> Any:
        looks.append(threading.get_ident())
        time.sleep(0.5)
        return read(*arguments)

    monkeypatch.setattr(standings, "_last", read_slowly)
    start = threading.Barrier(8)

    def look(_number: int) -> Board:
        start.wait()
        return standings.leaderboard(followed.database, track_name=TRACK, now=HOUR)

    with ThreadPoolExecutor(8) as readers:
        boards = list(readers.map(look, range(8)))
    assert len(looks) == 1
    assert all(board == first for board in boards)


def test_with_few_votes_the_first_reader_need_not_wait_for_the_job(followed: Booth) -> None:
    followed.vote("a")
    assert shown(followed.database).votes == 1


def test_the_thread_starts_and_stops_and_gives_the_lease_up(followed: Booth) -> None:
    followed.vote("a")
    job = StandingsJob(followed.database)
    job.start()
    try:
        assert shown(followed.database).votes == 1
    finally:
        job.stop(timeout_s=60)
    with followed.database.reading() as session:
        assert session.scalars(select(Lease)).all() == []


class Clock:
    """A monotonic clock that a test advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_process_works_and_another_takes_over_when_it_is_silent(
    arena_database: Database,
) -> None:
    clock = Clock()
    first, second = (leases.LeaseKeeper(arena_database, "standings", clock=clock) for _ in range(2))
    assert first.hold()
    for _ in range(10):  # while the holder renews, it stays the holder
        clock.now += leases.SILENCE_S / 2
        assert first.hold()
        assert not second.hold()
    clock.now += leases.SILENCE_S / 2
    assert not second.hold()
    clock.now += leases.SILENCE_S
    assert second.hold()  # the first was silent
    assert not first.hold()
    assert second.hold()


def test_a_holder_that_is_busy_or_pauses_for_long_stays_the_holder(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.02)
    clock = Clock()
    first, second = (leases.LeaseKeeper(arena_database, "standings", clock=clock) for _ in range(2))
    with first.renewed():
        assert first.hold()
        for _ in range(4):
            assert not second.hold()
            renewals = _renewals(arena_database)
            clock.now += leases.SILENCE_S + 1
            while _renewals(arena_database) == renewals:  # until the test's time limit
                time.sleep(0.01)
            assert not second.hold()
    assert not second.hold()
    clock.now += leases.SILENCE_S + 1
    assert second.hold()  # the first renews it no more


def _renewals(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(Lease.renewals)).one()


def test_a_lease_that_is_given_up_is_free_at_once(arena_database: Database) -> None:
    first, second = (leases.LeaseKeeper(arena_database, "standings") for _ in range(2))
    assert first.hold()
    first.release()
    assert second.hold()
    first.release()  # it is another's now
    assert second.hold()


def test_a_renewal_that_finds_the_database_locked_logs_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WRITE_S", 0.05)
    opened, other = (Database(f"sqlite:///{tmp_path / 'arena.sqlite'}") for _ in range(2))
    migrations.upgrade(opened)
    keeper = leases.LeaseKeeper(opened, "standings")
    assert keeper.hold()
    with other.writing(), pytest.raises(StoreUnavailable):
        keeper.hold()
    assert keeper.hold()
    assert not caplog.records


def test_many_processes_that_start_at_once_have_one_holder(arena_database: Database) -> None:
    keepers = [leases.LeaseKeeper(arena_database, "standings") for _ in range(8)]
    held: list[bool] = []
    threads = [threading.Thread(target=lambda k=k: held.append(k.hold())) for k in keepers]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == [False] * 7 + [True]


def test_the_arrays_are_kept_for_the_next_start(
    followed: Booth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.vote("a")
    job = StandingsJob(followed.database, folder=tmp_path)
    job.run_once(now=HOUR)
    job.start()
    assert shown(followed.database).votes == 1
    job.stop(timeout_s=60)
    assert (tmp_path / job_module.FILE_NAME).is_file()
    followed.vote("b")
    again = StandingsJob(followed.database, folder=tmp_path)
    again.run_once(now=HOUR)
    assert shown(followed.database).votes == 2
    with followed.database.reading() as session:
        assert session.scalar(select(func.count(Entrant.id))) == len(NAMES)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(("cpu_s", "pause_s"), [(0.0, 2.0), (0.1, 2.0), (0.5, 5.0), (60.0, 20.0)])
def test_all_leaderboards_together_get_a_tenth_of_a_core(cpu_s: float, pause_s: float) -> None:
    assert pause_after(cpu_s) == pytest.approx(pause_s)
