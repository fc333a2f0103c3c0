"""A ZIP archive of files, uncompressed, as a stream: no copy on disk, and its size known before.

`zipfile` writes a file's checksum behind its data where it cannot seek, which not every program
reads from an uncompressed entry. Here each file is read once more before, for its checksum. The
same files give the same bytes: entries have no owner, and all the same date.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

CHUNK_BYTES = 256 * 1024
MAX_BYTES = 0xFFFFFFFE  # archives of more bytes, or more files, need the larger fields of ZIP64
MAX_FILES = 0xFFFE

# As in PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_LOCAL_EXTRA = struct.Struct("<2H2Q")
_CENTRAL_EXTRA = struct.Struct("<2H3Q")
_VERSION, _ZIP64_VERSION = 20, 45
_UNIX = 3 << 8
_UTF8 = 0x800
_IN_ZIP64 = 0xFFFFFFFF  # in a field of 4 bytes: the value is in the larger field
_COUNT_IN_ZIP64 = 0xFFFF
_DATE = 1 << 5 | 1  # 1980-01-01, the first that the format knows
_MODE = 0o100644 << 16


class Entry(NamedTuple):
    """A file of an archive.

    Attributes:
        name: in the archive, with `/` between folders.
        path: of the file.
        size: in bytes.
    """

    name: str
    path: Path
    size: int


class ZipStream:
    """An archive of these files.

    Args:
        files: the name in the archive, and the path, of each. They must not change meanwhile.
    """

    def __init__(self, files: Sequence[tuple[str, Path]]) -> None:
        self._entries = [Entry(name, path, path.stat().st_size) for name, path in files]
        self._large = len(files) > MAX_FILES or self._measure(large=False) > MAX_BYTES

    @property
    def size(self) -> int:
        """Of the archive, in bytes."""
        return self._measure(large=self._large)

    def _measure(self, *, large: bool) -> int:
        each = _LOCAL.size + _CENTRAL.size
        end = _END.size
        if large:
            each += _LOCAL_EXTRA.size + _CENTRAL_EXTRA.size
            end += _ZIP64_END.size + _ZIP64_LOCATOR.size
        return end + sum(
            each + 2 * len(entry.name.encode()) + entry.size for entry in self._entries
        )

    def __iter__(self) -> Iterator[bytes]:
        """Yield the archive in parts.

        Raises:
            OSError: a file cannot be read, or has changed.
        """
        directory: list[bytes] = []
        position = 0
        for entry in self._entries:
            crc = _checksum(entry.path, entry.size, entry.path.stat().st_mtime_ns)
            directory.append(self._central(entry, crc, position))
            local = self._local(entry, crc)
            yield local
            yield from _read(entry.path, entry.size)
            position += len(local) + entry.size
        yield from directory
        yield self._end(position, sum(map(len, directory)))

    def _local(self, entry: Entry, crc: int) -> bytes:
        extra = _LOCAL_EXTRA.pack(1, 16, entry.size, entry.size) if self._large else b""
        return self._header(_LOCAL, b"PK\3\4", (), entry, crc, extra) + extra

    def _central(self, entry: Entry, crc: int, position: int) -> bytes:
        extra = b""
        if self._large:
            extra = _CENTRAL_EXTRA.pack(1, 24, entry.size, entry.size, position)
        rest = (0, 0, 0, _MODE, _IN_ZIP64 if self._large else position)
        made_by = (_UNIX | self._version,)
        return self._header(_CENTRAL, b"PK\1\2", made_by, entry, crc, extra, rest) + extra

    @property
    def _version(self) -> int:
        return _ZIP64_VERSION if self._large else _VERSION

    def _header(
        self,
        layout: struct.Struct,
        signature: bytes,
        made_by: tuple[int, ...],
        entry: Entry,
        crc: int,
        extra: bytes,
        rest: tuple[int, ...] = (),
    ) -> bytes:
        name = entry.name.encode()
        size = _IN_ZIP64 if self._large else entry.size
        common = (self._version, _UTF8, 0, 0, _DATE, crc, size, size, len(name), len(extra))
        return layout.pack(signature, *made_by, *common, *rest) + name

    def _end(self, position: int, length: int) -> bytes:
        """The end of the archive, after its directory of `length` bytes from `position` on."""
        count = len(self._entries)
        if not self._large:
            return _END.pack(b"PK\5\6", 0, 0, count, count, length, position, 0)
        rest = _ZIP64_END.size - 12  # bytes of the record after this field
        version = (_UNIX | self._version, self._version)
        return (
            _ZIP64_END.pack(b"PK\6\6", rest, *version, 0, 0, count, count, length, position)
            + _ZIP64_LOCATOR.pack(b"PK\6\7", 0, position + length, 1)
            + _END.pack(b"PK\5\6", 0, 0, *(2 * [_COUNT_IN_ZIP64]), *(2 * [_IN_ZIP64]), 0)
        )


def _read(path: Path, size: int) -> Iterator[bytes]:
    """Yield the file in parts.

    Raises:
        OSError: it cannot be read, or does not have this size.
    """
    with path.open("rb") as file:
        left = size
        for part in _parts(file):
            left -= len(part)
            if left < 0:
                break
            yield part
        if left:
            raise OSError(f"{path} has changed while it was read.")


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(CHUNK_BYTES):
        yield part


@lru_cache(maxsize=4096)  # of the files of a few releases
def _checksum(path: Path, size: int, _changed: int) -> int:
    crc = 0
    for part in _read(path, size):
        crc = zlib.crc32(part, crc)
    return crc
