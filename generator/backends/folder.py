"""The folder backend: clips that were generated elsewhere, one file per prompt."""

from contextlib import ExitStack
from pathlib import Path

from generator.backends import refuse_unknown_options
from generator.clips import ClipRequest, Provenance, RawClip, file_provenance
from generator.errors import ClipError, SpecError
from generator.media import decode_for_track
from generator.spec import Entrant, TrackSettings

OPTIONS = frozenset({"path"})
SUFFIX = ".mp4"


class FolderBackend(ExitStack):
    """Reads `path/PROMPT_ID.mp4`; longer files are cut to the track, shorter ones rejected."""

    workers: int | None = None

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        path = entrant.backend.options.get("path")
        self.folder = Path(path) if isinstance(path, str) and path else None

    def check(self, track: TrackSettings) -> None:
        """Reject unknown options, call arguments and a missing folder."""
        refuse_unknown_options(self.entrant, OPTIONS)
        if self.entrant.backend.call:
            raise SpecError(
                f"{self.entrant.name}: the folder backend has no call arguments; "
                "remove [backend.call]."
            )
        self._existing_folder()

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """Decode the file of the request's prompt."""
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
                f"set it to a folder with one PROMPT_ID{SUFFIX} per prompt."
            )
        if not self.folder.is_dir():
            raise SpecError(
                f"{self.entrant.name}: the folder {self.folder} does not exist; "
                "correct backend.path."
            )
        return self.folder
