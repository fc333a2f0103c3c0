"""Measure time, memory and energy of a clip, and name the hardware and package versions.

Energy comes from hardware counters: NVML for GPUs, RAPL for processors.
"""

import importlib
import platform
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

KIBIBYTE = 1024  # the unit of Linux's ru_maxrss
# One folder per processor, named intel-rapl:N on AMD too; names with two colons are its parts.
POWERCAP = Path("/sys/class/powercap")
PROCESSORS = "intel-rapl:?"
MICROJOULE, MILLIJOULE = 1e-6, 1e-3


@dataclass(frozen=True)
class EnergyCounter:
    """Monotonic energy counters that may wrap around.

    Attributes:
        read: Returns the current value of each counter.
        unit_joules: Joules per count.
        wraps_at: Range of each counter; None if it does not wrap.
    """

    read: Callable[[], tuple[int, ...]]
    unit_joules: float
    wraps_at: tuple[int | None, ...]

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Energy between two readings, assuming that each counter wrapped at most once."""
        total = 0
        for first, second, wrap in zip(before, after, self.wraps_at, strict=True):
            total += second - first
            if second < first and wrap is not None:
                total += wrap
        return total * self.unit_joules


class Meter(ExitStack):
    """Context manager that measures seconds, peak memory and energy of the code inside it.

    On the CPU the memory is that of the process, and the energy that of the whole processor,
    including other processes. Energy is None if no counter can be read.
    """

    def __init__(self, *, on_gpu: bool, gpus: Sequence[int] = ()) -> None:
        """`gpus` are the CUDA indices to measure; the current device if empty."""
        super().__init__()
        self.on_gpu = on_gpu
        self.seconds = 0.0
        self.peak_memory_bytes = 0
        self.energy_joules: float | None = None
        self._indices = tuple(gpus)
        self._counter: EnergyCounter | None = None
        self._energy_before: tuple[int, ...] = ()
        self._started = 0.0

    @property
    def hardware(self) -> str:
        """Name of the GPUs, or of the CPU."""
        if self.on_gpu:
            import torch

            names = [str(torch.cuda.get_device_name(gpu)) for gpu in self.gpus]
            return names[0] if len(names) == 1 else f"{len(names)} x {names[0]}"
        return processor_name()

    @property
    def gpus(self) -> tuple[int, ...]:
        """CUDA indices of the measured GPUs; empty on the CPU."""
        if not self.on_gpu:
            return ()
        import torch

        return self._indices or (torch.cuda.current_device(),)

    @property
    def gpu_seconds(self) -> float | None:
        """Seconds times the number of GPUs, busy or not; None on the CPU."""
        return self.seconds * len(self.gpus) if self.on_gpu else None

    def __enter__(self) -> Self:
        self._counter = energy_counter(self.gpus)
        if self.on_gpu:
            import torch

            for gpu in self.gpus:
                torch.cuda.reset_peak_memory_stats(gpu)
        self._energy_before = self._counter.read() if self._counter else ()
        self._started = time.perf_counter()
        self.callback(self._stop)
        return self

    def _stop(self) -> None:
        if self.on_gpu:
            import torch

            for gpu in self.gpus:
                torch.cuda.synchronize(gpu)  # CUDA calls return before their work is done
        self.seconds = time.perf_counter() - self._started
        if self._counter is not None:
            self.energy_joules = self._counter.joules(self._energy_before, self._counter.read())
        if self.on_gpu:
            self.peak_memory_bytes = sum(torch.cuda.max_memory_allocated(gpu) for gpu in self.gpus)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.peak_memory_bytes = peak * KIBIBYTE


def processor_name() -> str:
    """Model name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        installed = _installed_version(package)
        if installed is not None:
            versions[package] = installed
    return versions


@cache  # reading a version from disk takes as long as one step of a small model
def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def energy_counter(gpus: Sequence[int]) -> EnergyCounter | None:
    """Counter of these GPUs, or of the processor if there are none; None if not readable."""
    return _nvml(tuple(gpus)) if gpus else rapl(POWERCAP)


def rapl(folder: Path) -> EnergyCounter | None:
    """Counter of the processors; None if it cannot be read, which often needs root."""
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


@cache  # NVML is initialized once per process
def _nvml(gpus: tuple[int, ...]) -> EnergyCounter | None:
    """NVML's counters, if the package nvidia-ml-py is installed."""
    import torch

    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        # Look GPUs up by UUID: NVML counts all of them, torch only the visible ones.
        ids = [f"GPU-{torch.cuda.get_device_properties(gpu).uuid}" for gpu in gpus]
        handles = [nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in ids]

        def read() -> tuple[int, ...]:
            return tuple(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles)

        read()
    except nvml.NVMLError:  # older than Volta, or a partition of a GPU
        return None
    return EnergyCounter(read, MILLIJOULE, (None,) * len(handles))
