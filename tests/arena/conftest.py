"""Fixtures of the arena's tests, built with `tests/support`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.database import Database
from small_arena import Booth, fill_small_arena, new_database


@pytest.fixture
def arena_database(tmp_path: Path) -> Iterator[Database]:
    """A migrated database with the small arena and no votes."""
    opened = new_database(tmp_path)
    fill_small_arena(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def booth(arena_database: Database) -> Booth:
    return Booth(arena_database)
