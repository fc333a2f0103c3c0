"""A leaderboard is as new as the votes whatever the clock says, and is shown without any write."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from released_arena import read_rows, release
from sqlalchemy import func, select, text

from arena.database import Database
from arena.errors import StoreUnavailable
from arena.models import Snapshot
from arena.release.verify import verify_release
from arena.standings import computing, standings
from arena.standings.boards import Board, board_cells, board_document
from broken_stores import damage, lock_held, make_read_only
from small_arena import START, TRACK, Booth

HOUR = START + timedelta(hours=1)


def board(database: Database, now: datetime) -> Board:
    return standings.leaderboard(database, track_name=TRACK, now=now)


def stored(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count(Snapshot.id))) or 0


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=366), timedelta(days=30_000)])
def test_a_clock_that_was_ahead_does_not_freeze_the_board(booth: Booth, ahead: timedelta) -> None:
    booth.vote("a")
    assert board(booth.database, HOUR + ahead).votes == 1
    assert board(booth.database, HOUR).computed_at == HOUR  # the future is not shown
    for day in range(4):
        now = HOUR + timedelta(days=day, minutes=10)
        booth.now = now - timedelta(minutes=5)
        booth.vote("b")
        shown = board(booth.database, now)
        assert (shown.votes, shown.computed_at, shown.stale) == (day + 2, now, False)


def test_a_clock_that_steps_back_loses_no_earlier_snapshot(booth: Booth) -> None:
    for day in (1, 2, 3):
        booth.now = START + timedelta(days=day)
        booth.vote("a")
        board(booth.database, booth.now + timedelta(hours=1))
    board(booth.database, START - timedelta(days=365))
    assert stored(booth.database) == 4
    assert board(booth.database, START + timedelta(days=4)).votes == 3


def test_a_release_has_no_snapshot_of_the_future(booth: Booth, tmp_path: Path) -> None:
    booth.vote("a")
    board(booth.database, START + timedelta(days=400))
    booth.vote("b")
    folder = release(booth.database, tmp_path / "release", formats=("csv",), now=HOUR)
    days = {row["leaderboard_publish_date"] for row in read_rows(folder, "leaderboard", "csv")}
    assert days == {"2026-11-23"}
    verify_release(folder)


def test_the_reveal_shows_the_ratings_computed_last_not_those_of_the_latest_day(
    booth: Booth,
) -> None:
    for choice in ("a", "b", "a", "tie"):
        booth.vote(choice)
    board(booth.database, HOUR + timedelta(days=366))
    for _ in range(4):
        booth.vote("a")
    shown = {row.model: row.rating for row in board(booth.database, HOUR).rows}
    answer = booth.vote("a")
    assert answer.reveal is not None
    assert {side.name: side.rating for side in answer.reveal}.items() <= shown.items()


def test_intervals_of_an_earlier_version_are_computed_again(booth: Booth) -> None:
    booth.vote("a")
    board(booth.database, HOUR)
    with booth.database.writing() as session:
        snapshot = session.scalars(select(Snapshot)).one()
        known = dict(snapshot.parameters, intervals="sandwich, by vote")
        known.pop("intervals_note", None)
        snapshot.parameters = known
    standings._memories.clear()
    later = HOUR + timedelta(minutes=5)
    assert board(booth.database, later).computed_at == later


def test_a_board_is_shown_and_stays_new_on_a_read_only_database(booth: Booth) -> None:
    booth.vote("a")
    board(booth.database, HOUR)
    booth.vote("b")
    make_read_only(booth.database)
    later = HOUR + timedelta(hours=1)
    assert board(booth.database, later).votes == 2
    again = board(booth.database, later + timedelta(hours=1))
    assert (again.votes, again.computed_at, again.stale) == (2, later, False)  # not computed twice
    assert stored(booth.database) == 1


def test_a_board_is_shown_while_another_program_holds_the_lock(booth: Booth) -> None:
    booth.vote("a")
    with lock_held(booth.database):
        assert board(booth.database, HOUR).votes == 1


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("known_to", ["this process", "the database"])
def test_where_no_newer_board_can_be_had_the_last_one_says_how_old_it_is(
    booth: Booth, monkeypatch: pytest.MonkeyPatch, known_to: str
) -> None:
    booth.vote("a")
    board(booth.database, HOUR)
    booth.vote("b")
    if known_to == "this process":
        damage(booth.database)
    else:
        standings._memories.clear()
        monkeypatch.setattr(standings, "compute_board", _fail)
    now = HOUR + timedelta(hours=3, minutes=10)
    shown = board(booth.database, now)
    assert (shown.votes, shown.computed_at, shown.stale) == (1, HOUR, True)
    assert board_document(shown)["stale"] is True
    assert "could not be updated, 3 hours old" in board_cells(shown, now=now)[0]


def _fail(*_values: Any, **_options: Any) -> None:
    raise StoreUnavailable("The database is damaged: restore a backup.")


@pytest.mark.databases("sqlite")
def test_without_any_board_a_damaged_database_is_an_error(booth: Booth) -> None:
    booth.vote("a")
    damage(booth.database)
    with pytest.raises(StoreUnavailable):
        board(booth.database, HOUR)


def during_rating(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen while a leaderboard is being computed."""
    rate = computing.rate_battles

    def rate_and_act(*values: Any, **options: Any) -> Any:
        act()
        return rate(*values, **options)

    monkeypatch.setattr(computing, "rate_battles", rate_and_act)


def test_votes_are_stored_while_a_board_is_computed(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def write() -> None:
        with booth.database.writing(until=time.monotonic() + 60) as session:
            session.execute(text("UPDATE alembic_version SET version_num = version_num"))
        written.append(True)

    booth.vote("a")
    during_rating(monkeypatch, write)
    assert board(booth.database, HOUR).votes == 1
    assert written == [True]


def test_readers_at_the_same_time_compute_one_board(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.vote("a")
    computed: list[bool] = []
    during_rating(monkeypatch, lambda: (computed.append(True), time.sleep(0.3)))
    with ThreadPoolExecutor(8) as threads:
        boards = list(threads.map(lambda _: board(booth.database, HOUR), range(8)))
    assert {shown.votes for shown in boards} == {1}
    assert len(computed) == 1
