"""Writes a file or a folder under a temporary name and renames it once it is complete.

A reader, a crash or a full disk then meets the old content or the new, never a part. What is not
covered: the rename is atomic only within one file system (so the temporary name is a sibling of
the final one), and nothing is fsynced, so a power cut may still lose what was written last.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_name(name: str) -> str:
    """Return a hidden, random file name to write `name` under until it is complete."""
    return f".{name}.{secrets.token_hex(4)}.draft"


@contextmanager
def atomic_write(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a sibling path to create a file or folder at; move it to `path` if the block succeeds.

    Args:
        path: the final name; its folder must exist.
        overwrite: if False, a file that already exists is kept and the new one dropped, also when
            two processes write at once.

    Raises:
        OSError: the file or folder cannot be written or moved.
    """
    draft = path.parent / temporary_name(path.name)
    try:
        yield draft
        if overwrite:
            os.replace(draft, path)
        else:
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                return
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
