"""A ZIP archive of files, uncompressed, as a stream without a copy on disk."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile, ZipInfo

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK_BYTES = 256 * 1024
_MODE = 0o100644 << 16


class _Sent(io.RawIOBase):
    """What was written and not yet taken; it cannot seek, so `zipfile` writes strictly in order."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        size = len(self._data)
        self._data += data
        return len(self._data) - size

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def zip_stream(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield an archive in parts; the same files give the same bytes.

    Args:
        files: the name in the archive, and the path, of each.

    Raises:
        OSError: a file cannot be read.
    """
    sent = _Sent()
    with ZipFile(sent, "w") as archive:
        for name, path in files:
            entry = ZipInfo(name)  # dated 1980-01-01
            entry.external_attr = _MODE
            entry.file_size = path.stat().st_size  # for the larger fields that large files need
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while data := source.read(CHUNK_BYTES):
                    target.write(data)
                    yield sent.take()
    yield sent.take()
