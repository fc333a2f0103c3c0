"""Stores masters and renditions: in a folder, or in S3 and the like through fsspec."""

import hashlib
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
from arena.files import temporary_name

NAME_BYTES = 16  # of a stored file's random name, which says nothing about its content
REMOTE_BLOCK_BYTES = 1 << 20
# Of what file systems report about a file: local ones the first five, S3 and the like the others.
STAMP = ("size", "mtime", "created", "ino", "mode", "ETag", "LastModified")


@dataclass(frozen=True)
class MediaStore:
    """Files under one root; the store chooses their names and never reuses one."""

    filesystem: fsspec.AbstractFileSystem
    root: str

    def put(self, data: bytes, *, folder: str, suffix: str) -> str:
        """Store `data` completely or not at all under a new random name; return its path.

        Raises:
            ProductionError: the store cannot be written.
        """
        name = secrets.token_hex(NAME_BYTES)
        path = f"{folder}/{name[:2]}/{name}{suffix}"
        draft = self._full(f"{folder}/{name[:2]}/{temporary_name(name)}")
        try:
            self.filesystem.makedirs(self._full(f"{folder}/{name[:2]}"), exist_ok=True)
            # As `arena.files.atomic_write`, on any file system of fsspec: a crash leaves a draft
            # that no row refers to, never a partial clip.
            self.filesystem.pipe_file(draft, data)
            self.filesystem.mv(draft, self._full(path))
        except OSError as error:
            with suppress(OSError):  # on a full disk, frees space for the next attempt
                self.filesystem.rm_file(draft)
            raise ProductionError(
                f"The clip could not be stored in {self.root} ({error}): "
                "free some space or make the folder writable, and run the same command again."
            ) from error
        return path

    def size(self, path: str) -> int:
        """Return the size of a stored file in bytes.

        Raises:
            NotFound: the store has no such file.
            StoreUnavailable: the store itself cannot be reached.
        """
        try:
            return int(self.filesystem.size(self._full(path)))
        except OSError as error:
            raise self._unreadable(error) from error

    def exists(self, path: str) -> bool:
        """Whether the store has a file; raises StoreUnavailable if it cannot be reached."""
        try:
            self.size(path)
        except NotFound:
            return False
        return True

    def stamp(self, path: str) -> tuple[Any, ...]:
        """Return what changes if the file is replaced: cheap, and not its content.

        Raises:
            NotFound: the store has no such file.
            StoreUnavailable: the store itself cannot be reached.
        """
        try:
            info = self.filesystem.info(self._full(path))
        except OSError as error:
            raise self._unreadable(error) from error
        return tuple(str(info.get(name)) for name in STAMP)

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a stored file in hexadecimal; raises as `size` does."""
        size, digest = self.size(path), hashlib.sha256()
        for start in range(0, size, REMOTE_BLOCK_BYTES):
            digest.update(self.read(path, start, min(size, start + REMOTE_BLOCK_BYTES)))
        return digest.hexdigest()

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes of a stored file from `start` to before `end`; raises as `size` does."""
        try:
            return bytes(self.filesystem.cat_file(self._full(path), start=start, end=end))
        except OSError as error:
            raise self._unreadable(error) from error

    def delete(self, path: str) -> None:
        """Delete a file that no row refers to any more; a missing file is not an error."""
        if self.filesystem.exists(self._full(path)):
            self.filesystem.rm_file(self._full(path))

    def ping(self) -> None:
        """Raise StoreUnavailable unless the store's root exists."""
        try:
            exists = self.filesystem.exists(self.root)
        except OSError:
            exists = False
        if not exists:
            raise StoreUnavailable("The media store does not respond: try again.")

    def _unreadable(self, error: OSError) -> ArenaError:
        """Return why a file cannot be read: the whole store is unavailable, or only this file."""
        try:
            self.ping()
        except StoreUnavailable as unavailable:
            return unavailable
        if not isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return StoreUnavailable(
                f"The media store cannot be read ({error.strerror or type(error).__name__})."
            )
        return NotFound("The file of this clip is missing from the media store.")

    def _full(self, path: str) -> str:
        return f"{self.root}/{path}"


def find_damage(store: MediaStore, path: str, *, sha256: str, size: int | None) -> str | None:
    """Return what is wrong with a stored file, or None if it is intact; reads the whole file.

    Args:
        store: holds the file.
        path: in the store.
        sha256: what the file should have, in hexadecimal.
        size: what the file should have, in bytes; None: unknown.

    Raises:
        StoreUnavailable: the store itself cannot be reached.
    """
    try:
        actual = store.size(path)
        if size is not None and actual != size:
            return f"its file {path} has {actual} bytes instead of {size}"
        found = store.sha256(path)
    except NotFound:
        return f"its file {path} is missing"
    if found != sha256:
        return f"its file {path} is not the one that was stored"
    return None


def open_store(url: str) -> MediaStore:
    """Open the store at a folder's path or an fsspec URL such as s3://bucket/prefix; create it.

    Raises:
        ConfigurationError: an unknown kind of URL, or a folder that cannot be created.
    """
    options: dict[str, Any] = {} if _is_local(url) else {"default_block_size": REMOTE_BLOCK_BYTES}
    try:
        filesystem, root = url_to_fs(url, **options)
        filesystem.makedirs(root, exist_ok=True)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"ARENA_MEDIA_URL {url} is not a valid URL of a store: {error}."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"The media store {url} cannot be written ({error.strerror or error}): "
            "make it writable or set ARENA_MEDIA_URL."
        ) from error
    return MediaStore(filesystem=filesystem, root=root)


def _is_local(url: str) -> bool:
    return "://" not in url or url.startswith("file://")
