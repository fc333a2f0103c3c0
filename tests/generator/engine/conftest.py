"""The server that forks the processes of a run, started once with the libraries they need."""

from multiprocessing import forkserver
from pathlib import Path

import pytest

from generator.engine.process import preload
from generator.spec import read_entrant


@pytest.fixture(scope="session", autouse=True)
def _fork_server(tiny_foal: Path) -> None:
    """Import PyTorch once: a server started by entrants without models would import it per run."""
    preload([read_entrant(tiny_foal)])
    forkserver.ensure_running()
