"""Rigged votes are held and move little; honest voters are hardly ever held. Small versions."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from held_voters import attack, coins, tastes


def test_cookies_that_answer_only_battles_with_their_model_are_held() -> None:
    found = attack(1, "picks", honest=20_000, cookies=10)
    assert found.held >= 0.95
    assert found.honest_held <= 0.02
    assert abs(found.elo) <= 5
    assert found.ranks <= 1
    assert not found.first_moved


def test_an_attacker_who_answers_what_is_served_moves_little() -> None:
    found = attack(2, "served", honest=20_000, cookies=10)
    assert abs(found.elo) <= 5
    assert found.honest_held <= 0.02


def test_cookies_that_answer_what_is_served_are_held_as_a_group() -> None:
    """Each of them meets the model twice; all of their votes on it are put under review."""
    found = attack(1, "served")
    assert found.rigged_held >= 0.95
    assert found.honest_held <= 0.02
    assert abs(found.elo) <= 2


def test_honest_voters_with_tastes_of_their_own_are_not_held() -> None:
    found = tastes(3, voters=200)
    assert found.held <= 0.015
    assert found.largest <= 3


def test_many_voters_who_toss_a_coin_are_held_and_hardly_any_others() -> None:
    found = coins(2, voters=300, flippers=10)
    assert found.held > 0.6
    assert found.honest_held <= 0.02
