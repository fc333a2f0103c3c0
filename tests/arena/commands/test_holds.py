"""`arena holds`: the ledger on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arena.commands.cli import app
from arena.errors import ArenaError
from small_arena import Booth, new_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    opened = new_home(folder)
    booth = Booth(opened)
    for choice in ("a", "b", "skip"):
        booth.vote(choice)
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=True)


def test_votes_are_held_listed_and_released(home: Path) -> None:
    assert "Held vote 2." in run("holds", "add", "2", "--reason", "Twice.").stdout
    assert "Held 1 vote of voter 1" in run("holds", "add", "--voter", "1", "--reason", "X.").stdout
    released = run("holds", "release", "2", "--reason", "Checked.", "--author", "Ada")
    assert "Vote 2 counts again." in released.stdout
    kept = run("holds", "release", "--voter", "1", "--reason", "Checked.")
    assert "1 vote of voter 1 counts again." in kept.stdout
    events = json.loads(run("holds", "list", "--format", "json").stdout)
    assert [(each["vote"], each["kind"], each["author"]) for each in events] == [
        *((2, "hold", "operator"), (1, "hold", "operator"), (2, "release", "Ada")),
        (1, "release", "operator"),
    ]
    assert {each["rule"] for each in events} == {"operator"}
    listed = run("holds", "list", "--voter", "1", "--track", "text-to-video")
    assert len(listed.stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("holds", "add", "99", "--reason", "X."), 1),
        (("holds", "add", "3", "--reason", "X."), 1),  # a skip
        (("holds", "release", "--voter", "99", "--reason", "X."), 1),
        (("holds", "list", "--track", "none"), 1),
        (("holds", "add", "--reason", "X."), 2),
        (("holds", "add", "1", "--voter", "1", "--reason", "X."), 2),
        (("holds", "add", "1", "--reason", " "), 2),
        (("holds", "add", "one", "--reason", "X."), 2),
        (("holds", "add", "1"), 2),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    home: Path, words: tuple[str, ...], exit_code: int
) -> None:
    found = run(*words)
    if exit_code == 2:
        assert found.exit_code == 2
    else:
        assert isinstance(found.exception, ArenaError)
        assert found.exception.exit_status == 1
        assert str(found.exception).count(".") >= 1
