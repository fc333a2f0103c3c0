"""A release as a ZIP archive: extracted to a temporary folder, with limits, and verified there.

An archive is not trusted: its files stay inside the folder, links are refused, and no more is
written than the archive declares and the disk can hold. Files are copied in small parts.
"""

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arena.errors import ReleaseError
from arena.release.sums import is_left_out, is_outside

MAX_FILES = 1_000_000
MAX_BYTES = 200 * 2**30
CHUNK = 2**20
SHARE_OF_DISK = 0.9  # of the free space that an archive may fill


@contextmanager
def extracted(archive: Path, *, marker: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Extract a release for the time of the block.

    Args:
        archive: the ZIP file.
        marker: name of the file that is in a release's folder. The release is in the archive
            itself, or in its only folder.

    Yields:
        The folder of the release, and the files that were not extracted.

    Raises:
        ReleaseError: the archive is damaged, too large, or has a file that may not be extracted.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(archive) as opened:
                left_out = _extract(opened, archive, folder)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ReleaseError(f"{archive} cannot be read as a ZIP archive: {error}.") from error
        except OSError as error:
            raise ReleaseError(f"{archive} cannot be extracted: {error.strerror}.") from error
        yield _root(folder, marker), left_out


def _extract(opened: zipfile.ZipFile, archive: Path, folder: Path) -> tuple[str, ...]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    kept = [member for member in members if not is_left_out(member.filename)]
    _check_size(kept, archive, folder)
    for member in kept:
        name = member.filename
        mode = member.external_attr >> 16
        if is_outside(name) or stat.S_ISLNK(mode):
            raise ReleaseError(f"{archive}: {name!r} is not a regular file inside the archive.")
        target = folder / name
        if target.exists():
            raise ReleaseError(f"{archive}: {name!r} is in the archive twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with opened.open(member) as source, target.open("xb") as file:
            while part := source.read(CHUNK):
                written += len(part)
                if written > member.file_size:
                    raise ReleaseError(f"{archive}: {name!r} is larger than the archive says.")
                file.write(part)
    return tuple(member.filename for member in members if is_left_out(member.filename))


def _check_size(members: list[zipfile.ZipInfo], archive: Path, folder: Path) -> None:
    if len(members) > MAX_FILES:
        raise ReleaseError(f"{archive} has more than {MAX_FILES:,} files.")
    size = sum(member.file_size for member in members)
    available = min(MAX_BYTES, int(shutil.disk_usage(folder).free * SHARE_OF_DISK))
    if size > available:
        raise ReleaseError(
            f"{archive} would need {size / 2**30:.1f} GiB of disk space when extracted, and "
            f"{available / 2**30:.1f} GiB may be used; extract it elsewhere and verify the folder."
        )


def _root(folder: Path, marker: str) -> Path:
    """The folder itself, or its only folder if the archive holds one."""
    if (folder / marker).exists():
        return folder
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        return inside[0]
    return folder
