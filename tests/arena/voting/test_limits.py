"""Rate limits and the limit on skips hold for each voter, and say exactly how long to wait."""

import pytest

from arena.database import Database
from arena.errors import TooMany
from arena.settings import parse_rate_limit
from arena.voting.limits import FREE_SKIPS, VotingRules
from small_arena import Booth

TWO_A_MINUTE = VotingRules(limits=parse_rate_limit("2/minute"))


@pytest.fixture
def limited(arena_database: Database) -> Booth:
    """A voter who votes at once: after 1 s, when both clips of a pair have been shown."""
    return Booth(arena_database, rules=TWO_A_MINUTE)


def test_the_votes_and_skips_of_others_do_not_count(limited: Booth) -> None:
    limited.vote("a")
    limited.vote("b")
    for _ in range(FREE_SKIPS):
        limited.vote("skip")
    other = Booth(limited.database, key="b" * 32, rules=TWO_A_MINUTE)
    other.now = limited.now
    assert other.vote("a").status == "counted"
    assert other.vote("skip").status == "skipped"


def test_the_oldest_vote_of_the_window_sets_the_wait(limited: Booth) -> None:
    first_at = limited.vote("a") and limited.now
    limited.wait(30)
    limited.vote("b")
    with pytest.raises(TooMany) as refused:
        limited.vote("a")
    open_s = 60 - (limited.now - first_at).total_seconds()  # until the first vote leaves the window
    assert open_s <= refused.value.retry_after_s <= open_s + 1
    limited.wait(refused.value.retry_after_s - 3)  # `vote` waits one second more
    with pytest.raises(TooMany):
        limited.vote("a")
    limited.wait(1)
    assert limited.vote("a").status == "counted"


def test_less_than_a_second_to_wait_is_said_as_one_second(limited: Booth) -> None:
    limited.vote("a")
    limited.vote("b")
    limited.wait(57.5)
    with pytest.raises(TooMany) as refused:
        limited.vote("a")  # half a second before the first vote leaves the window
    assert refused.value.retry_after_s == 1


def test_the_oldest_skip_of_the_hour_sets_the_wait(limited: Booth) -> None:
    first_at = limited.vote("skip") and limited.now
    for _ in range(FREE_SKIPS - 1):
        limited.wait(60)
        limited.vote("skip")
    with pytest.raises(TooMany) as refused:
        limited.vote("skip")
    open_s = 3600 - (limited.now - first_at).total_seconds()
    assert open_s <= refused.value.retry_after_s <= open_s + 1
    limited.wait(refused.value.retry_after_s)
    assert limited.vote("skip").status == "skipped"
