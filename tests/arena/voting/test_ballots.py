"""A battle is issued once and accepts one vote; errors are checked in the contract's order."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from arena.database import Database
from arena.errors import (
    AlreadyVoted,
    BattleExpired,
    MalformedVote,
    NoPair,
    NotFound,
    TooEarly,
    TooMany,
)
from arena.models import Battle, BattleFile, BattleState, Choice, Clip, Reveal, Side, Track, Vote
from arena.settings import parse_rate_limit
from arena.voting import ballots
from arena.voting.battles import BATTLE_LIFETIME
from arena.voting.limits import FREE_SKIPS, VotingRules
from arena.voting.schemas import VoteForm
from small_arena import TRACK, Booth


def count(database: Database, table: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_asking_again_returns_the_same_battle_and_the_same_next(booth: Booth) -> None:
    first, again = booth.ask(), booth.ask()
    assert first == again
    assert first.next is not None
    assert first.next.token != first.token
    assert first.next.next is None


def test_the_prefetched_battle_opens_when_the_one_before_is_answered(booth: Booth) -> None:
    first = booth.ask()
    assert first.next is not None
    assert first.next.expires_at is None
    booth.wait(2)
    with pytest.raises(TooEarly):
        booth.cast(first.next.token, "a")
    answer = booth.cast(first.token, "a")
    assert answer.next is not None
    assert answer.next.token == first.next.token
    assert answer.next.expires_at == booth.now + BATTLE_LIFETIME
    assert booth.ask() == answer.next


def test_the_database_refuses_a_second_open_battle(booth: Booth) -> None:
    booth.ask()
    with pytest.raises(IntegrityError), booth.database.writing() as session:
        prefetched = session.scalars(
            select(Battle).where(Battle.state == BattleState.PREFETCHED)
        ).one()
        prefetched.state = BattleState.OPEN


def test_the_database_refuses_a_second_vote(booth: Booth) -> None:
    booth.vote("a")
    with pytest.raises(IntegrityError), booth.database.writing() as session:
        vote = session.scalars(select(Vote)).one()
        session.add(
            Vote(
                battle_id=vote.battle_id,
                voter_id=vote.voter_id,
                choice=Choice.B,
                cast_at=booth.now,
                receipt="another",
                decided_ms=0,
                reasons=[],
            )
        )


def test_repeating_a_vote_returns_the_same_answer_and_stores_nothing(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(1)
    first, again = booth.cast(battle.token, "a"), booth.cast(battle.token, "a")
    assert (first.receipt, first.reveal, first.status) == (again.receipt, again.reveal, "counted")
    assert count(booth.database, Vote) == 1


def test_another_choice_afterwards_is_refused(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(1)
    booth.cast(battle.token, "a")
    with pytest.raises(AlreadyVoted):
        booth.cast(battle.token, "b")


def test_unknown_tokens_and_those_of_others_get_the_same_error(booth: Booth) -> None:
    battle = booth.ask()
    stranger = Booth(booth.database, key="b" * 32)
    stranger.wait(1)
    with pytest.raises(NotFound) as foreign:
        stranger.cast(battle.token, "a")
    with pytest.raises(NotFound) as unknown:
        stranger.cast("no-such-token", "a")
    assert str(foreign.value) == str(unknown.value)


def test_a_vote_before_the_watch_time_is_too_early_but_a_skip_is_not(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(battle.min_watch_ms / 1000 - 0.01)
    with pytest.raises(TooEarly):
        booth.cast(battle.token, "tie")
    assert booth.cast(battle.token, "skip").status == "skipped"


def test_an_expired_battle_accepts_no_vote_and_is_replaced(booth: Booth) -> None:
    battle = booth.ask()
    booth.now += BATTLE_LIFETIME
    with pytest.raises(BattleExpired):
        booth.cast(battle.token, "a")
    assert booth.ask().token != battle.token
    with pytest.raises(BattleExpired):
        booth.cast(battle.token, "a")


def test_a_malformed_vote_is_checked_last(booth: Booth) -> None:
    battle = booth.ask()

    def send(token: str) -> None:
        with booth.database.writing() as session:
            ballots.cast_vote(
                session,
                voter_key=booth.key,
                token=token,
                form=MalformedVote("'c' is not a choice."),
                rules=booth.rules,
                now=booth.now,
            )

    with pytest.raises(NotFound):
        send("no-such-token")
    with pytest.raises(TooEarly):
        send(battle.token)
    booth.wait(1)
    with pytest.raises(MalformedVote):
        send(battle.token)
    assert count(booth.database, Vote) == 0


def test_votes_beyond_the_rate_limit_must_wait(arena_database: Database) -> None:
    booth = Booth(arena_database, rules=VotingRules(limits=parse_rate_limit("2/minute")))
    booth.vote("a")
    booth.vote("b")
    with pytest.raises(TooMany) as refused:
        booth.vote("a")
    assert 55 <= refused.value.retry_after_s <= 60
    booth.wait(refused.value.retry_after_s)
    assert booth.vote("a").status == "counted"


def test_skips_are_limited_and_votes_allow_more(arena_database: Database) -> None:
    booth = Booth(arena_database, rules=VotingRules(limits=parse_rate_limit("30/minute")))
    for _ in range(FREE_SKIPS):
        booth.vote("skip")
    with pytest.raises(TooMany):
        booth.vote("skip")
    for _ in range(4):
        booth.vote("a")
    assert booth.vote("skip").status == "skipped"


def test_a_skip_reveals_nothing(booth: Booth) -> None:
    assert booth.vote("skip").reveal is None


def test_the_reveal_names_the_models_of_both_sides(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(1)
    answer = booth.cast(battle.token, "a")
    assert answer.reveal is not None
    assert (answer.reveal[0].name, answer.reveal[1].name) == booth.models(battle.token)


def test_a_track_that_reveals_at_close_reveals_nothing_before(booth: Booth) -> None:
    with booth.database.writing() as session:
        session.scalars(select(Track).where(Track.name == TRACK)).one().reveal = Reveal.AT_CLOSE
    assert booth.vote("a").reveal is None


def test_every_pair_is_shown_once(booth: Booth) -> None:
    shown = set()
    for _ in range(12):  # three pairs of entrants on four prompts
        battle = booth.ask()
        booth.wait(1)
        shown.add((frozenset(booth.models(battle.token)), battle.prompt_id))
        last = booth.cast(battle.token, "tie")
    assert len(shown) == 12
    assert last.next is None
    with pytest.raises(NoPair):
        booth.ask()


def test_a_category_draws_from_its_prompts_only(booth: Booth) -> None:
    for _ in range(6):
        battle = booth.ask("even")
        assert battle.prompt_id in {"p-2", "p-4"}
        booth.wait(1)
        booth.cast(battle.token, "a")
    with pytest.raises(NoPair):
        booth.ask("even")
    assert booth.ask(None).prompt_id in {"p-1", "p-3"}


def test_clips_are_available_to_their_voter_until_the_battle_expires(booth: Booth) -> None:
    battle = booth.ask()

    def clip(key: str) -> str:
        with booth.database.reading() as session:
            return ballots.file_of(
                session, battle_id=battle.id, file=BattleFile.A, voter_key=key, now=booth.now
            ).path

    assert clip(booth.key).startswith("renditions/")
    with pytest.raises(NotFound):
        clip("b" * 32)
    booth.now += BATTLE_LIFETIME + timedelta(seconds=1)
    with pytest.raises(NotFound):
        clip(booth.key)


def test_a_vote_stores_what_was_sent(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(3)
    answer = booth.cast(
        battle.token,
        "bad",
        watched_ms={"a": 1000, "b": 900},
        heard_ms={"a": 0, "b": 400},
        first="b",
        reasons=["motion"],
    )
    with booth.database.reading() as session:
        vote = ballots.find_receipt(session, answer.receipt)
        assert (vote.choice, vote.watched_a_ms, vote.watched_b_ms) == (Choice.BAD, 1000, 900)
        assert (vote.heard_a_ms, vote.heard_b_ms, vote.first) == (0, 400, Side.B)
        assert (vote.reasons, vote.decided_ms) == (["motion"], 3000)
        assert ballots.count_votes(session, voter_key=booth.key) == {Choice.BAD: 1}


@pytest.mark.parametrize("reason", ["because", "Motion", "motion ", "<script>", "=1+1", "sound"])
def test_reasons_come_from_the_tracks_list(booth: Booth, reason: str) -> None:
    with booth.database.reading() as session:
        assert session.scalars(select(Track).where(Track.name == TRACK)).one().reasons == [
            *("prompt", "motion", "picture", "consistency")
        ]
    battle = booth.ask()
    booth.wait(3)
    with pytest.raises(MalformedVote, match="reasons are: prompt, motion"):
        booth.cast(battle.token, "a", reasons=["motion", reason])
    assert count(booth.database, Vote) == 0
    booth.cast(battle.token, "a", reasons=["motion", "picture"])
    assert count(booth.database, Vote) == 1


def test_only_the_choice_is_required() -> None:
    assert VoteForm.model_validate({"choice": "a"}).watched_ms is None


def test_a_voter_who_has_seen_no_pair_reads_that_none_can_be_shown(booth: Booth) -> None:
    with booth.database.writing() as session:
        session.execute(delete(Clip))
    with pytest.raises(NoPair, match="There is no pair to show in the track"):
        booth.ask()
