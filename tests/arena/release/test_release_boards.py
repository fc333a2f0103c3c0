"""Leaderboards are computed for a release, and pages go on showing what stands beside them."""

from pathlib import Path

import pytest
from released_arena import release

from arena.database import Database
from arena.standings import details, standings
from small_arena import START, TRACK, Booth

pytestmark = pytest.mark.databases("sqlite")


def test_a_release_computes_only_what_it_contains_and_keeps_what_pages_show(
    shared_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        booth = Booth(shared_database, key=f"{number:032x}")
        for turn in range(8):
            booth.vote("ab"[(turn + number) % 2])
    before = standings.leaderboard(shared_database, track_name=TRACK, now=START)
    Booth(shared_database, key="e" * 32).vote("a")

    def fail(*_args: object, **_options: object) -> None:
        raise AssertionError("no release has what is shown beside the ratings")

    monkeypatch.setattr(details, "compute_details", fail)
    release(shared_database, tmp_path / "release", now=START)
    standings.follow_job(shared_database)  # show what is stored
    after = standings.leaderboard(shared_database, track_name=TRACK, now=START)
    assert after.watermark > before.watermark
    assert before.details is not None
    assert after.details == before.details
