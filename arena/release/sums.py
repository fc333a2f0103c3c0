"""Checksums of a release, and the files beside it that are not part of it."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from arena.errors import ReleaseError

# As `sha256sum` writes them: a second mark of `*` stands for its binary mode. Windows tools may end
# lines with CR LF.
SUM_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](\S.*)")
# What version control, model hubs, file managers and archivers put beside the files of a release.
LEFT_OUT_FOLDERS = (
    ".git",
    ".hg",
    ".svn",
    ".cache",
    ".huggingface",
    ".ipynb_checkpoints",
    "__MACOSX",
    "__pycache__",
    ".Trashes",
    ".Spotlight-V100",
    ".fseventsd",
    "@eaDir",
)
LEFT_OUT_FILES = (
    ".DS_Store",
    ".gitattributes",
    ".gitignore",
    ".gitkeep",
    ".gitmodules",
    ".directory",
    ".localized",
    "Thumbs.db",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "Desktop.ini",
)
RESOURCE_FORK = "._"  # begins the name of a companion file of macOS
# A checked-out submodule or work tree has a file of this name instead of the folder.
GIT = ".git"


def read_sums(text: str, name: str) -> dict[str, str]:
    """The checksum, in lower case, of each file by path.

    Args:
        text: the content of the list.
        name: of the list, for messages.

    Raises:
        ReleaseError: a row is not a checksum of a file inside the release; names the row.
    """
    sums: dict[str, str] = {}
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        match = SUM_LINE.fullmatch(line)
        path = None if match is None else match[2].removeprefix("./")
        if match is None or path is None or is_outside(path) or path in sums:
            raise ReleaseError(f"{name}, row {number}: not a checksum of a file in the release.")
        sums[path] = match[1].lower()
    return sums


def is_outside(name: str) -> bool:
    """Whether a path leads, or may lead, out of its folder."""
    path = PurePosixPath(name)
    odd = "\\" in name or "\0" in name or not path.parts
    return odd or path.is_absolute() or ".." in path.parts


def is_left_out(name: str) -> bool:
    """Whether a path is not part of a release, but of what others put beside its files."""
    *folders, file = PurePosixPath(name).parts
    return (
        any(folder in LEFT_OUT_FOLDERS for folder in folders)
        or file in LEFT_OUT_FILES
        or file == GIT
        or file.startswith(RESOURCE_FORK)
    )


def top_names(names: Iterable[str]) -> list[str]:
    """The names that were left out, each folder once."""
    tops: dict[str, None] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        folder = next((i for i, part in enumerate(parts) if part in LEFT_OUT_FOLDERS), None)
        tops[name if folder is None else "/".join(parts[: folder + 1])] = None
    return sorted(tops)
