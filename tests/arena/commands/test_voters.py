"""`arena audit voters`: whom the rules flag, why, and what holding their votes changes."""

import json
from pathlib import Path

import pytest
from screened_arena import LEFT_ONLY, VOTES, add_voters, held_voters
from typer.testing import CliRunner, Result

from arena.commands.cli import app
from arena.database import Database
from arena.errors import NotFound
from small_arena import TRACK, new_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    opened = new_home(folder)
    add_voters(opened)
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["audit", "voters", *words], catch_exceptions=True)


def test_flagged_voters_are_listed_with_reasons_and_what_they_change(home: Path) -> None:
    (row,) = json.loads(run("--format", "json").stdout)
    assert (row["track"], row["voter"], row["votes"]) == (TRACK, LEFT_ONLY, VOTES)
    assert (row["rule"], row["left"]) == ("one-sided", "100%")
    assert row["reason"] == "nearly always the same side"
    shown = run("--track", TRACK)
    assert "one-sided" in shown.stdout
    assert "if their votes are held: " in " ".join(shown.stderr.split())
    assert "Elo" in shown.stderr


def test_listing_holds_nothing_and_hold_writes_to_the_ledger_once(home: Path) -> None:
    opened = Database(f"sqlite:///{home / 'arena.sqlite'}")
    run()
    assert held_voters(opened) == set()
    assert f"Wrote {VOTES} hold events" in run("--hold").stdout
    assert held_voters(opened) == {LEFT_ONLY}
    assert "Wrote 0 hold events" in run("--hold").stdout
    opened.dispose()


def test_without_flagged_voters_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_home(tmp_path / "quiet").dispose()
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "quiet"))
    assert "The rules flag no voter of people." in run().stderr


def test_an_unknown_track_is_refused(home: Path) -> None:
    assert isinstance(run("--track", "none").exception, NotFound)
