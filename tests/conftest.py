"""Settings of all tests, and how many of them run at once."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest

# Before numpy and torch are imported, here and in the processes that tests start. Models and tables
# are tiny: a second thread would only wait for work in a busy loop, beside other tests.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell without job control starts its background jobs with SIGINT ignored, which every process
# started by them would inherit: tests that interrupt a program would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MEMORY_PER_JOB = 2 * 2**30  # PyTorch, a server of an arena and a browser


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: as many as there are processors, and as the available memory allows."""
    from generator.memory import available_memory

    by_memory = int(available_memory() / MEMORY_PER_JOB)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, by_memory))


def pytest_collection_finish() -> None:
    """Leave what the imported modules hold out of garbage collections.

    A full collection takes half a second once PyTorch and its libraries are loaded, and the code
    under test asks for some itself.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _one_fork_server() -> Iterator[None]:
    """Have the server that forks workers import PyTorch and the pipelines, whoever starts it.

    A process has one such server. Without them, which a run of clips from files does not need,
    every worker of later tests would import them, for two seconds of processor time each.
    """

    def libraries_of(_entrants: object) -> list[str]:
        from generator.backends.diffusers.backend import DiffusersBackend

        return [*DiffusersBackend.libraries, "generator.foal.pipeline"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("generator.engine.process.libraries_of", libraries_of)
        yield
