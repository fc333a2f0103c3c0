"""The peak memory of code that runs in a process of its own."""

import subprocess
import sys

# `ru_maxrss` of a new process starts at that of the process which started it; VmHWM does not.
_REPORT = """
import re
print()
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 1024)
"""


def run_and_measure(code: str, *arguments: object) -> tuple[str, float]:
    """Run Python code with arguments; return what it printed, and its peak memory in MiB."""
    command = [sys.executable, "-c", code + _REPORT, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    printed, peak = run.stdout.strip().rsplit("\n", 1)
    return printed.strip(), float(peak)
