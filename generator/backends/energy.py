"""Energy as the hardware counts it: NVML's counters of GPUs, RAPL's of the processor."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# One folder a processor, named intel-rapl:N also on AMD's; those with two colons are parts of one.
POWERCAP = Path("/sys/class/powercap")
PROCESSORS = "intel-rapl:?"
MICROJOULE, MILLIJOULE = 1e-6, 1e-3


@dataclass(frozen=True)
class EnergyCounter:
    """Counters that only grow, each until it wraps."""

    read: Callable[[], tuple[int, ...]]
    unit_joules: float
    wraps_at: tuple[int | None, ...]

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """What was used between two readings, wrapped at most once."""
        used = 0
        for first, second, wrap in zip(before, after, self.wraps_at, strict=True):
            used += second - first
            if second < first and wrap is not None:
                used += wrap
        return used * self.unit_joules


def energy_counter(gpus: Sequence[int]) -> EnergyCounter | None:
    """The counter of these GPUs, or of the processor where there are none; None if untold."""
    return _nvml(tuple(gpus)) if gpus else rapl(POWERCAP)


def rapl(folder: Path) -> EnergyCounter | None:
    """The processors' counters, where they may be read: often by root only."""
    files = sorted(domain / "energy_uj" for domain in folder.glob(PROCESSORS))

    def read() -> tuple[int, ...]:
        return tuple(int(file.read_text(encoding="ascii")) for file in files)

    try:
        read()
        wraps = tuple(
            int((file.parent / "max_energy_range_uj").read_text(encoding="ascii")) for file in files
        )
    except (OSError, ValueError):
        return None
    return EnergyCounter(read, MICROJOULE, wraps) if files else None


@cache  # NVML starts once a process
def _nvml(gpus: tuple[int, ...]) -> EnergyCounter | None:
    """NVML's counters, if a package that speaks to it is installed (nvidia-ml-py)."""
    import torch

    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        # By their own ids: NVML numbers all GPUs, torch only those that it is shown.
        ids = [f"GPU-{torch.cuda.get_device_properties(gpu).uuid}" for gpu in gpus]
        handles = [nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in ids]

        def read() -> tuple[int, ...]:
            return tuple(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles)

        read()
    except nvml.NVMLError:  # older than Volta, or part of a GPU
        return None
    return EnergyCounter(read, MILLIJOULE, (None,) * len(handles))
