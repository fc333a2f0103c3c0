"""Where masters and renditions live, and how they are read: a folder, or S3 through fsspec."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from arena.errors import (
    ArenaError,
    ConfigurationError,
    NotFound,
    ProductionError,
    StoreUnavailable,
)

NAME_BYTES = 16  # a stored file's name says nothing of what is in it
REMOTE_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class MediaStore:
    """Files under one root. Names are given by the store and never reused."""

    filesystem: fsspec.AbstractFileSystem
    root: str

    def put(self, data: bytes, *, folder: str, suffix: str) -> str:
        """Store `data` whole or not at all, under a fresh random name; its path in the store.

        Raises:
            ProductionError: where the store cannot be written.
        """
        name = secrets.token_hex(NAME_BYTES)
        path = f"{folder}/{name[:2]}/{name}{suffix}"
        draft = self._full(f"{folder}/{name[:2]}/.{name}.draft")
        try:
            self.filesystem.makedirs(self._full(f"{folder}/{name[:2]}"), exist_ok=True)
            # Aside and moved: a kill leaves a draft that no row names, never half a clip.
            self.filesystem.pipe_file(draft, data)
            self.filesystem.mv(draft, self._full(path))
        except OSError as error:
            with suppress(OSError):  # on a full disk, room for the next try
                self.filesystem.rm_file(draft)
            raise ProductionError(
                f"The clip could not be stored in {self.root} ({error}): "
                "make room or make the folder writable, and run the same command again."
            ) from error
        return path

    def size(self, path: str) -> int:
        """Bytes of a stored file.

        Raises:
            NotFound: where the store has no such file.
            StoreUnavailable: where the store itself is away.
        """
        try:
            return int(self.filesystem.size(self._full(path)))
        except OSError as error:
            raise self._unreadable() from error

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to (not with) `end` of a stored file; raises as `size` does."""
        try:
            return bytes(self.filesystem.cat_file(self._full(path), start=start, end=end))
        except OSError as error:
            raise self._unreadable() from error

    def delete(self, path: str) -> None:
        """Remove a file that no row names any more; one that is gone already is no error."""
        if self.filesystem.exists(self._full(path)):
            self.filesystem.rm_file(self._full(path))

    def ping(self) -> None:
        """Raise StoreUnavailable unless the store's root is there."""
        try:
            there = self.filesystem.exists(self.root)
        except OSError:
            there = False
        if not there:
            raise StoreUnavailable("The media store does not answer: try again.")

    def _unreadable(self) -> ArenaError:
        """Why a file cannot be read: the whole store is away, or only this file."""
        try:
            self.ping()
        except StoreUnavailable as error:
            return error
        return NotFound("This clip's file is gone from the store.")

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}"


def open_store(url: str) -> MediaStore:
    """The store at a folder's path or an fsspec address such as s3://bucket/prefix; made if new.

    Raises:
        ConfigurationError: an unknown kind of address, or a folder that cannot be made.
    """
    options: dict[str, Any] = {} if _is_local(url) else {"default_block_size": REMOTE_BLOCK_BYTES}
    try:
        filesystem, root = url_to_fs(url, **options)
        filesystem.makedirs(root, exist_ok=True)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"ARENA_MEDIA_URL {url} is not understood: {error}.") from error
    except OSError as error:
        raise ConfigurationError(
            f"The media store {url} cannot be written ({error.strerror or error}): "
            "make it writable or set ARENA_MEDIA_URL."
        ) from error
    return MediaStore(filesystem=filesystem, root=root)


def _is_local(url: str) -> bool:
    return "://" not in url or url.startswith("file://")
