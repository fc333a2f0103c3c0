"""A file that is not the one that was stored is not served, and its clip is withheld."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sealed_arena import signer_of
from sqlalchemy import select
from starlette.testclient import TestClient

from arena.catalog.withholding import list_withheld
from arena.context import Arena
from arena.database import Database
from arena.errors import ReleaseError, StoreUnavailable
from arena.integrity import FileChecker, FileKind, check_files, list_files, withhold_damaged
from arena.media import MediaStore, open_store
from arena.models import Clip, WithheldCause
from arena.release import export_release
from arena.settings import Settings
from arena.web.app import add_security, make_api
from arena.web.server.sweep import sweep_file
from small_arena import START, TRACK

API = "/api/v1"


@pytest.fixture
def arena(arena_database: Database, tmp_path: Path) -> Arena:
    """The small arena with a file for every clip, of the right size and hash."""
    folder = tmp_path / "media"
    with arena_database.writing() as session:
        for clip in session.scalars(select(Clip)):
            content = str(clip.rendition_path).encode().ljust(clip.track.bytes, b".")
            path = folder / str(clip.rendition_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            clip.sha256 = hashlib.sha256(content).hexdigest()
            master = folder / str(clip.master_path)
            master.parent.mkdir(parents=True, exist_ok=True)
            master.write_bytes(b"master of " + content)
            clip.master_sha256 = hashlib.sha256(b"master of " + content).hexdigest()
    return Arena(
        settings=Settings(home=tmp_path, secret_key="0123456789abcdef" * 2),  # type: ignore[arg-type]
        database=arena_database,
        store=open_store(str(folder)),
    )


@pytest.fixture
def voter(arena: Arena) -> Iterator[TestClient]:
    with TestClient(add_security(make_api(arena), arena)) as client:
        yield client


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def swap(path: Path) -> None:
    """Replace the file by that of another clip, which has the same size."""
    other = next(each for each in path.parent.iterdir() if each != path)
    path.write_bytes(other.read_bytes())


DAMAGE = {"truncated": truncate, "swapped": swap, "missing": Path.unlink}


def withheld(arena: Arena) -> dict[int, WithheldCause]:
    with arena.database.reading() as session:
        return {each.clip_id: each.cause for each in list_withheld(session)}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_clip_is_not_served_and_is_withheld(
    arena: Arena, voter: TestClient, kind: str
) -> None:
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    url = battle["a"]["video"]
    intact = voter.get(url)
    assert intact.status_code == 200
    path = arena.store.root + "/" + intact.content.rstrip(b".").decode()
    DAMAGE[kind](Path(path))
    for headers in ({}, {"Range": "bytes=0-99"}):
        refused = voter.get(url, headers=headers)
        assert refused.status_code == 404
        assert b"renditions/" not in refused.content
    assert list(withheld(arena).values()) == [WithheldCause.DAMAGED]
    renewed = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    assert renewed["token"] != battle["token"]


def test_a_clip_is_read_once_and_then_only_looked_up(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    sha256 = MediaStore.sha256

    def count(store: MediaStore, path: str) -> str:
        reads.append(path)
        return sha256(store, path)

    monkeypatch.setattr(MediaStore, "sha256", count)
    checker = FileChecker(arena.store)
    file = list_files(arena.database, masters=False)[0].file
    assert [checker.find_damage(file) for _ in range(5)] == [None] * 5
    assert reads == [file.path]
    path = Path(arena.store.root) / file.path
    os.utime(path, (1, 1))  # touched, with the same content
    assert checker.find_damage(file) is None
    assert len(reads) == 2


def test_a_sweep_finds_what_nobody_has_asked_for(arena: Arena) -> None:
    files = list_files(arena.database, masters=False)
    swap(Path(arena.store.root) / files[3].file.path)
    for checked in files:
        sweep_file(arena, checked)
    assert withheld(arena) == {files[3].file.clip_id: WithheldCause.DAMAGED}
    assert len(list_files(arena.database, masters=False)) == len(files) - 1


def test_a_check_of_all_files_names_each_damaged_one_and_changes_nothing(arena: Arena) -> None:
    files = list_files(arena.database, masters=True)
    masters = [each for each in files if each.kind is FileKind.MASTER]
    assert len(masters) * 2 == len(files)
    (Path(arena.store.root) / masters[0].file.path).write_bytes(b"another")
    clip = next(each for each in files if each.kind is FileKind.CLIP)
    truncate(Path(arena.store.root) / clip.file.path)
    damaged = [each for each in check_files(arena.database, arena.store) if each.damage]
    assert {each.kind for each in damaged} == {FileKind.MASTER, FileKind.CLIP}
    assert all(each.owner.startswith("clip ") for each in damaged)
    assert withheld(arena) == {}


def test_an_unmounted_media_store_withholds_nothing(
    arena: Arena, voter: TestClient, tmp_path: Path
) -> None:
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    files = list_files(arena.database, masters=False)
    (tmp_path / "media").rename(tmp_path / "elsewhere")
    assert voter.get(battle["a"]["video"]).status_code == 503
    (tmp_path / "media").mkdir()
    assert voter.get(battle["a"]["video"]).status_code == 503
    with pytest.raises(StoreUnavailable, match="mounted"):
        sweep_file(arena, files[0])
    (tmp_path / "media").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "media")
    assert voter.get(battle["a"]["video"]).status_code == 200
    assert withheld(arena) == {}


def test_a_disk_that_cannot_be_read_withholds_nothing(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_values: Any, **_options: Any) -> None:
        raise OSError(5, "Input/output error")

    files = list_files(arena.database, masters=False)
    monkeypatch.setattr(type(arena.store.filesystem), "cat_file", fail)
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        sweep_file(arena, files[0])
    assert withheld(arena) == {}


def test_withholding_is_recorded_once(arena: Arena) -> None:
    file = list_files(arena.database, masters=False)[0].file
    for is_new in (True, False):
        stored = withhold_damaged(
            arena.database, arena.store, file, "its file is damaged", now=START
        )
        assert stored is is_new


@pytest.mark.parametrize("kind", ["truncated", "swapped"])
def test_an_export_with_media_refuses_a_damaged_clip(
    arena: Arena, tmp_path: Path, kind: str
) -> None:
    path = list_files(arena.database, masters=False)[5].file.path
    DAMAGE[kind](Path(arena.store.root) / path)
    folder = tmp_path / "release"
    with pytest.raises(ReleaseError, match=f"{path}.*restore it from a backup"):
        export_release(
            arena.database,
            folder,
            signer=signer_of(arena.database),
            store=arena.store,
            with_media=True,
            now=START,
        )
    assert not folder.exists()
    signer = signer_of(arena.database)
    export_release(arena.database, folder, signer=signer, store=arena.store, now=START)
