"""The releases that an arena publishes: the folder `releases` of ARENA_HOME, one folder each.

A release appears there by one rename, once it is complete. Names that begin with a dot are drafts.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from arena.errors import NotFound

RELEASES = "releases"
RELEASE_FILE = "release.json"  # in every release: what it contains
SUMS_FILE = "SHA256SUMS"
RELEASE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,119}")
SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown; charset=utf-8",
    ".mp4": "video/mp4",
    ".parquet": "application/vnd.apache.parquet",
    "": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class PublishedRelease:
    """A published release.

    Attributes:
        id: name of its folder, and of its address.
        folder: where it is.
        about: the content of its `release.json`.
        sums: SHA-256 of each of its files, by path; the list of checksums itself is not in it.
    """

    id: str
    folder: Path
    about: dict[str, Any]
    sums: dict[str, str]

    @property
    def files(self) -> list[str]:
        """Every file that may be downloaded, by path."""
        return [*self.sums, SUMS_FILE]


def releases_folder(home: Path) -> Path:
    """Return the folder of an arena's published releases."""
    return home / RELEASES


def list_published(home: Path) -> list[PublishedRelease]:
    """Return the published releases, newest first."""
    folder = releases_folder(home)
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []
    found = [_read(folder / name) for name in names if RELEASE_ID.fullmatch(name)]
    releases = [release for release in found if release is not None]
    return sorted(releases, key=lambda each: (each.about["made_at"], each.id), reverse=True)


def find_published(home: Path, release_id: str) -> PublishedRelease:
    """Return a published release.

    Raises:
        NotFound: there is none of this id.
    """
    release = None
    if RELEASE_ID.fullmatch(release_id):
        release = _read(releases_folder(home) / release_id)
    if release is None:
        raise NotFound(f"There is no release '{release_id}': /api/v1/releases lists them all.")
    return release


def published_file(release: PublishedRelease, name: str) -> Path:
    """Return the path of one of a release's files.

    Raises:
        NotFound: the release has no such file.
    """
    # Only what the list of checksums names, so that no path leads out of the folder.
    if name in release.files:
        path = release.folder / name
        if path.is_file() and not path.is_symlink():
            return path
    raise NotFound(f"The release {release.id} has no file '{name}': SHA256SUMS lists them all.")


def media_type(name: str) -> str:
    """Return the media type of a release's file."""
    return MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def _read(folder: Path) -> PublishedRelease | None:
    """The release in a folder; None if there is none."""
    try:
        changed = (folder / SUMS_FILE).stat().st_mtime_ns
        return _read_once(folder, changed)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=256)
def _read_once(folder: Path, _changed: int) -> PublishedRelease:
    about = json.loads((folder / RELEASE_FILE).read_text(encoding="utf-8"))
    sums = {}
    for line in (folder / SUMS_FILE).read_text(encoding="utf-8").splitlines():
        match = SUM_LINE.fullmatch(line)
        if match is not None and ".." not in PurePosixPath(match[2]).parts:
            sums[match[2]] = match[1]
    about["made_at"] = str(about["made_at"])
    return PublishedRelease(folder.name, folder, about, sums)
