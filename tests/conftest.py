"""Settings of all tests, and how many of them run at once."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

PEM_END = "-----END CERTIFICATE-----\n"

# Before numpy and torch are imported, here and in the processes that tests start. Models and tables
# are tiny: a second thread would only wait for work in a busy loop, beside other tests.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell without job control starts its background jobs with SIGINT ignored, which every process
# started by them would inherit: tests that interrupt a program would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Every client of HTTP reads the certificates of all authorities, which takes 40 ms, and no test has
# TLS. The processes that tests start read the file with one of them, too.
_authority = tempfile.NamedTemporaryFile("w", prefix="hippodrome-", suffix=".pem")
_authority.write(Path(certifi.where()).read_text(encoding="utf-8").partition(PEM_END)[0] + PEM_END)
_authority.flush()
os.environ["SSL_CERT_FILE"] = _authority.name

MEMORY_PER_JOB = 2 * 2**30  # PyTorch, a server of an arena and a browser


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one more than there are processors, if the available memory allows that.

    Many tests wait, for a server, a browser or a limit of time.
    """
    from generator.memory import available_memory

    by_memory = int(available_memory() / MEMORY_PER_JOB)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min((cores or 1) + 1, by_memory))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of this folder itself: at the end, others would wait for the longest."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


def pytest_collection_finish() -> None:
    """Leave what the imported modules hold out of garbage collections.

    A full collection takes half a second once PyTorch and its libraries are loaded, and the code
    under test asks for some itself.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _one_fork_server() -> Iterator[None]:
    """Have the server that forks workers import what any of them needs, whoever starts it.

    A process has one such server. Without PyTorch and the pipelines, which a run of clips from
    files does not need, every worker of later tests would import them, for two seconds of processor
    time each; and so would those that order clips import the journal of orders.
    """

    def libraries_of(_entrants: object) -> list[str]:
        from generator.backends.diffusers.backend import DiffusersBackend

        others = ["generator.foal.pipeline", "generator.backends.api.backend"]
        return [*DiffusersBackend.libraries, *others, "arena.production.orders"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("generator.engine.process.libraries_of", libraries_of)
        yield
