"""A model's folder: refused where it holds pickles, and named by a hash of what it holds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from generator.errors import SpecError

INDEX = "model_index.json"
# Formats that run code when they are read.
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
SAFETENSORS = ".safetensors"
_LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


def check_folder(name: str, folder: Path) -> dict[str, Any]:
    """The pipeline's index, once the folder is known to hold a pipeline in safetensors only.

    Raises:
        SpecError: The folder is not there, is no pipeline or holds something pickled.
    """
    if not folder.is_dir():
        raise SpecError(f"{name}: the model folder {folder} does not exist; correct backend.model.")
    index = folder / INDEX
    if not index.is_file():
        raise SpecError(
            f"{name}: {folder} has no {INDEX}; give the folder of a saved diffusers pipeline."
        )
    weights = 0
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in PICKLES:
            raise SpecError(
                f"{name}: {file} is pickled and could run code; "
                "save the model again as safetensors, and remove that file."
            )
        if file.suffix.lower() == SAFETENSORS:
            weights += 1
            if not _is_safetensors(file):
                raise SpecError(f"{name}: {file} is no safetensors file; save the model again.")
    if not weights:
        raise SpecError(f"{name}: {folder} holds no safetensors; save the model with its weights.")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        raise SpecError(f"{name}: {index} is not valid JSON; save the model again.")
    return content


def hash_folder(folder: Path) -> str:
    """SHA-256 over the sorted paths and contents of every file of a model."""
    tree = hashlib.sha256()
    files = (file for file in folder.rglob("*") if file.is_file())
    for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix()):
        path = file.relative_to(folder)
        if any(part.startswith(".") for part in path.parts):
            continue  # what version control and download caches leave
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        tree.update(f"{path.as_posix()}\0{digest}\n".encode())
    return tree.hexdigest()


def _is_safetensors(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(9)
    if len(head) < 9 or head[8:] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    return 0 < length <= min(_LONGEST_HEADER, file.stat().st_size - 8)
