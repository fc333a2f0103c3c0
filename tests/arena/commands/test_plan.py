"""`arena plan`: how many more votes tell neighbours apart."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arena.commands.cli import app
from arena.errors import ConfigurationError
from arena.voting.limits import VotingRules
from small_arena import NAMES, TRACK, Booth, new_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An arena with votes in one of its two tracks."""
    folder = tmp_path / "home"
    opened = new_home(folder)
    for number in range(4):
        booth = Booth(opened, key=f"{number:032x}", rules=VotingRules(watch_time=False))
        for choice in ("a", "b", "tie", "b", "a"):
            booth.cast(booth.ask().token, choice)
            booth.wait(3)
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["plan", *words], catch_exceptions=False)


def test_every_neighbour_has_a_row_in_each_format(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--track", TRACK, "--format", "csv").stdout)))
    document = json.loads(run("--track", TRACK, "--format", "json").stdout)
    table = run("--track", TRACK)
    assert len(rows) == len(document["neighbours"]) == len(NAMES) - 1
    assert document["power"] == 0.8
    for row, neighbour in zip(rows, document["neighbours"], strict=True):
        assert (row["model"], row["next"]) == (neighbour["model"], neighbour["next"])
        assert row["more_votes"] == str(neighbour["more_votes"] or "")
        assert {row["model"], row["next"]} <= set(NAMES)
        assert row["model"] in table.stdout
    assert "first place" in table.stderr


def test_the_table_is_in_rounded_elo_and_words_and_explains_its_columns(home: Path) -> None:
    table = run("--track", TRACK)
    heading, *lines = table.stdout.splitlines()
    document = json.loads(run("--track", TRACK, "--format", "json").stdout)
    for line, row in zip(lines, document["neighbours"], strict=True):
        assert f"{row['gap_lower']:.0f} to {row['gap_upper']:.0f}" in line
        assert ("  yes  " if row["told_apart"] else "  no  ") in line
        assert not any(word in line for word in ("True", "False", "."))
    assert "allowing for error" in heading
    assert "with a probability of 80%" in table.stderr
    assert "allowing for error" in run("--help").stdout.replace("\n", " ")


def test_without_a_track_all_tracks_with_ratings_are_planned(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--format", "csv").stdout)))
    assert {row["track"] for row in rows} == {TRACK}


def test_without_votes_by_people_both_commands_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_home(tmp_path / "home").dispose()
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    assert "No track has two models rated by people yet." in run().output
    hint = "Simulated votes have leaderboards of their own: --voters simulated."
    for voters, hinted in (("people", True), ("simulated", False)):
        shown = CliRunner().invoke(app, ["leaderboard", "--voters", voters]).stdout
        assert (hint in shown) is hinted


def test_more_power_needs_more_votes_and_an_impossible_power_is_refused(home: Path) -> None:
    def votes(power: str) -> int:
        answer = run("--track", TRACK, "--format", "json", "--power", power)
        return int(json.loads(answer.stdout)["neighbours"][0]["assured_votes"] or 10**9)

    assert votes("0.5") <= votes("0.9")
    with pytest.raises(ConfigurationError, match="--power"):
        run("--power", "1.5")
