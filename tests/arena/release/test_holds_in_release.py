"""A release has the ledger of holds; verification recomputes with and without, and names a vote."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from released_arena import NOW, Rows, forge_sums, let_people_vote, read_rows, release, rewrite
from sqlalchemy import select

from arena.database import Database
from arena.errors import ReleaseError
from arena.holds.decisions import Selection, hold_votes, release_votes
from arena.models import Vote
from arena.release.verify import verify_release
from arena.standings import standings
from small_arena import START, TRACK, TRACK_WITH_SOUND, fill_small_arena, new_database

FORMATS = ("parquet",)


def decide(database: Database, what: Any, now: Any = START, **selection: object) -> None:
    with database.writing() as session:
        what(session, Selection(**selection), reason="By hand.", now=now)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A leaderboard of a day when nothing was held; then votes of two voters are held."""
    opened = new_database(tmp_path_factory.mktemp("arena"))
    fill_small_arena(opened)
    let_people_vote(opened, people=4)
    standings.leaderboard(opened, track_name=TRACK, now=START - timedelta(days=1))
    decide(opened, hold_votes, voter_id=1)
    standings.leaderboard(opened, track_name=TRACK, now=START)
    decide(opened, hold_votes, voter_id=2)
    with opened.reading() as session:
        first = session.scalars(select(Vote.id).where(Vote.voter_id == 1)).first()
    decide(opened, release_votes, vote_id=first)
    return opened


@pytest.fixture(scope="module")
def pristine(arena: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(arena, tmp_path_factory.mktemp("release") / "r", formats=FORMATS, now=NOW)


@pytest.fixture
def folder(arena: Database, tmp_path: Path) -> Path:
    return release(arena, tmp_path / "r", formats=FORMATS, now=NOW)


def test_a_release_with_holds_verifies_and_has_every_event(pristine: Path) -> None:
    verify_release(pristine)
    events = read_rows(pristine, "holds")
    assert [row["number"] for row in events] == list(range(1, len(events) + 1))
    assert {row["kind"] for row in events} == {"hold", "release"}
    votes = read_rows(pristine, "votes")
    held = [row for row in votes if not row["counted"]]
    assert held
    assert {row["hold_rule"] for row in held} == {"operator"}


def test_leaderboards_of_before_are_recomputed_with_the_holds_of_then(pristine: Path) -> None:
    rows = [row for row in read_rows(pristine, "leaderboard") if row["track"] == TRACK]
    overall = [row for row in rows if row["category"] == "overall" and row["voters"] == "people"]
    assert len({row["hold_events"] for row in overall}) >= 2
    assert any(row["rating_without_holds"] is None for row in overall)
    assert any(row["rating_without_holds"] is not None for row in overall)


@pytest.mark.parametrize("track", [TRACK, TRACK_WITH_SOUND])
def test_a_release_of_one_track_verifies_without_the_events_of_others(
    arena: Database, tmp_path: Path, track: str
) -> None:
    folder = release(arena, tmp_path / "one", formats=FORMATS, now=NOW, track=track)
    verify_release(folder)
    everything = [*read_rows(folder, "holds")]
    tracks = {row["id"]: row["track"] for row in read_rows(folder, "votes")}
    assert {tracks[row["vote_id"]] for row in everything} == {track}


def forged(folder: Path, table: str, change: Any) -> str:
    """What verification says of a release with a changed table and checksums that match."""
    rewrite(folder, table, change, formats=FORMATS)
    forge_sums(folder)
    with pytest.raises(ReleaseError) as caught:
        verify_release(folder)
    return str(caught.value)


def test_a_vote_whose_counted_disagrees_with_the_ledger_is_named(folder: Path) -> None:
    rows = read_rows(folder, "votes")
    at = next(number for number, row in enumerate(rows) if not row["counted"])

    def count(rows: Rows) -> None:
        rows[at] |= {"counted": True, "hold_rule": None}

    message = forged(folder, "votes", count)
    assert f"vote {rows[at]['id']}" in message
    assert "the ledger" in message


def test_the_vote_of_a_changed_event_is_named_however_late_the_event_is(folder: Path) -> None:
    rows = read_rows(folder, "holds")
    at = next(number for number, row in enumerate(rows) if number > 10 and row["kind"] == "hold")
    message = forged(folder, "holds", lambda rows: rows[at].update(reason="Another one."))
    assert f"row {at + 1} (vote {rows[at]['vote_id']}) was changed" in message


@pytest.mark.parametrize("kind", ["changed", "dropped", "added", "reordered"])
def test_a_changed_ledger_is_found_and_the_vote_named(folder: Path, kind: str) -> None:
    rows = read_rows(folder, "holds")
    vote = rows[1]["vote_id"]

    def change(rows: Rows) -> None:
        if kind == "changed":
            rows[1]["reason"] = "Another one."
        elif kind == "dropped":
            del rows[1]
        elif kind == "added":
            rows.append(rows[1] | {"number": rows[-1]["number"] + 1, "kind": "release"})
        else:
            rows[1], rows[2] = rows[2], rows[1]

    message = forged(folder, "holds", change)
    assert "holds" in message or "vote" in message
    if kind != "reordered":
        assert f"vote {vote}" in message or "event 2" in message
