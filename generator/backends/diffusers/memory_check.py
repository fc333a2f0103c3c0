"""Check that a model's weights fit into memory before loading them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.backends.diffusers.options import Options
from generator.backends.diffusers.weights import METADATA, SAFETENSORS, read_header
from generator.errors import BackendError
from generator.memory import available_gpu_memory, available_memory

GIBIBYTE = 2**30
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})  # converted to the requested dtype
SIZES = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes per value


def component_bytes(
    folder: Path, index: Mapping[str, Any], *, dtype: str, variant: str | None
) -> dict[str, int]:
    """Size in bytes of each component's weights after conversion to `dtype`."""
    sizes = {}
    for name, kind in index.items():
        if isinstance(kind, list) and kind[0] is not None and (folder / name).is_dir():
            sizes[name] = sum(
                _loaded_bytes(file, dtype=dtype) for file in _weight_files(folder / name, variant)
            )
    return sizes


def check_model_fits(name: str, folder: Path, index: Mapping[str, Any], options: Options) -> None:
    """Reject a model whose weights are larger than the free memory.

    Raises:
        BackendError: The memory of the GPU or of the machine is too small.
    """
    sizes = component_bytes(folder, index, dtype=options.dtype, variant=options.variant)
    total, largest = sum(sizes.values()), max(sizes.values(), default=0)
    if options.on_gpu and options.device_map is None and options.offload != "sequential":
        needed, advice = total, 'set backend.offload = "model"'
        if options.offload == "model":
            needed, advice = largest, 'set backend.offload = "sequential"'
        _check_free(name, needed, available_gpu_memory(options.device), options, advice)
    if not options.on_gpu or options.offload != "none":
        _check_free(name, total, available_memory(), options, "free some")


def max_processes(folder: Path, index: Mapping[str, Any], options: Options) -> int:
    """Number of processes that can hold the weights in the machine's free memory; at least 1."""
    sizes = component_bytes(folder, index, dtype=options.dtype, variant=options.variant)
    return max(1, available_memory() // max(1, sum(sizes.values())))


def _check_free(name: str, needed: int, free: int, options: Options, advice: str) -> None:
    if needed > free:
        where = f"on {options.device}" if "offload" in advice else "in the machine's memory"
        smaller = "" if SIZES[options.dtype] == 2 else ' or dtype = "bfloat16"'
        raise BackendError(
            f"{name}: the weights need {needed / GIBIBYTE:.1f} GiB as {options.dtype} and "
            f"{max(0, free) / GIBIBYTE:.1f} GiB are free {where}; {advice}{smaller}, "
            "or use a larger machine."
        )


def _weight_files(folder: Path, variant: str | None) -> list[Path]:
    """Return the files of the variant if the component has any, else those without a variant."""
    files = [file for file in folder.iterdir() if file.suffix.lower() == SAFETENSORS]
    # "diffusion_pytorch_model.fp16-00001-of-00002.safetensors": the variant follows the only dot.
    variants = [file for file in files if file.stem.partition(".")[2].split("-")[0] == variant]
    return variants or [file for file in files if "." not in file.stem]


def _loaded_bytes(file: Path, *, dtype: str) -> int:
    """Size in bytes of a safetensors file's tensors as `dtype`, computed from its header."""
    total = 0
    for key, tensor in read_header(file).items():
        if key == METADATA:
            continue
        begin, end = tensor["data_offsets"]
        size = end - begin
        if tensor["dtype"] in FLOATS:
            size = math.prod(tensor["shape"]) * SIZES[dtype]
        total += size
    return total
