"""What a clip cost, on what, with which versions."""

import importlib
import platform
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KIBIBYTE = 1024  # Linux counts a process's memory in these
# One folder a processor, named intel-rapl:N also on AMD's; those with two colons are parts of one.
POWERCAP = Path("/sys/class/powercap")
PROCESSORS = "intel-rapl:?"
MICROJOULE, MILLIJOULE = 1e-6, 1e-3


class Meter:
    """Seconds, peak memory and energy of what runs inside.

    On the CPU the memory is the process's, and the energy the whole processor's: what else ran
    then is in it. Energy is None where nothing here can tell it.
    """

    def __init__(self, *, on_gpu: bool, gpus: Sequence[int] = ()) -> None:
        """`gpus` are the numbers of those that work; without one it is torch's current one."""
        self.on_gpu = on_gpu
        self.seconds = 0.0
        self.peak_memory_bytes = 0
        self.energy_joules: float | None = None
        self._numbers = tuple(gpus)
        self._counter: EnergyCounter | None = None
        self._energy_before: tuple[int, ...] = ()
        self._started = 0.0

    @property
    def hardware(self) -> str:
        """The processor that the work ran on."""
        if self.on_gpu:
            import torch

            names = [str(torch.cuda.get_device_name(gpu)) for gpu in self.gpus]
            return names[0] if len(names) == 1 else f"{len(names)} x {names[0]}"
        return processor_name()

    @property
    def gpus(self) -> tuple[int, ...]:
        """Numbers of the GPUs that work; none on the CPU."""
        if not self.on_gpu:
            return ()
        import torch

        return self._numbers or (torch.cuda.current_device(),)

    @property
    def gpu_seconds(self) -> float | None:
        """Seconds times GPUs, whether they were busy or not: they were taken. None on the CPU."""
        return self.seconds * len(self.gpus) if self.on_gpu else None

    def __enter__(self) -> Self:
        self._counter = energy_counter(self.gpus)
        if self.on_gpu:
            import torch

            for gpu in self.gpus:
                torch.cuda.reset_peak_memory_stats(gpu)
        self._energy_before = self._counter.read() if self._counter else ()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.on_gpu:
            import torch

            for gpu in self.gpus:
                torch.cuda.synchronize(gpu)  # a GPU's calls return before their work is done
        self.seconds = time.perf_counter() - self._started
        if self._counter is not None:
            self.energy_joules = self._counter.joules(self._energy_before, self._counter.read())
        if self.on_gpu:
            self.peak_memory_bytes = sum(torch.cuda.max_memory_allocated(gpu) for gpu in self.gpus)
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.peak_memory_bytes = peak * KIBIBYTE


def processor_name() -> str:
    """The CPU's name as the system gives it."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    versions = {package: _installed_version(package) for package in packages}
    found = {package: told for package, told in versions.items() if told is not None}
    return {"python": platform.python_version()} | found


@cache  # a version is read off a file, which takes as long as a small model's step
def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
