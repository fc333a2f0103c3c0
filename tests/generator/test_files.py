"""Atomic writes: the whole new file or the old one."""

import os
from pathlib import Path

import pytest

from generator.files import atomic_write


def test_the_file_appears_whole_after_the_block(tmp_path: Path) -> None:
    path = tmp_path / "new" / "clip.mp4"
    with atomic_write(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_leftover_of_a_killed_run_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    (tmp_path / "clip.mp4.part").write_bytes(b"much longer than what is written now")
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_write_reaches_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    synced: list[bool] = []  # whether the new file was already in place
    path = tmp_path / "clip.mp4"
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.exists()))
    with atomic_write(path, durable=durable) as file:
        file.write(b"new")
    assert synced == ([False, True] if durable else [])  # the file, then the folder's entry
