"""A model's folder: refused where it holds pickles or code, and named by a hash of what it holds.

Code never comes with a model: a class of one's own is installed as a package and named in
`backend.pipeline`. There is no option that trusts a folder, because specs travel with folders.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from generator.errors import SpecError

INDEX = "model_index.json"
# Formats that run code when they are read.
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
SAFETENSORS = ".safetensors"
CODE = frozenset({".py", ".pyc", ".so"})
# The key by which a configuration asks for classes from files beside it.
CODE_KEY = "auto_map"
# The hub's cache links from snapshots/COMMIT to blobs/ beside it.
SNAPSHOTS, BLOBS = "snapshots", "blobs"
METADATA = "__metadata__"  # the one key of a header that is no tensor
_MAX_HEADER = 100_000_000  # bytes; the format's own limit


def check_folder(name: str, folder: Path) -> dict[str, Any]:
    """The pipeline's index, once the folder is known to hold a pipeline in safetensors only.

    Raises:
        SpecError: The folder is not there, is no pipeline, or holds something pickled, code, or a
            link to elsewhere.
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
            if not _is_safetensors(file):
                raise SpecError(f"{name}: {file} is no safetensors file; save the model again.")
            if any(part.startswith(".") for part in file.relative_to(folder).parts):
                raise SpecError(f"{name}: {file} is hidden; take the dot from its name.")
    if not weights:
        raise SpecError(f"{name}: {folder} holds no safetensors; save the model with its weights.")
    content = _read_json(index)
    if content is None:
        raise SpecError(f"{name}: {index} is not valid JSON; save the model again.")
    if not isinstance(content.get("_class_name"), str):  # a list names a file and a class in it
        raise SpecError(
            f"{name}: {index} names no class of diffusers; install the class as a package and name "
            "it in backend.pipeline."
        )
    for part, kind in content.items():
        if isinstance(kind, list) and not (len(kind) == 2 and _are_names(kind)):
            raise SpecError(f"{name}: {index} names no class for {part}; save the model again.")
    return content


def _are_names(kind: list[Any]) -> bool:
    return all(each is None or isinstance(each, str) for each in kind)


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


def read_header(file: Path) -> dict[str, Any]:
    """What a safetensors file says of its tensors by name: dtype, shape, data_offsets."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
    return header


def _check_link(name: str, link: Path, folder: Path) -> None:
    """A link may lead to a file of the same model, wherever the hub's cache keeps that."""
    target = link.resolve()
    places = [folder.resolve()]
    if folder.parent.name == SNAPSHOTS:
        places.append((folder.parent.parent / BLOBS).resolve())
    if not (target.is_file() and any(target.is_relative_to(place) for place in places)):
        raise SpecError(
            f"{name}: {link} is a link to something that is no file of the model; "
            "put the file itself there."
        )


def _check_code(name: str, file: Path) -> None:
    if file.suffix.lower() in CODE:
        raise SpecError(
            f"{name}: {file} is code, which never runs from a model's folder; remove it, or "
            "install it as a package and name its class in backend.pipeline."
        )
    if file.name.endswith("config.json") and CODE_KEY in (_read_json(file) or {}):
        raise SpecError(
            f"{name}: {file} asks for code by {CODE_KEY!r}, which never runs from a model's "
            "folder; remove that key."
        )


def _read_json(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_safetensors(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(9)
    if len(head) < 9 or head[8:] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    size = file.stat().st_size - 8 - length
    if length > _MAX_HEADER or size < 0:
        return False
    try:
        tensors = [tensor for key, tensor in read_header(file).items() if key != METADATA]
        return all(_is_valid_tensor(tensor, size) for tensor in tensors)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _is_valid_tensor(tensor: dict[str, Any], size: int) -> bool:
    begin, end = tensor["data_offsets"]
    numbers = [begin, end, *tensor["shape"]]
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return whole and begin <= end <= size and isinstance(tensor["dtype"], str)
