"""A clock that was ahead and was set back traps no voter."""

from datetime import timedelta

import pytest

from arena.errors import TooEarly, TooMany
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


def test_a_battle_that_is_open_while_the_clock_is_set_back_takes_its_vote(booth: Booth) -> None:
    booth.now = START + AHEAD
    watched = booth.ask()
    booth.now = START
    assert booth.ask().token == watched.token
    cast = booth.cast(watched.token, "a", watched_ms={"a": 1000, "b": 1000})
    assert cast.status == "counted"
    assert not cast.watch_checked, "how long it was watched is not known"
    assert cast.next is not None
    with pytest.raises(TooEarly):
        booth.cast(cast.next.token, "a")
    booth.wait(cast.next.min_watch_ms / 1000)
    assert booth.cast(cast.next.token, "a").receipt
