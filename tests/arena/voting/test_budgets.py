"""Networks, and the arena, get few battles that nobody votes on; who votes is never held up."""

from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import func, select

from arena.database import Database
from arena.errors import TooMany
from arena.models import IssuedTo, NetworkSalt, Visitor, Voter
from arena.settings import parse_budget
from arena.voting.answering import answer_requests
from arena.voting.budgets import BATTLES_PER_VOTE, WIDE_FACTOR, delete_old_counts
from arena.voting.limits import VotingRules
from arena.voting.networks import network_names, prefixes_of
from arena.voting.requests import BattleRequest, VoteRequest
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm
from small_arena import START, TRACK

TEN = VotingRules(network_limits=parse_budget("10/hour;24/day"))
OURS, NEIGHBOUR, OTHER = "203.0.113.7", "203.0.113.200", "198.51.100.1"
KEYS = count(1)


def key() -> str:
    return f"{next(KEYS):032x}"


def ask(
    database: Database, address: str | None, rules: VotingRules = TEN, at: float = 0.0
) -> IssuedBattle | TooMany:
    """A new browser asks for a battle, which counts two: the next one is issued ahead."""
    request = BattleRequest(key(), TRACK, None, rules, START + timedelta(seconds=at), address)
    with database.writing() as session:
        (answer,) = answer_requests(session, [request])
    assert isinstance(answer, IssuedBattle | TooMany)
    return answer


def issued(database: Database, address: str | None, times: int, **values: float) -> int:
    return sum(isinstance(ask(database, address, **values), IssuedBattle) for _ in range(times))


def test_a_network_gets_no_more_battles_than_its_limit_without_a_vote(
    arena_database: Database,
) -> None:
    assert issued(arena_database, OURS, 4) == 4
    assert issued(arena_database, NEIGHBOUR, 4) == 1  # the tenth battle
    refused = ask(arena_database, OURS)
    assert isinstance(refused, TooMany)
    assert 3599 <= refused.retry_after_s <= 3601
    assert "60 min" in str(refused)
    assert isinstance(ask(arena_database, OTHER), IssuedBattle)
    assert isinstance(ask(arena_database, None), IssuedBattle)  # an address that is not known


def test_many_requests_of_one_transaction_are_counted_as_they_come(
    arena_database: Database,
) -> None:
    requests = [BattleRequest(key(), TRACK, None, TEN, START, OURS) for _ in range(20)]
    with arena_database.writing() as session:
        answers = answer_requests(session, requests)
    assert sum(isinstance(answer, IssuedBattle) for answer in answers) == 5


def test_the_limit_holds_again_in_the_next_hour_until_that_of_the_day_is_reached(
    arena_database: Database,
) -> None:
    hour = 3600.0
    granted = [issued(arena_database, OURS, 8, at=number * hour) for number in range(4)]
    assert granted == [5, 5, 2, 0]
    refused = ask(arena_database, OURS, at=3 * hour)
    assert isinstance(refused, TooMany)
    assert refused.retry_after_s > 8 * hour
    assert isinstance(ask(arena_database, OURS, at=12 * hour + 1), IssuedBattle)  # the next day


def test_a_provider_s_network_gets_more_than_a_site_s(arena_database: Database) -> None:
    addresses = [f"203.0.{site}.1" for site in range(40)]
    granted = sum(isinstance(ask(arena_database, each), IssuedBattle) for each in addresses)
    assert granted == WIDE_FACTOR * 10 / 2


def test_a_lecture_hall_that_votes_is_not_held_up(arena_database: Database) -> None:
    rules = VotingRules(watch_time=False, network_limits=parse_budget("10/hour"))
    for _ in range(12):
        voter = key()
        asked = BattleRequest(voter, TRACK, None, rules, START, OURS)
        with arena_database.writing() as session:
            (battle,) = answer_requests(session, [asked])
            for _ in range(4):
                assert isinstance(battle, IssuedBattle)
                form = VoteForm(choice="a", reasons=[])
                vote = VoteRequest(voter, battle.token, form, rules, START, OURS)
                (answer,) = answer_requests(session, [vote])
                assert isinstance(answer, CastVote)
                battle = answer.next
    assert BATTLES_PER_VOTE * 4 >= 4 + 1  # four votes, and one battle is left


