"""`arena seals` on the command line: a key that was lost is replaced openly."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arena.audit.keys import KEY_FILE
from arena.commands.cli import app
from arena.errors import ConfigurationError, ReleaseError
from small_arena import Booth, new_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    opened = new_home(folder)
    Booth(opened).vote("a")
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=True)


def test_a_lost_key_is_replaced_and_releases_say_so(home: Path, tmp_path: Path) -> None:
    assert run("seals", "make").exit_code == 0
    old = run("seals", "list", "--format", "csv").stdout.split(",")[-1].strip()
    (home / KEY_FILE).unlink()
    failed = run("export", str(tmp_path / "failed"))
    assert isinstance(failed.exception, ConfigurationError)
    assert "If it is lost, see `arena seals replace-lost-key --help`." in str(failed.exception)
    words = ("seals", "replace-lost-key", "--reason", "The disk failed.")
    new = re.findall("[0-9a-f]{64}", run(*words).stdout)[0]
    assert run("export", str(tmp_path / "release")).exit_code == 0
    verified = run("verify", str(tmp_path / "release"), "--key", new)
    said = " ".join(verified.stdout.split())
    assert f"Note that the key {old} was lost and replaced on" in said
    assert "(The disk failed)" in said
    refused = run("verify", str(tmp_path / "release"), "--key", old)
    assert isinstance(refused.exception, ReleaseError)
    assert f"does not follow from {old}: the key {old} was lost" in str(refused.exception)
    assert f"Note that the key {old} was lost" in " ".join(run("audit", "seals").stdout.split())


def test_a_key_that_is_there_is_rotated_instead(home: Path) -> None:
    run("seals", "make")
    refused = run("seals", "replace-lost-key", "--reason", "A mistake.")
    assert isinstance(refused.exception, ConfigurationError)
    assert "`arena seals rotate-key` replaces it" in str(refused.exception)
    assert run("seals", "replace-lost-key").exit_code == 2


def test_seals_say_that_they_count_skips_and_honey_pairs_as_well(home: Path) -> None:
    included = "1 vote, skips and answers to honey pairs included"
    assert included in " ".join(run("seals", "make").stdout.split())
    assert f"{included}, in 1 seal are as they were sealed" in " ".join(
        run("audit", "seals").stdout.split()
    )
