"""Atomic file writing, and links."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# The hub's cache links from snapshots/COMMIT to blobs/ beside it.
SNAPSHOTS, BLOBS = "snapshots", "blobs"
SUFFIX = ".part"  # of the temporary file, added to the whole name


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` once the block ends without an error.

    A reader, and a run that follows a killed one, finds the old file or the new one, never half of
    one. The temporary file lies in the same folder, `path` plus `.part`: a leftover of a killed run
    is overwritten by the next write, and two writers of one path must not overlap. After an
    error it is removed and `path` is untouched.

    Args:
        path: the file to write; its folder is created if needed.
        durable: flush the file and the folder's entry to disk, so that a power cut after the block
            loses nothing. Costs a few milliseconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + SUFFIX)
    try:
        with temporary.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def leaves_folder(file: Path, folder: Path) -> bool:
    """Whether a file of a folder is a link to something outside it.

    A folder of somebody else's may link to any file of this machine. Allowed are links within the
    folder, and those from the snapshot of a hub's cache to the blobs beside it.
    """
    if not file.is_symlink():
        return False
    target = file.resolve()
    allowed = [folder.resolve()]
    if folder.parent.name == SNAPSHOTS:
        allowed.append((folder.parent.parent / BLOBS).resolve())
    return not (target.is_file() and any(target.is_relative_to(parent) for parent in allowed))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
