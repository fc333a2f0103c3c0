"""Validate a model's folder, which must not contain pickles or code, and hash its files.

A custom pipeline class is installed as a package and named in `backend.pipeline`. There is no
option to trust a folder's code, because a spec is shared together with the folder.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from generator.errors import SpecError
from generator.files import leaves_folder

INDEX = "model_index.json"
# Formats that can run code when they are read.
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
SAFETENSORS = ".safetensors"
CODE = frozenset({".py", ".pyc", ".so"})
# The key with which a configuration loads classes from files beside it.
CODE_KEY = "auto_map"
METADATA = "__metadata__"  # the only key of a header that is not a tensor
# In bytes. The largest models have 2 MB; parsing 90 MB of a forged one takes half a minute.
_MAX_HEADER = 8 * 2**20
_MAX_JSON = 8 * 2**20


def check_folder(name: str, folder: Path) -> dict[str, Any]:
    """Check that a folder holds a pipeline in safetensors only, and return its index.

    Raises:
        SpecError: The folder is missing, is not a saved pipeline, or contains pickles, code, or a
            link that leaves it.
    """
    if not folder.is_dir():
        raise SpecError(f"{name}: the model folder {folder} does not exist; correct backend.model.")
    index = folder / INDEX
    if not index.is_file():
        raise SpecError(
            f"{name}: {folder} has no {INDEX}; use the folder of a saved diffusers pipeline."
        )
    weights = 0
    for file in sorted(folder.rglob("*")):
        if file.is_symlink():
            _check_link(name, file, folder)
        _check_code(name, file)
        if file.suffix.lower() in PICKLES:
            raise SpecError(
                f"{name}: {file} is pickled and could run code; "
                "save the model again as safetensors, and remove that file."
            )
        if file.suffix.lower() == SAFETENSORS:
            weights += 1
            if _header_bytes(file) > _MAX_HEADER:
                raise SpecError(
                    f"{name}: {file} is not a valid safetensors file, or declares a header of more "
                    f"than {_MAX_HEADER // 2**20} MiB; save the model again."
                )
            if not _is_safetensors(file):
                raise SpecError(
                    f"{name}: {file} is not a valid safetensors file; save the model again."
                )
            if any(part.startswith(".") for part in file.relative_to(folder).parts):
                raise SpecError(f"{name}: {file} is hidden; remove the leading dot.")
    if not weights:
        raise SpecError(
            f"{name}: {folder} contains no safetensors; save the model with its weights."
        )
    content = _read_json(index)
    if content is None:
        raise SpecError(f"{name}: {index} is not valid JSON; save the model again.")
    if not isinstance(content.get("_class_name"), str):  # a list names a file and a class in it
        raise SpecError(
            f"{name}: {index} does not name a class of diffusers; install the class as a package "
            "and name it in backend.pipeline."
        )
    for part, kind in content.items():
        if isinstance(kind, list) and not (len(kind) == 2 and _are_names(kind)):
            raise SpecError(
                f"{name}: {index} does not name a class for {part}; save the model again."
            )
    return content


def _are_names(kind: list[Any]) -> bool:
    return all(each is None or isinstance(each, str) for each in kind)


def hash_folder(folder: Path) -> str:
    """Return a SHA-256 over the sorted paths and contents of a model's files."""
    tree = hashlib.sha256()
    files = (file for file in folder.rglob("*") if file.is_file())
    for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix()):
        path = file.relative_to(folder)
        if any(part.startswith(".") for part in path.parts):
            continue  # files of version control and download caches
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        tree.update(f"{path.as_posix()}\0{digest}\n".encode())
    return tree.hexdigest()


def read_header(file: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: dtype, shape and data_offsets by tensor name."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
    return header


def _check_link(name: str, link: Path, folder: Path) -> None:
    """Reject links except those to files of the model, including the hub cache's blobs."""
    if leaves_folder(link, folder):
        raise SpecError(
            f"{name}: {link} is a link to something outside the model; replace it with the file."
        )


def _check_code(name: str, file: Path) -> None:
    if file.suffix.lower() in CODE:
        raise SpecError(
            f"{name}: {file} is code, which is never run from a model's folder; remove it, or "
            "install it as a package and name its class in backend.pipeline."
        )
    if file.name.endswith("config.json") and CODE_KEY in (_read_json(file) or {}):
        raise SpecError(
            f"{name}: {file} loads code with {CODE_KEY!r}, which is never run from a model's "
            "folder; remove that key."
        )


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        if file.stat().st_size > _MAX_JSON:
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _header_bytes(file: Path) -> int:
    """The length of the header that a safetensors file declares; 0 if it does not."""
    with file.open("rb") as stream:
        head = stream.read(8)
    return int.from_bytes(head, "little") if len(head) == 8 else 0


def _is_safetensors(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(9)
    if len(head) < 9 or head[8:] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    size = file.stat().st_size - 8 - length
    if size < 0:
        return False
    try:
        tensors = [tensor for key, tensor in read_header(file).items() if key != METADATA]
        return all(_is_valid_tensor(tensor, size) for tensor in tensors)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _is_valid_tensor(tensor: dict[str, Any], size: int) -> bool:
    begin, end = tensor["data_offsets"]
    numbers = [begin, end, *tensor["shape"]]
    natural = all(type(number) is int and number >= 0 for number in numbers)
    return natural and begin <= end <= size and isinstance(tensor["dtype"], str)
