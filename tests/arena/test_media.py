"""A file is stored completely or not at all, under a random name."""

from pathlib import Path

import pytest

from arena.errors import ConfigurationError, NotFound, ProductionError
from arena.media import open_store


def test_a_stored_file_is_read_completely_or_in_parts(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "media"))
    path = store.put(b"0123456789", folder="renditions", suffix=".mp4")
    assert store.size(path) == 10
    assert store.read(path) == b"0123456789"
    assert store.read(path, 3, 6) == b"345"
    store.delete(path)
    store.delete(path)
    with pytest.raises(NotFound):
        store.read(path)


def test_the_same_bytes_get_a_new_name_each_time(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    names = {store.put(b"same", folder="renditions", suffix=".mp4") for _ in range(3)}
    assert len(names) == 3
    assert not list(tmp_path.rglob("*.draft"))


def test_a_store_in_memory_works_too() -> None:
    store = open_store("memory://arena-test")
    path = store.put(b"abc", folder="masters", suffix=".mkv")
    assert store.read(path, 1) == b"bc"
    store.ping()


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        open_store(str(tmp_path / "file" / "media"))
    store = open_store(str(tmp_path / "media"))
    (tmp_path / "media" / "masters").write_text("in the way")
    with pytest.raises(ProductionError, match="could not be stored"):
        store.put(b"", folder="masters", suffix=".mp4")


def test_an_unsupported_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ARENA_MEDIA_URL"):
        open_store("pigeon://loft")
