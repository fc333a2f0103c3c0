"""A streamed archive is read by other programs, and comes in parts."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from arena.zip_stream import CHUNK_BYTES, zip_stream

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


def test_every_file_is_read_back(files: list[tuple[str, Path]], tmp_path: Path) -> None:
    parts = list(zip_stream(files))
    data = b"".join(parts)
    assert max(map(len, parts)) < 2 * CHUNK_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENT
    if shutil.which("unzip") is not None:
        (tmp_path / "copy.zip").write_bytes(data)
        subprocess.run(["unzip", "-tq", tmp_path / "copy.zip"], check=True)


def test_an_archive_of_no_files_is_one() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream([])))) as archive:
        assert archive.namelist() == []


def test_a_client_that_leaves_ends_the_stream(files: list[tuple[str, Path]]) -> None:
    stream = iter(zip_stream(files[1:]))
    next(stream)
    files[2][1].unlink()
    stream.close()  # type: ignore[attr-defined]
