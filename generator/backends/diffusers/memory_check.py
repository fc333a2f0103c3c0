"""Whether a model fits into memory, said before it is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.backends.diffusers.options import Options
from generator.backends.diffusers.weights import METADATA, SAFETENSORS, read_header
from generator.errors import BackendError

GIBIBYTE = 2**30
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})  # these become the asked dtype, others stay
SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes a number
# A container's own limit and use; psutil tells only of the whole machine.
CGROUP = Path("/sys/fs/cgroup")
READ_FILES = "inactive_file "


def component_bytes(
    folder: Path, index: Mapping[str, Any], *, dtype: str, variant: str | None
) -> dict[str, int]:
    """Bytes of each component's weights once they are loaded as `dtype`."""
    sizes = {}
    for name, kind in index.items():
        if isinstance(kind, list) and kind[0] is not None and (folder / name).is_dir():
            sizes[name] = sum(
                _loaded_bytes(file, dtype=dtype) for file in _weights(folder / name, variant)
            )
    return sizes


def check_model_fits(name: str, folder: Path, index: Mapping[str, Any], options: Options) -> None:
    """Refuse a model whose weights alone are larger than the memory that is free.

    Raises:
        BackendError: naming the memory that is too small.
    """
    sizes = component_bytes(folder, index, dtype=options.dtype, variant=options.variant)
    whole, largest = sum(sizes.values()), max(sizes.values(), default=0)
    if options.on_gpu and options.device_map is None and options.offload != "sequential":
        needed, advice = whole, 'set backend.offload = "model"'
        if options.offload == "model":
            needed, advice = largest, 'set backend.offload = "sequential"'
        _check_free(name, needed, available_gpu_memory(options.device), options, advice)
    if not options.on_gpu or options.offload != "none":
        _check_free(name, whole, available_memory(), options, "free some")


def max_processes(folder: Path, index: Mapping[str, Any], options: Options) -> int:
    """How many processes can each hold the weights in the machine's free memory; at least one."""
    sizes = component_bytes(folder, index, dtype=options.dtype, variant=options.variant)
    return max(1, available_memory() // max(1, sum(sizes.values())))


def available_memory() -> int:
    """Bytes of memory that this process can still take."""
    import psutil  # type: ignore[import-untyped]

    free = int(psutil.virtual_memory().available)
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        told = (CGROUP / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):
        return free
    if not limit.isdigit():
        return free
    # Files that were read count as used until somebody needs their room.
    files = [int(line.split()[1]) for line in told.splitlines() if line.startswith(READ_FILES)]
    return min(free, int(limit) - used + sum(files))


def available_gpu_memory(device: str) -> int:
    """Bytes of a GPU's memory that nobody has taken, nor torch for itself."""
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def _check_free(name: str, needed: int, free: int, options: Options, advice: str) -> None:
    if needed > free:
        where = f"on {options.device}" if "offload" in advice else "in the machine's memory"
        smaller = "" if SIZES[options.dtype] == 2 else ' or dtype = "bfloat16"'
        raise BackendError(
            f"{name}: the weights take {needed / GIBIBYTE:.1f} GiB as {options.dtype} and "
            f"{max(0, free) / GIBIBYTE:.1f} GiB are free {where}; {advice}{smaller}, "
            "or use a larger machine."
        )


def _weights(folder: Path, variant: str | None) -> list[Path]:
    """The files of the variant where the component has them, else those of none."""
    files = [file for file in folder.iterdir() if file.suffix.lower() == SAFETENSORS]
    # "diffusion_pytorch_model.fp16-00001-of-00002.safetensors": the variant follows the only dot.
    variants = [file for file in files if file.stem.partition(".")[2].split("-")[0] == variant]
    return variants or [file for file in files if "." not in file.stem]


def _loaded_bytes(file: Path, *, dtype: str) -> int:
    """From the header alone, which a safetensors file begins with."""
    total = 0
    for key, tensor in read_header(file).items():
        if key == METADATA:
            continue
        begin, end = tensor["data_offsets"]
        stored = end - begin
        if tensor["dtype"] in FLOATS:
            numbers = 1
            for length in tensor["shape"]:
                numbers *= length
            stored = numbers * SIZES[dtype]
        total += stored
    return total
