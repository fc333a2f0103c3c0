"""A vote can be withdrawn for ten seconds if no name was shown; it stays, and does not count."""

import pytest
from sqlalchemy import func, select

from arena.catalog.tracks import close_track, find_track
from arena.errors import BattleExpired, NotFound, NotWithdrawable, TooMany
from arena.holds.ledger import read_events
from arena.models import Prompt, Reveal, Track, Vote, VoteStatus
from arena.settings import parse_rate_limit
from arena.standings.standings import leaderboard
from arena.voting.limits import FREE_SKIPS, VotingRules
from arena.voting.own_data import own_votes
from arena.voting.withdrawing import WITHDRAW_S, WithdrawnVote, withdraw_vote
from small_arena import START, TRACK, Booth


@pytest.fixture
def hidden(booth: Booth) -> Booth:
    """A voter in a track that reveals at its close."""
    with booth.database.writing() as session:
        session.scalars(select(Track).where(Track.name == TRACK)).one().reveal = Reveal.AT_CLOSE
    return booth


def voted(booth: Booth, choice: str = "a") -> str:
    battle = booth.ask()
    booth.wait(1)
    booth.cast(battle.token, choice)
    return battle.token


def withdraw(booth: Booth, token: str) -> WithdrawnVote:
    with booth.database.writing() as session:
        return withdraw_vote(
            session, voter_key=booth.key, token=token, rules=booth.rules, now=booth.now
        )


def test_a_withdrawn_vote_is_held_and_counts_in_no_leaderboard(hidden: Booth) -> None:
    token = voted(hidden)
    hidden.wait(WITHDRAW_S)
    withdrawn = withdraw(hidden, token)
    assert withdrawn.verdict.status is VoteStatus.HELD
    assert withdrawn.verdict.rule == "withdrawn"
    hidden.wait(60)
    assert withdraw(hidden, token) == withdrawn
    with hidden.database.reading() as session:
        (event,) = read_events(session)
        assert (event.rule, event.author) == ("withdrawn", "voter")
        assert session.scalar(select(func.count(Vote.id))) == 1
        (own,) = own_votes(session, voter_key=hidden.key)
        assert own.verdict.status is VoteStatus.HELD
    with hidden.database.writing() as session:
        close_track(session, find_track(session, TRACK), now=START)
    board = leaderboard(hidden.database, track_name=TRACK, now=hidden.now)
    assert board.votes == 0
    assert board.holds is not None
    assert board.holds["held"] == 1


def test_the_battle_of_a_withdrawn_vote_takes_no_other_vote(hidden: Booth) -> None:
    token = voted(hidden)
    withdraw(hidden, token)
    assert hidden.cast(token, "a").status == "held"
    assert hidden.vote("b").status == "counted"


def test_after_ten_seconds_a_vote_stays(hidden: Booth) -> None:
    token = voted(hidden)
    hidden.wait(WITHDRAW_S + 2)
    with pytest.raises(BattleExpired, match="within 10 seconds"):
        withdraw(hidden, token)


def test_a_vote_whose_models_were_named_stays(booth: Booth) -> None:
    token = voted(booth)
    with pytest.raises(NotWithdrawable, match="names were shown"):
        withdraw(booth, token)


def test_a_vote_on_a_held_out_prompt_can_be_withdrawn(booth: Booth) -> None:
    with booth.database.writing() as session:
        for prompt in session.scalars(select(Prompt)):
            prompt.held_out = True
    assert withdraw(booth, voted(booth)).verdict.rule == "withdrawn"


def test_withdrawing_shares_the_limit_on_skips(hidden: Booth) -> None:
    """Otherwise whoever votes and withdraws chooses among battles without a limit."""
    hidden.rules = VotingRules(limits=parse_rate_limit("30/minute"))
    for _ in range(FREE_SKIPS - 1):
        withdraw(hidden, voted(hidden))
    last = voted(hidden, "b")
    withdraw(hidden, last)
    with pytest.raises(TooMany):
        hidden.vote("skip")
    with pytest.raises(TooMany, match="withdrawn too many"):
        withdraw(hidden, voted(hidden))
    assert withdraw(hidden, last).verdict.rule == "withdrawn"  # repeated
    for _ in range(3):
        voted(hidden)
    withdraw(hidden, voted(hidden))


def test_a_vote_in_a_closed_track_stays(booth: Booth) -> None:
    """The final leaderboard and release have it, whatever its prompt."""
    with booth.database.writing() as session:
        for prompt in session.scalars(select(Prompt)):
            prompt.held_out = True
    token = voted(booth)
    with booth.database.writing() as session:
        close_track(session, find_track(session, TRACK), now=booth.now)
    with pytest.raises(NotWithdrawable, match="closed"):
        withdraw(booth, token)


def test_a_skip_an_unknown_battle_and_another_voter_s_vote_cannot_be_withdrawn(
    hidden: Booth,
) -> None:
    with pytest.raises(NotWithdrawable, match="skip"):
        withdraw(hidden, voted(hidden, "skip"))
    open_battle = hidden.ask()
    token = voted(hidden)
    other = Booth(hidden.database, key="f" * 32)
    for booth, unknown in ((hidden, "no-such-battle"), (other, token)):
        with pytest.raises(NotFound):
            withdraw(booth, unknown)
    assert open_battle.token == token
