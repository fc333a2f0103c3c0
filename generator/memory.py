"""Memory of the machine: how much is available, and how freed memory is reused."""

import ctypes
import sys
from pathlib import Path

# Parameters of glibc's mallopt(3). They are set here and not in the environment because glibc reads
# that before a program's first line.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 256 * 2**20
_NEVER = 2**31 - 1

# Limit and use of a container; psutil reports only the whole machine.
CGROUP = Path("/sys/fs/cgroup")
PAGE_CACHE = "inactive_file "


def available_memory() -> int:
    """Memory in bytes that this process can still allocate, within its container's limit."""
    import psutil  # type: ignore[import-untyped]

    free = int(psutil.virtual_memory().available)
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = (CGROUP / "memory.stat").read_text(encoding="ascii")
    except (OSError, ValueError):
        return free
    if not limit.isdigit():
        return free
    # The page cache counts as used but is freed on demand.
    cached = [int(line.split()[1]) for line in stat.splitlines() if line.startswith(PAGE_CACHE)]
    return min(free, int(limit) - used + sum(cached))


def available_gpu_memory(device: str) -> int:
    """Free memory of a GPU in bytes."""
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def reuse_freed_memory() -> None:
    """Keep the memory of freed tensors for the next ones instead of giving it back to the system.

    A network on a CPU allocates the same large tensors again and again. glibc maps each of them
    anew, and the kernel clears every page at its first touch: for a small model that is half of
    its time. Elsewhere than on glibc nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, _NEVER)
    mallopt(_TOP_PAD, _TOP_PAD_BYTES)
