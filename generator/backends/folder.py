"""The folder backend: clips that were generated elsewhere, one file per prompt."""

import os
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from generator.backends import refuse_unknown_options
from generator.clips import ClipRequest, Provenance, RawClip, file_provenance
from generator.errors import ClipError, MissingClip, SpecError
from generator.files import leaves_folder
from generator.media import decode_for_track
from generator.spec import Entrant, TrackSettings

OPTIONS = frozenset({"path"})
# Endings of the formats that `generator.media` reads; a file's content decides, not its ending.
SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")
# Videos that are not read: named, so that nobody looks for what is there. Other files of a
# prompt's name, such as captions, are left alone.
OTHER_VIDEO = (".ts", ".mts", ".flv", ".wmv", ".mpg", ".mpeg", ".ogv", ".webp", ".y4m")


class FolderBackend(ExitStack):
    """Reads `path/PROMPT_ID.mp4`, or another format; longer files are cut, shorter ones rejected.

    A prompt without a file is missing: nothing failed, the file is yet to come.
    """

    workers: int | None = None

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        path = entrant.backend.options.get("path")
        self.folder = Path(path) if isinstance(path, str) and path else None
        self._files: dict[str, list[str]] = {}  # names by prompt id
        self._read_at: int | None = None  # modification time of the folder

    def check(self, track: TrackSettings) -> None:
        """Reject unknown options, call arguments and a missing folder."""
        refuse_unknown_options(self.entrant, OPTIONS)
        if self.entrant.backend.call:
            raise SpecError(
                f"{self.entrant.name}: the folder backend has no call arguments; "
                "remove [backend.call]."
            )
        self._existing_folder()

    def missing(self, request: ClipRequest) -> str | None:
        """Return why the clip cannot be made yet; None if there is a file, good or bad."""
        folder = self._existing_folder()
        names = self._names(folder, request.prompt_id)
        if any(name.lower().endswith(SUFFIXES + OTHER_VIDEO) for name in names):
            return None
        return f"{folder} has no file {request.prompt_id}{SUFFIXES[0]}; add it."

    def unmatched(self, prompt_ids: Collection[str]) -> list[str]:
        """Return the names of the folder's videos that belong to none of these prompts, sorted."""
        self._read(self._existing_folder())
        return sorted(
            name
            for stem, names in self._files.items()
            if stem not in prompt_ids
            for name in names
            if name.lower().endswith(SUFFIXES + OTHER_VIDEO)
        )

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """Decode the file of the request's prompt."""
        file = self._find(self._existing_folder(), request)
        raw = decode_for_track(file, request.track)
        return raw, file_provenance(request, backend="folder", file=file)

    def _find(self, folder: Path, request: ClipRequest) -> Path:
        if reason := self.missing(request):
            raise MissingClip(reason)
        names = self._names(folder, request.prompt_id)
        known = [name for name in names if name.lower().endswith(SUFFIXES)]
        if not known:
            other = next(name for name in names if name.lower().endswith(OTHER_VIDEO))
            raise ClipError(f"{folder / other} is of a format that is not read; convert it to MP4.")
        if len(known) > 1:
            raise ClipError(f"{folder} has {' and '.join(known)} for one prompt; keep one of them.")
        file = folder / known[0]
        if leaves_folder(file, folder):
            raise ClipError(
                f"{file} is a link to something outside its folder; replace it with the file."
            )
        return file

    def _names(self, folder: Path, prompt_id: str) -> list[str]:
        """Return the files of a prompt, sorted."""
        self._read(folder)
        return sorted(self._files.get(prompt_id, ()))

    def _read(self, folder: Path) -> None:
        """List the folder's files by prompt, again once it has changed."""
        changed_at = folder.stat().st_mtime_ns
        if changed_at != self._read_at:
            self._files = {}
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink() or not entry.is_dir():
                        self._files.setdefault(Path(entry.name).stem, []).append(entry.name)
            self._read_at = changed_at

    def _existing_folder(self) -> Path:
        if self.folder is None:
            raise SpecError(
                f"{self.entrant.name}: backend.path is missing; "
                f"set it to a folder with one PROMPT_ID{SUFFIXES[0]} per prompt."
            )
        if not self.folder.is_dir():
            raise SpecError(
                f"{self.entrant.name}: the folder {self.folder} does not exist; "
                "correct backend.path."
            )
        return self.folder
