"""The rule `adaptive` places a newcomer with fewer votes, from the draw to the leaderboard."""

import numpy as np
import pytest
from simulated_track import SimulatedTrack

from arena import database
from arena.database import Database
from arena.voting.matchmaking import ADAPTIVE, UNIFORM

MODELS, SETTLED, VOTES = 12, 3300, 240
NEWCOMER = MODELS - 1


@pytest.fixture
def empty(tmp_path) -> Database:
    opened = Database(f"sqlite:///{tmp_path / 'arena.sqlite'}")
    database.upgrade(opened)
    yield opened
    opened.dispose()


def test_a_newcomer_is_known_with_a_fifth_of_the_votes(empty: Database) -> None:
    elo = np.linspace(-120, 120, MODELS)[[*range(6), *range(7, MODELS), 6]]
    track = SimulatedTrack(empty, elo, sampler=UNIFORM, prompts=10, seed=3)
    track.retire(NEWCOMER)
    track.vote(SETTLED)
    track.restore(NEWCOMER)
    before = track.refresh()
    assert before[NEWCOMER].vote_count == 0
    track.sampler = ADAPTIVE
    for _ in range(4):
        track.vote(VOTES // 4)
        rows = track.refresh()
    # Drawn uniformly, the newcomer is in a sixth of the battles, and in five sixths at most.
    assert rows[NEWCOMER].vote_count > 5 / 6 * 0.95 * VOTES
    assert rows[NEWCOMER].variance < 25**2
    others = [
        after.vote_count - earlier.vote_count for earlier, after in zip(before, rows, strict=True)
    ][:-1]
    assert min(others) > 0, "every model goes on being shown"
