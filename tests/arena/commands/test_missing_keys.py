"""Clips of models whose service has no key in the environment are left out, and stay missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.commands.cli import app


def run(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, words)
    text = done.output + str(done.exception or "")
    assert done.exit_code == status, text
    return text


@pytest.fixture
def contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arena with two models of two services; no key is set."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    for variable in ("ARK_API_KEY", "KLING_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    run("init", "--preset", "contest")
    run("entrants", "add", "kling-3.0", "seedance-2.5", "--track", "text-to-video")


def failed() -> int:
    tracks = json.loads(run("status", "--format", "json"))["tracks"]
    return sum(track["failed"] for track in tracks)


@pytest.mark.usefixtures("contest")
def test_without_a_key_nothing_is_ordered_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = run("generate", "--yes", status=1)
    assert "Left out 60 clips of Kling 3.0: the environment variable KLING_API_KEY is not" in text
    assert "Left out 60 clips of Seedance 2.5: the environment variable ARK_API_KEY is not" in text
    assert "120 clips cannot be ordered without a key. The first: " in text
    assert failed() == 0
    assert "120 to be ordered" in run("generate", "--dry-run")  # the bill needs no key

    monkeypatch.setenv("KLING_API_KEY", "a-key-of-this-test")
    text = run("generate", "--max-usd", "0.01", status=1)
    assert "Left out 60 clips of Seedance 2.5" in text
    assert "Left out 60 clips: with them the list price would pass" in text
    assert failed() == 0
