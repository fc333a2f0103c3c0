"""The folder backend: clips that were made elsewhere, one file a prompt."""

from pathlib import Path
from types import TracebackType
from typing import Self

from generator.backends import refuse_unknown_options
from generator.clips import ClipRequest, Provenance, RawClip, file_provenance
from generator.errors import ClipError, SpecError
from generator.media import decode_for_track
from generator.spec import Entrant, TrackSettings

OPTIONS = frozenset({"path"})
SUFFIX = ".mp4"


class FolderBackend:
    """Serves `path/PROMPT_ID.mp4`; longer files are cut, shorter ones refused."""

    workers: int | None = None

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        path = entrant.backend.options.get("path")
        self.folder = Path(path) if isinstance(path, str) and path else None

    def check(self, track: TrackSettings) -> None:
        """Refuse unknown options and a folder that is not there."""
        refuse_unknown_options(self.entrant, OPTIONS)
        if self.entrant.backend.call:
            raise SpecError(
                f"{self.entrant.name}: a folder takes no arguments; remove [backend.call]."
            )
        self._existing_folder()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """The file of the request's prompt, decoded as far as the track lasts."""
        folder = self._existing_folder()
        file = folder / f"{request.prompt_id}{SUFFIX}"
        if file.parent != folder or not file.is_file():
            raise ClipError(f"{folder} has no file {request.prompt_id}{SUFFIX}; add it.")
        raw = decode_for_track(file, request.track)
        return raw, file_provenance(request, backend="folder", file=file)

    def _existing_folder(self) -> Path:
        if self.folder is None:
            raise SpecError(
                f"{self.entrant.name}: backend.path is missing; "
                f"give the folder with a PROMPT_ID{SUFFIX} for every prompt."
            )
        if not self.folder.is_dir():
            raise SpecError(
                f"{self.entrant.name}: the folder {self.folder} does not exist; "
                "correct backend.path."
            )
        return self.folder
