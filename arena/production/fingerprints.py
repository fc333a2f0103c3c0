"""What an entrant runs, as one hash: of its weights, of its clips' files, or of its service.

Two entrants with the same fingerprint are the same model. A codename's commitment contains it.
"""

import hashlib
from pathlib import Path

from arena.canonical import canonical_json, sha256_hex
from arena.catalog.schemas import EntrantEntry
from arena.errors import CatalogError
from generator.backends.diffusers.weights import hash_folder

WEIGHTS, ENDPOINT, CLIPS = "weights_sha256", "endpoint_sha256", "clips_sha256"
# Settings of a backend that do not say which model answers.
NOT_OF_THE_MODEL = frozenset({"call", "api_key_env", "device", "dtype", "offload"})


def fingerprint_of(entry: EntrantEntry) -> str:
    """Return a kind, a colon and a SHA-256, after reading the files that the entrant names.

    The weights of a folder are hashed as production hashes them; a folder of clips by the names
    and contents of its files; everything else by its settings, without keys and call arguments.

    Raises:
        CatalogError: a file cannot be read.
    """
    backend = entry.backend
    try:
        for option, kind in (("model", WEIGHTS), ("path", CLIPS)):
            folder = Path(str(backend.get(option) or ""))
            if folder.is_absolute() and folder.is_dir():
                return f"{kind}:{hash_folder(folder) if kind == WEIGHTS else _hash_clips(folder)}"
    except OSError as error:
        raise CatalogError(
            f"A file of {entry.name} cannot be read: {error.filename} ({error.strerror})."
        ) from error
    settings = {key: value for key, value in backend.items() if key not in NOT_OF_THE_MODEL}
    return f"{ENDPOINT}:{sha256_hex(canonical_json(settings))}"


def _hash_clips(folder: Path) -> str:
    """A SHA-256 over the sorted names and contents of a folder's files."""
    tree = hashlib.sha256()
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.is_file() and not file.name.startswith("."):
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            tree.update(f"{file.name}\0{digest}\n".encode())
    return tree.hexdigest()