def test_an_open_battle_is_returned_and_its_vote_accepted_when_nothing_more_is_issued(
    arena_database: Database,
) -> None:
    rules = VotingRules(watch_time=False, network_limits=parse_budget("2/hour"))
    request = BattleRequest(key(), TRACK, None, rules, START, OURS)
    with arena_database.writing() as session:
        (battle,) = answer_requests(session, [request])
        (again,) = answer_requests(session, [request])
        assert isinstance(battle, IssuedBattle)
        assert isinstance(again, IssuedBattle)
        assert again.token == battle.token
        assert isinstance(answer_requests(session, [_other(request)])[0], TooMany)
        form = VoteForm(choice="a", reasons=[])
        vote = VoteRequest(request.voter_key, battle.token, form, rules, START, OURS)
        (answer,) = answer_requests(session, [vote])
        assert isinstance(answer, CastVote)
        assert answer.next is not None


def _other(request: BattleRequest) -> BattleRequest:
    return BattleRequest(key(), TRACK, None, request.rules, START, request.address)


def test_the_total_stops_new_browsers_and_nobody_who_has_voted(arena_database: Database) -> None:
    rules = VotingRules(watch_time=False, total_limits=parse_budget("6/hour"))
    regular = key()
    asked = BattleRequest(regular, TRACK, None, rules, START, OTHER)
    with arena_database.writing() as session:
        (battle,) = answer_requests(session, [asked])
        assert isinstance(battle, IssuedBattle)
        form = VoteForm(choice="a", reasons=[])
        vote = VoteRequest(regular, battle.token, form, rules, START, OTHER)
        answer_requests(session, [vote])
    addresses = [f"10.{number}.0.1" for number in range(10)]
    granted = sum(isinstance(ask(arena_database, each, rules), IssuedBattle) for each in addresses)
    assert granted == 3  # 3 issued - 1.5 for the vote, then 2 each up to 6
    refused = ask(arena_database, None, rules)
    assert isinstance(refused, TooMany)
    for _ in range(3):
        with arena_database.writing() as session:
            (battle,) = answer_requests(session, [asked])
            assert isinstance(battle, IssuedBattle)
            vote = VoteRequest(regular, battle.token, form, rules, START, OTHER)
            (answer,) = answer_requests(session, [vote])
            assert isinstance(answer, CastVote)


def test_no_address_is_stored_and_a_day_s_secret_is_deleted(arena_database: Database) -> None:
    ask(arena_database, OURS)
    with arena_database.writing() as session:
        first = session.scalars(select(NetworkSalt)).one().salt
        names = set(session.scalars(select(IssuedTo.network)))
        assert names == set(network_names(OURS, first))
        assert not any("203" in name and "." in name for name in names)
    ask(arena_database, OURS, at=86_400)
    with arena_database.writing() as session:
        second = session.scalars(select(NetworkSalt)).one().salt
        assert second != first
    delete_old_counts(arena_database, now=START + timedelta(days=1))
    with arena_database.reading() as session:
        assert set(session.scalars(select(IssuedTo.network))) == set(network_names(OURS, second))


def test_a_browser_is_a_voter_once_it_has_voted_or_skipped(arena_database: Database) -> None:
    rules = VotingRules(watch_time=False)
    voters, looked = [key(), key()], key()
    with arena_database.writing() as session:
        for each in (*voters, looked):
            (battle,) = answer_requests(session, [BattleRequest(each, TRACK, None, rules, START)])
            assert isinstance(battle, IssuedBattle)
            if each is not looked:
                form = VoteForm(choice="a" if each is voters[0] else "skip", reasons=[])
                vote = VoteRequest(each, battle.token, form, rules, START)
                (answer,) = answer_requests(session, [vote])
                assert isinstance(answer, CastVote)
                assert answer.next is not None
                # The battle issued ahead is the one that is shown next.
                assert battle.next is not None
                assert answer.next.token == battle.next.token
        assert set(session.scalars(select(Voter.key))) == set(voters)
        assert session.scalars(select(Visitor.key)).all() == [looked]
        assert session.scalar(select(func.count(Voter.id))) == 2


@pytest.mark.parametrize(
    ("address", "networks"),
    [
        ("203.0.113.7", ("203.0.113.0/24", "203.0.0.0/16")),
        ("::ffff:203.0.113.7", ("203.0.113.0/24", "203.0.0.0/16")),
        ("2001:db8:1:2::3", ("2001:db8:1::/48", "2001:db8::/32")),
        ("fe80::1%eth0", ("fe80::/48", "fe80::/32")),
        ("testclient", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_an_address_is_in_the_network_of_its_site_and_of_its_provider(
    address: str | None, networks: tuple[str, ...]
) -> None:
    assert prefixes_of(address) == networks
