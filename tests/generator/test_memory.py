"""Freed memory is used again: the kernel clears no page twice."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from generator.memory import reuse_freed_memory
if {keep}:
    reuse_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):  # until the heap has grown to what is needed
    torch.ones(16_000_000)
before = faults()
for _ in range(10):
    torch.ones(16_000_000)
print(faults() - before)
"""


def page_faults(*, keep: bool) -> int:
    code = FAULTS.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_tensors_are_not_mapped_anew() -> None:
    assert page_faults(keep=True) * 4 < page_faults(keep=False)
