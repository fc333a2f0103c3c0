"""A clock that was ahead and was set back traps no voter."""

from datetime import timedelta

import pytest

from arena.errors import BattleExpired, TooMany
from arena.settings import RateLimit
from arena.voting.limits import VotingRules
from small_arena import START, Booth

AHEAD = timedelta(days=366)


def test_votes_of_the_future_do_not_count_against_the_rate_limit(booth: Booth) -> None:
    booth.rules = VotingRules(limits=(RateLimit(2, 60),))
    booth.now = START + AHEAD
    booth.vote("a")
    booth.vote("b")
    with pytest.raises(TooMany):
        booth.vote("a")
    booth.now = START
    booth.ask()
    assert booth.vote("a").receipt


def test_a_battle_opened_in_the_future_is_replaced(booth: Booth) -> None:
    booth.now = START + AHEAD
    ahead = booth.ask()
    booth.now = START
    with pytest.raises(BattleExpired):
        booth.cast(ahead.token, "a")
    battle = booth.ask()
    assert battle.token != ahead.token
    booth.wait(battle.min_watch_ms / 1000)
    assert booth.cast(battle.token, "a").receipt
