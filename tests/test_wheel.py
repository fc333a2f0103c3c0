"""The wheel contains every file of a checkout, and an arena works from it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from arena.database import head_revision

ROOT = Path(__file__).parent.parent
BUILD = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
PARTS = ("arena", "generator", "ratings", "alembic")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_has_every_file_of_the_packages(site: Path) -> None:
    def files(folder: Path) -> set[str]:
        paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return {str(path) for path in paths if path.suffix != ".pyc"}

    for package in ("arena", "generator", "ratings"):
        missing = files(ROOT / package) - files(site / package)
        assert not missing
    assert files(ROOT / "alembic") == files(site / "arena" / "_migrations")


PROGRAM = """
import sys
import arena
import arena.__main__ as command

print(arena.__file__)
for words in (["init"], ["db", "current"]):
    sys.argv[1:] = words
    try:
        command.main()
    except SystemExit as ended:
        assert not ended.code
"""


def test_an_installed_arena_creates_its_database(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site), "ARENA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert head_revision() in done.stdout
