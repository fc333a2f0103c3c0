"""The command line: one clear line and status 1 where it fails, 2 for usage, help for all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import generator.foal

COMMANDS = (
    "demo|init|tracks list|tracks add|entrants list|entrants add|entrants retire|"
    "prompts list|prompts import|prompts retire|"
    "generate|import|serve|leaderboard|simulate|export|verify|db upgrade|db downgrade|db current"
).split("|")


def arena(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arena", *words],
        env=os.environ | {"ARENA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    assert arena(folder, "init").returncode == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    from typer.testing import CliRunner

    from arena.commands.cli import app

    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard", "--track", "no-such-track"],
        ["entrants", "add", "no-such-file.toml"],
        ["prompts", "import", "no-such-file.csv"],
        ["generate", "--entrant", "nobody"],
        ["verify", "no-such-folder"],
    ],
)
def test_what_fails_says_so_in_one_line(home: Path, words: list[str]) -> None:
    done = arena(home, *words)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_status_2(home: Path) -> None:
    assert arena(home, "simulate").returncode == 2


def test_nothing_missing_is_no_failure(home: Path) -> None:
    done = arena(home, "generate")
    assert done.returncode == 0
    assert "There are no entrants yet" in done.stdout
    assert arena(home, "init").returncode == 0
    assert arena(home, "db", "upgrade").returncode == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.3, 1.0, None])
def test_a_command_that_is_stopped_says_so_in_one_line(
    tmp_path: Path, sent: signal.Signals, after_s: float | None
) -> None:
    home = tmp_path / "home"
    assert arena(home, "init").returncode == 0
    entrants = Path(generator.foal.__file__).parent / "entrants"
    assert arena(home, "entrants", "add", str(entrants / "foal-xxs.toml")).returncode == 0
    with subprocess.Popen(
        [sys.executable, "-m", "arena", "generate"],
        env=os.environ | {"ARENA_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stderr is not None
        if after_s is None:
            assert run.stderr.readline().startswith("Generating clips: 0 of")
        time.sleep(after_s or 0.5)
        os.killpg(run.pid, sent)  # as a terminal does: its processes get it too
        _, told = run.communicate(timeout=60)
    assert run.returncode == 128 + sent
    assert told.splitlines()[-1] == "Stopped: the same command goes on from here."
    assert "Traceback" not in told


def test_a_leaderboard_of_nothing_says_what_is_missing(home: Path) -> None:
    shown = arena(home, "leaderboard")
    assert shown.returncode == 0
    assert "arena entrants add" in shown.stdout
    assert arena(home, "leaderboard", "--format", "json").stdout.strip() == "[]"
