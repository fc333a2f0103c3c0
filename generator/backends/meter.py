"""What a clip cost, on what, with which versions."""

import platform
import resource
import time
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self

from generator.backends.energy import EnergyCounter, energy_counter

KIBIBYTE = 1024  # Linux counts a process's memory in these


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
