"""Where votes come from: files in several formats, compressed or not, and standard input.

The format of a file follows from its name, that of standard input from its first bytes.
Compressed data, standard input and text in UTF-16 are first copied to a temporary file.
"""

import bz2
import codecs
import gzip
import io
import lzma
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ratings.errors import VotesError

STANDARD_INPUT = "-"
KINDS = {  # by suffix
    ".csv": ".csv",
    ".tsv": ".tsv",
    ".tab": ".tsv",
    ".jsonl": ".jsonl",
    ".ndjson": ".jsonl",
    ".parquet": ".parquet",
    ".pq": ".parquet",
}
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
_UNKNOWN = "is not a .csv, .parquet or .jsonl file, nor .tsv or .ndjson, nor one compressed"
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 4096  # bytes from which a format is detected
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file of votes that can be read.

    Attributes:
        path: of the file itself, or of its decompressed copy.
        kind: ".csv", ".tsv", ".jsonl" or ".parquet".
        name: as the user named it, for messages.
    """

    path: Path
    kind: str
    name: str


@contextmanager
def open_source(name: str | Path) -> Iterator[Source]:
    """Find out what a file contains, and decompress it if necessary.

    Args:
        name: path of a file, or "-" for standard input.

    Raises:
        VotesError: the name's format is not known, or the archive cannot be read.
    """
    shown = "standard input" if str(name) == STANDARD_INPUT else str(name)
    with ExitStack() as stack:
        if str(name) == STANDARD_INPUT:
            path, kind = _copy(sys.stdin.buffer, stack), None
        else:
            path, kind = Path(name), _kind_of_name(Path(name))
        head = _head(path)
        try:
            while (packed := _open_packed(path, head, stack)) is not None:
                inner_kind, file = packed
                path, kind = _copy(file, stack), kind or inner_kind
                head = _head(path)
        except (EOFError, zipfile.BadZipFile, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise VotesError(f"{shown} is damaged: {error}") from None
        if head[:2] in _UTF16:
            path = _as_utf8(path, shown, stack)
            head = _head(path)
        kind = kind or _kind_of_content(head)
        if kind is None:
            raise VotesError(f"{shown} {_UNKNOWN}")
        yield Source(path, kind, shown)


def _kind_of_name(path: Path) -> str | None:
    """The format by the suffixes, without those of compression; None for a name without one.

    Raises:
        VotesError: the suffix is not that of a format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    if not suffixes and path.suffix.lower() in _COMPRESSED:
        return None
    if not suffixes or suffixes[-1] not in KINDS:
        if path.suffix.lower() in _COMPRESSED:
            return None
        raise VotesError(f"{path} {_UNKNOWN}")
    return KINDS[suffixes[-1]]


def _kind_of_content(head: bytes) -> str | None:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(_PARQUET):
        return ".parquet"
    if text.startswith(b"{"):
        return ".jsonl"
    header = text.splitlines()[0] if text else b""
    if b"\0" in header:
        return None
    return ".tsv" if b"\t" in header and b"," not in header else ".csv"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _open_packed(path: Path, head: bytes, stack: ExitStack) -> tuple[str | None, IO[bytes]] | None:
    """The content of a compressed file, and its format if its name says so; None for others."""
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return None, stack.enter_context(opener(path, "rb"))  # type: ignore[operator]
    if not head.startswith(_ZIP):
        return None
    archive = stack.enter_context(zipfile.ZipFile(path))
    members = [
        member
        for member in archive.namelist()
        if not member.endswith("/")
        and not member.startswith("__MACOSX/")
        and not Path(member).name.startswith(".")
    ]
    if len(members) != 1:
        raise VotesError(f"{path} holds {len(members)} files: extract the one with the votes")
    return _kind_of_name(Path(members[0])), stack.enter_context(archive.open(members[0]))


def _copy(file: IO[bytes], stack: ExitStack) -> Path:
    copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="votes-"))
    shutil.copyfileobj(file, copy, _CHUNK)
    copy.flush()
    return Path(copy.name)


def _as_utf8(path: Path, shown: str, stack: ExitStack) -> Path:
    copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="votes-"))
    try:
        with path.open(encoding="utf-16", newline="") as text:
            writer = io.TextIOWrapper(copy, encoding="utf-8", newline="", write_through=True)
            shutil.copyfileobj(text, writer, _CHUNK)
            writer.flush()
            writer.detach()
    except UnicodeError:
        raise VotesError(f"{shown} is not UTF-8 or UTF-16 text; save it as UTF-8") from None
    return Path(copy.name)
