"""In tracks with sound, votes cast without hearing both sides are kept out of the ratings."""

import json
from pathlib import Path

import pandas as pd
import pytest
from released_arena import NOW, let_people_vote, read_rows, release

from arena.database import Database
from arena.holds.status import judge_votes
from arena.release.tables import FORMATS
from arena.release.verify import verify_release
from arena.standings.standings import leaderboard
from arena.voting import ballots
from arena.voting.limits import WATCH_TOLERANCE_MS, VotingRules
from arena.voting.schemas import CastVote
from ratings.__main__ import main
from small_arena import TRACK, TRACK_WITH_SOUND, Booth

ENOUGH_MS = 1000 - WATCH_TOLERANCE_MS


def cast(booth: Booth, **body: object) -> CastVote:
    battle = booth.ask()
    booth.wait(3)
    choice = body.pop("choice", "a")
    return booth.cast(battle.token, str(choice), **body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, "counted"),  # it could not be checked
        ({"heard_ms": {"a": 1000, "b": 1000}}, "counted"),
        ({"heard_ms": {"a": ENOUGH_MS, "b": ENOUGH_MS}}, "counted"),
        ({"heard_ms": {"a": ENOUGH_MS - 1, "b": 1000}}, "held"),
        ({"heard_ms": {"a": 1000, "b": 0}}, "held"),
        ({"heard_ms": {"a": 0, "b": 0}}, "held"),
        ({"picture_only": True}, "held"),
        ({"picture_only": True, "heard_ms": {"a": 1000, "b": 1000}}, "held"),
        ({"picture_only": True, "choice": "skip"}, "skipped"),
        ({"heard_ms": {"a": 0, "b": 0}, "choice": "skip"}, "skipped"),
    ],
)
def test_a_vote_on_sound_counts_if_both_sides_were_heard(
    arena_database: Database, body: dict[str, object], status: str
) -> None:
    booth = Booth(arena_database, track=TRACK_WITH_SOUND)
    answer = cast(booth, **body)
    assert answer.status == status
    with arena_database.reading() as session:
        vote = ballots.find_receipt(session, answer.receipt)
        assert judge_votes(session, [vote])[vote.id].status == status
        assert vote.picture_only == (status == "held")


def test_in_a_silent_track_nothing_needs_to_be_heard(booth: Booth) -> None:
    answer = cast(booth, picture_only=True, heard_ms={"a": 0, "b": 0})
    assert answer.status == "counted"


def test_without_a_watch_time_a_side_must_have_been_heard_at_all(arena_database: Database) -> None:
    booth = Booth(arena_database, track=TRACK_WITH_SOUND, rules=VotingRules(watch_time=False))
    assert cast(booth, heard_ms={"a": 1, "b": 20}).status == "counted"
    assert cast(booth, heard_ms={"a": 0, "b": 20}).status == "held"


def test_repeating_a_picture_only_vote_returns_the_same_answer(arena_database: Database) -> None:
    booth = Booth(arena_database, track=TRACK_WITH_SOUND)
    battle = booth.ask()
    booth.wait(3)
    first = booth.cast(battle.token, "a", picture_only=True)
    again = booth.cast(battle.token, "a")
    assert (again.status, again.receipt) == ("held", first.receipt)


def let_picture_only_votes_decide(database: Database) -> None:
    """Twelve picture-only votes for the left side, which would change the leaderboard."""
    booth = Booth(database, key="c" * 32, track=TRACK_WITH_SOUND)
    for _ in range(12):
        assert cast(booth, picture_only=True).status == "held"


def test_picture_only_votes_do_not_move_the_leaderboard(arena_database: Database) -> None:
    let_people_vote(arena_database)

    def board() -> list[object]:
        found = leaderboard(arena_database, track_name=TRACK_WITH_SOUND, now=NOW)
        return [found.votes, *found.rows]

    before = board()
    let_picture_only_votes_decide(arena_database)
    assert board() == before


def test_a_release_has_them_uncounted_and_its_leaderboards_are_recomputed(
    arena_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    let_people_vote(arena_database)
    let_picture_only_votes_decide(arena_database)
    folder = release(arena_database, tmp_path / "release", formats=FORMATS)
    rows = read_rows(folder, "votes")
    held = [row for row in rows if row["hold_rule"] is not None]
    assert {(row["hold_rule"], row["counted"], row["track"]) for row in held} == {
        ("picture-only", False, TRACK_WITH_SOUND)
    }
    assert len(held) == 12
    assert all(row["counted"] for row in rows if row["hold_rule"] is None)
    verify_release(folder)
    votes = pd.read_csv(folder / "votes.csv")
    for track in (TRACK, TRACK_WITH_SOUND):
        path = tmp_path / f"{track}.csv"
        votes[votes["track"] == track].to_csv(path, index=False)
        assert main([str(path), "--format", "json"]) == 0
        rated = json.loads(capsys.readouterr().out)
        shown = leaderboard(arena_database, track_name=track, now=NOW)
        assert {row["model"]: (row["vote_count"], row["wins"]) for row in rated} == {
            row.model: (row.vote_count, row.wins) for row in shown.rows
        }
        assert {row["model"]: row["rating"] for row in rated} == {
            row.model: pytest.approx(row.rating, abs=0.001) for row in shown.rows
        }


def test_a_release_with_picture_only_votes_alone_verifies(
    arena_database: Database, tmp_path: Path
) -> None:
    let_picture_only_votes_decide(arena_database)
    verify_release(release(arena_database, tmp_path / "release"))
