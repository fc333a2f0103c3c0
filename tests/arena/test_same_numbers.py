"""A leaderboard has the same numbers wherever it is shown, to the last published digit."""

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from released_arena import NOW, release
from starlette.testclient import TestClient
from typer.testing import CliRunner

import ratings
from arena.commands.cli import app
from arena.context import Arena
from arena.database import Database
from arena.media import open_store
from arena.models import Choice
from arena.release.verify import verify_release
from arena.settings import Settings
from arena.standings import standings
from arena.standings.boards import Board, describe_intervals, rank_range
from arena.voting.limits import VotingRules
from arena.web.app import make_api
from arena.web.rendering.tables import MINUS, render_board
from ratings.__main__ import main as rate_files
from small_arena import TRACK, TRACK_WITH_SOUND, Booth, fill_small_arena, new_database

SIGNING_KEY = "0123456789abcdef" * 2
FEW_VOTERS = 3
THIN_VOTES = 6


def vote(opened: Database, track: str, *, voters: int, votes: int) -> None:
    """Each voter has a taste of their own and votes many times, so that voters matter."""
    for number in range(voters):
        rng = random.Random(number)
        favourite = ("Alder", "Birch", "Cedar")[number % 3]
        booth = Booth(
            opened, key=f"{number:032x}", track=track, rules=VotingRules(watch_time=False)
        )
        for _ in range(votes):
            battle = booth.ask()
            booth.wait(3)
            sides = dict(zip(booth.models(battle.token), (Choice.A, Choice.B), strict=True))
            choice = rng.choice((*Choice, Choice.A, Choice.B))
            if rng.random() < 0.5:
                choice = sides.get(favourite, choice)
            booth.cast(battle.token, choice)


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """An arena with a track of few voters with many votes each, and a thin track."""
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    vote(opened, TRACK, voters=FEW_VOTERS, votes=12)
    vote(opened, TRACK_WITH_SOUND, voters=2, votes=THIN_VOTES)
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setenv("ARENA_SECRET_KEY", SIGNING_KEY)
    yield Arena(
        settings=Settings(home=tmp_path, secret_key=SIGNING_KEY),  # type: ignore[arg-type]
        database=opened,
        store=open_store(str(tmp_path / "media")),
    )
    opened.dispose()


def by_model(text: str) -> dict[str, dict[str, str]]:
    """The rows of a CSV file by model, with only the columns of a leaderboard."""
    rows = csv.DictReader(io.StringIO(text))
    return {row["model"]: {name: row[name] for name in ratings.COLUMNS} for row in rows}


def from_command_line(track: str) -> str:
    result = CliRunner().invoke(app, ["leaderboard", "--track", track, "--format", "csv"])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("track", [TRACK, TRACK_WITH_SOUND])
def test_page_api_command_line_release_and_ratings_agree_to_the_last_digit(
    arena: Arena, tmp_path: Path, capsys: pytest.CaptureFixture[str], track: str
) -> None:
    query = {"track": track, "format": "csv"}
    client = TestClient(make_api(arena))
    api = by_model(client.get("/api/v1/leaderboard", params=query).text)
    json = client.get("/api/v1/leaderboard", params={"track": track}).json()
    board = standings.leaderboard(arena.database, track_name=track, now=NOW)
    command_line = by_model(from_command_line(track))

    folder = release(arena.database, tmp_path / "release", formats=("csv",))
    verify_release(folder)
    released = {
        row["model_name"]: row
        for row in csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text()))
        if (row["track"], row["category"], row["voters"]) == (track, "overall", "people")
    }
    capsys.readouterr()
    files = ["--by", "track", "--format", "csv"]
    assert rate_files([str(folder / "votes.csv"), *files]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    recomputed = {
        row["model"]: {name: row[name] for name in ratings.COLUMNS}
        for row in rows
        if row["track"] == track
    }

    assert len(api) == 3
    assert api == command_line
    assert list(api) == [row["model"] for row in json["rows"]] == [row.model for row in board.rows]
    assert recomputed == {model: row for model, row in api.items() if model in recomputed}
    for row in json["rows"]:
        for name in ratings.COLUMNS:
            published = api[row["model"]][name]
            values = (row[name], _number(released[row["model"]].get(name, row["model"])))
            assert values == (_number(published), _number(published)), name
    assert_page_shows(board)


def _number(text: str) -> float | str | None:
    try:
        return float(text)
    except ValueError:
        return text or None


def assert_page_shows(board: Board) -> None:
    page = render_board(board)
    for row in board.rows:
        if row.rating is not None and row.rating_lower is not None and row.rating_upper is not None:
            rating, lower, upper = (
                f"{value:.0f}".replace("-", MINUS)
                for value in (row.rating, row.rating_lower, row.rating_upper)
            )
            assert f"<b>{rating}</b>" in page
            assert f"{lower} – {upper}" in page
            assert f">{rank_range(row, ' – ')}</td>" in page


def test_intervals_are_clustered_by_voter_everywhere(arena: Arena) -> None:
    board = standings.leaderboard(arena.database, track_name=TRACK, now=NOW)
    assert board.parameters["intervals"] == "sandwich, by voter"


def test_the_votes_of_a_single_voter_are_taken_as_independent_and_the_board_says_so(
    tmp_path: Path,
) -> None:
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    vote(opened, TRACK, voters=1, votes=12)
    board = standings.leaderboard(opened, track_name=TRACK, now=NOW)
    assert board.parameters["intervals"] == "sandwich, by vote"
    assert board.parameters["intervals_note"] == "all votes are of one voter"
    verify_release(release(opened, tmp_path / "release", formats=("csv",)))


def test_the_board_does_not_say_that_votes_of_others_are_of_one_voter(tmp_path: Path) -> None:
    """Others voted only on a model that lost every vote, which has no rating."""
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    for number in range(FEW_VOTERS):
        booth = Booth(opened, key=f"{number:032x}", rules=VotingRules(watch_time=False))
        for turn in range(12):
            battle = booth.ask()
            booth.wait(3)
            models = booth.models(battle.token)
            loses = "Cedar" in models
            if loses or number == 0:
                choice = "b" if models[0] == "Cedar" else "a"
                booth.cast(battle.token, choice if loses else ("a", "b", "tie")[turn % 3])
            else:
                booth.cast(battle.token, "skip")
    board = standings.leaderboard(opened, track_name=TRACK, now=NOW)
    assert {row.model for row in board.rows if row.rating is not None} == {"Alder", "Birch"}
    assert describe_intervals(board) == (
        "95% intervals, votes taken as independent "
        "(the votes used, all between rated models, are of one voter)"
    )
