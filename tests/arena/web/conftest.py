"""One playable arena, served by a process of its own, for the tests of the web."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from playable import make_playable_arena, served


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena")
    make_playable_arena(folder).database.dispose()
    return folder


@pytest.fixture(scope="package")
def address(home: Path) -> Iterator[str]:
    with served(home) as url:
        yield url


@pytest.fixture
def voter(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as client:
        yield client
