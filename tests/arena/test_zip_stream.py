"""A streamed archive has the size that it declares, and other programs read it."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from arena import zip_stream
from arena.zip_stream import CHUNK_BYTES, ZipStream

CONTENT = {
    "top/empty.csv": b"",
    "top/media/größe.mp4": bytes(range(256)) * 5000,  # of several parts
    "top/SHA256SUMS": b"sums",
}


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[str, Path]]:
    for number, data in enumerate(CONTENT.values()):
        (tmp_path / str(number)).write_bytes(data)
    return [(name, tmp_path / str(number)) for number, name in enumerate(CONTENT)]


@pytest.mark.parametrize("large", [False, True])
def test_every_file_is_read_back(
    files: list[tuple[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(zip_stream, "MAX_FILES", len(files) - 1)
    parts = list(ZipStream(files))
    data = b"".join(parts)
    assert max(map(len, parts)) == CHUNK_BYTES
    assert len(data) == ZipStream(files).size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENT
        assert {info.extract_version for info in archive.infolist()} == {45 if large else 20}
    if shutil.which("unzip") is not None:
        (tmp_path / "copy.zip").write_bytes(data)
        subprocess.run(["unzip", "-tq", tmp_path / "copy.zip"], check=True)


def test_an_archive_of_no_files_is_one() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(ZipStream([])))) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize("data", [b"", b"longer than before"])
def test_a_file_that_changes_ends_the_stream(files: list[tuple[str, Path]], data: bytes) -> None:
    stream = ZipStream(files)
    files[-1][1].write_bytes(data)
    with pytest.raises(OSError, match="has changed"):
        list(stream)
