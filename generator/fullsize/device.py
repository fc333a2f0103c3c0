"""The device: its name, its peak rate, its free memory."""

from dataclasses import dataclass

import torch

from generator.backends.meter import processor_name
from generator.errors import BackendError
from generator.fullsize.float8 import FIRST_CAPABILITY
from generator.memory import available_gpu_memory, available_memory

TERA = 1e12
GIGA = 1e9


@dataclass(frozen=True)
class Peak:
    """Dense matrix arithmetic of a GPU by its data sheet, TFLOP/s; 0 if not supported."""

    bf16: float
    fp8: float


# Keys are parts of the driver's device name; more specific ones first.
PEAKS = {
    "H100 PCIe": Peak(756, 1513),
    "H100 NVL": Peak(835, 1671),
    "GH200": Peak(989, 1979),
    "H100": Peak(989, 1979),
    "H200 NVL": Peak(835, 1671),
    "H200": Peak(989, 1979),
    "B200": Peak(2250, 4500),
    "A100": Peak(312, 0),
    "L40S": Peak(362, 733),
}


def find_device(name: str) -> torch.device:
    """The device that `--device` selects.

    Raises:
        BackendError: The device does not exist on this machine.
    """
    if name not in ("cuda", "cpu"):
        raise BackendError(f"There is no device {name!r}; it is cuda or cpu.")
    if name == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            "No GPU that torch can use was found; run this on a machine with an NVIDIA GPU, or try "
            "the command with --config full-tiny --device cpu."
        )
    return torch.device(name)


def check_float8(device: torch.device) -> None:
    """Check that the device supports FP8; a CPU emulates it in float32.

    Raises:
        BackendError: The GPU does not support FP8.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < FIRST_CAPABILITY:
        raise BackendError(f"{device_name(device)} cannot multiply FP8; use --precision bf16.")


def device_name(device: torch.device) -> str:
    """The device's name as reported by its driver or the system."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return processor_name()


def peak_of(name: str) -> Peak | None:
    """The data sheet's peak of the device with this name, None if unknown."""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def available_bytes(device: torch.device) -> int:
    """Memory of the device that can still be allocated, within the container's limit on a CPU."""
    return available_gpu_memory(str(device)) if device.type == "cuda" else available_memory()


def check_memory(needed: int, device: torch.device) -> None:
    """Check that the device has enough free memory, before anything is built.

    Raises:
        BackendError: Less memory is free than needed.
    """
    free = available_bytes(device)
    if needed > free:
        raise BackendError(
            f"This needs about {needed / GIGA:.1f} GB of memory and {device_name(device)} has "
            f"{free / GIGA:.1f} GB free; try a smaller --size, --precision fp8 or another device."
        )
