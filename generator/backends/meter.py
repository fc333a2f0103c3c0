"""What a clip cost, on what, with which versions."""

import platform
import resource
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KIBIBYTE = 1024  # Linux counts a process's memory in these


class Meter:
    """Seconds and peak memory of what runs inside; on the CPU the memory is the process's."""

    def __init__(self, *, on_gpu: bool) -> None:
        self.on_gpu = on_gpu
        self.seconds = 0.0
        self.peak_memory_bytes = 0
        self._started = 0.0

    @property
    def hardware(self) -> str:
        """The processor that the work ran on."""
        if self.on_gpu:
            import torch

            return str(torch.cuda.get_device_name())
        return processor_name()

    def __enter__(self) -> Self:
        if self.on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats()
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

            torch.cuda.synchronize()  # a GPU's calls return before their work is done
            self.peak_memory_bytes = torch.cuda.max_memory_allocated()
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.peak_memory_bytes = peak * KIBIBYTE
        self.seconds = time.perf_counter() - self._started


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
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def plain(values: Any) -> Any:
    """The same in what JSON can hold: what it cannot hold is written as text."""
    if values is None or isinstance(values, bool | int | float | str):
        return values
    if isinstance(values, Mapping):
        return {str(key): plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain(value) for value in values]
    return str(values)
