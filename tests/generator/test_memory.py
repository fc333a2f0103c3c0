"""Available memory respects the container, and freed memory is reused."""

import subprocess
import sys
from pathlib import Path

import pytest

from generator import memory

FAULTS = """
import resource, torch
from generator.memory import reuse_freed_memory
def faults():
    for _ in range(20):  # until the heap has grown to what is needed
        torch.ones(16_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
mapped = faults()
reuse_freed_memory()
print(mapped, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_tensors_are_not_mapped_anew() -> None:
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after * 4 < before


def test_the_limit_of_a_container_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    machine = memory.available_memory()
    (tmp_path / "memory.max").write_text("1000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("700\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n", encoding="ascii")
    assert memory.available_memory() == 500  # the page cache is freed on demand
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.available_memory() > 1000
    assert machine > 1000
