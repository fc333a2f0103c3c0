"""Help and short commands load only what they need; a test of time would depend on the machine."""

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

RUN = f"""
import sys
from arena.commands.cli import app
app(args=sys.argv[1:], standalone_mode=False)
{LOADED}
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


def loaded(code: str, *words: str, home: Path | None = None) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | ({"ARENA_HOME": str(home)} if home else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("loaded:").split())


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
    assert loaded(RUN, "init", home=home) <= needed | migrated
    assert loaded(RUN, "init", home=home) <= needed  # nothing left to do
    assert loaded(RUN, "prompts", "list", home=home) <= needed
    spec = tmp_path / "files.toml"
    spec.write_text(SPEC)
    for _ in range(2):  # the second shows what the first has stored
        shown = loaded(RUN, "leaderboard", "--voters", "simulated", home=home)
    assert shown <= needed
    probes = {"PIL", "av", "numpy"}  # of the folder's clips
    assert loaded(RUN, "entrants", "add", str(spec), home=home) <= needed | probes
