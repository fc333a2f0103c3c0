"""Without reveals nobody learns whose clips are whose; with them, little is gained."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from clip_dictionary import attack


def test_what_is_learnt_from_reveals_moves_a_large_track_by_two_points_at_most() -> None:
    found = attack(1, prompts=100, honest=40_000)
    assert 0.2 < found.known < 0.9
    assert abs(found.elo_rules) <= 2 * 100_000 / 40_000


def test_where_names_are_revealed_at_the_close_nothing_is_learnt() -> None:
    assert attack(1, prompts=100, honest=20_000, reveals=False).known == 0
