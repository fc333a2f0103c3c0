"""Help and short commands load only what they need; a test of time would depend on the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Packages and modules that take long to load.
HEAVY = {
    *("PIL", "alembic", "altair", "av", "diffusers", "email", "fastapi", "fsspec", "matplotlib"),
    *("numpy", "openai", "pandas", "pyarrow", "pydantic", "pydantic_settings", "ray"),
    *("rich.markdown", "rich.progress", "rich.traceback", "scipy", "scipy.optimize"),
    *("scipy.sparse", "scipy.stats", "sqlalchemy", "streamlit", "torch", "transformers"),
    *("typer.rich_utils", "uvicorn"),
}
LOADED = f"print('loaded:', *sorted({HEAVY!r} & sys.modules.keys()))"

EVERY_HELP = f"""
import sys
from typing import Any
from typer.main import get_command
from typer.testing import CliRunner
from arena.commands.cli import app

def groups(command, *path):
    yield path
    for name, each in getattr(command, "commands", {{}}).items():
        yield from groups(each, *path, name)

for words in groups(get_command(app)):
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0, words
{LOADED}
"""

# Each command in a fork of the program before it has loaded anything for a command.
RUN = f"""
import json, os, sys
from arena.commands.cli import app

for words in json.loads(sys.argv[1]):
    sys.stdout.flush()
    if os.fork() == 0:
        app(args=words, standalone_mode=False)
        {LOADED}
        sys.stdout.flush()
        os._exit(0)
    assert os.wait()[1] == 0, words
"""

SPEC = """
name = "From files"
creator = "Me"
licence = "CC0-1.0"
tracks = ["text-to-video"]
[backend]
kind = "folder"
path = "."
"""


def all_loaded(code: str, *words: str, home: Path | None = None) -> list[set[str]]:
    """What the code has loaded, by itself or in each of its forks."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | ({"ARENA_HOME": str(home)} if home else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("loaded:")]
    return [set(line.removeprefix("loaded:").split()) for line in lines]


def loaded(code: str, *words: str) -> set[str]:
    (names,) = all_loaded(code, *words)
    return names


def test_the_help_of_no_command_loads_a_heavy_package() -> None:
    assert loaded(EVERY_HELP) == set()


def test_the_help_of_ratings_loads_a_heavy_package_neither() -> None:
    code = f"""
import sys
from ratings.__main__ import main
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
{LOADED}
"""
    assert loaded(code) == set()


@pytest.mark.parametrize("options", [(), ("--format", "csv"), ("--ties", "davidson")])
def test_ratings_of_a_file_load_neither_statistics_nor_optimizers(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    votes = tmp_path / "votes.csv"
    row = "Alder,Birch,model_{winner},{voter}\n"
    rows = [row.format(winner="ab"[n % 2], voter=n % 5) for n in range(20)]
    votes.write_text("model_a,model_b,winner,voter\n" + "".join(rows))
    code = f"""
import sys
from ratings.__main__ import main
assert main(sys.argv[1:]) == 0
{LOADED}
"""
    needed = {"email", "numpy", "pandas", "pyarrow", "scipy"}  # pandas itself loads pyarrow
    assert loaded(code, str(votes), *options) <= needed


def test_short_commands_load_the_database_and_little_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    needed = {"email", "fsspec", "pydantic", "pydantic_settings", "sqlalchemy"}
    migrated = {"alembic", "numpy", "pandas", "pyarrow"}  # and the shipped prompts read
    probes = {"PIL", "av", "numpy"}  # of the folder's clips
    spec = tmp_path / "files.toml"
    spec.write_text(SPEC)
    board = ["leaderboard", "--voters", "simulated"]
    commands = {
        "init": (["init"], needed | migrated),
        "init again": (["init"], needed),  # nothing left to do
        "prompts": (["prompts", "list"], needed),
        "board": (board, None),
        "board again": (board, needed),  # shows what the first has stored
        "entrants": (["entrants", "add", str(spec)], needed | probes),
    }
    words = json.dumps([each for each, _ in commands.values()])
    found = all_loaded(RUN, words, home=home)
    for (name, (_, allowed)), names in zip(commands.items(), found, strict=True):
        assert allowed is None or names <= allowed, name
