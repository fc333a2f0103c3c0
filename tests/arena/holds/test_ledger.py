"""A vote is held or counts again by events; answers, receipts and own votes say so alike."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from arena.canonical import sha256_hex
from arena.database import Database
from arena.errors import BallotError, NotFound
from arena.holds.decisions import Selection, hold_votes, list_events, release_votes
from arena.holds.ledger import EMPTY_CHAIN, extend_chain, read_events, text_of
from arena.holds.rules import RULES
from arena.holds.status import judge, judge_votes
from arena.models import Choice, HoldKind, HoldRule, Vote, VoteStatus
from arena.voting.own_data import own_votes, stored_data
from arena.web.routes.schemas import receipt_response
from small_arena import START, TRACK, Booth

REASON = "Cast by the maker's own staff."


def hold(database: Database, **selection: object) -> int:
    with database.writing() as session:
        return hold_votes(session, Selection(**selection), reason=REASON, now=START)  # type: ignore[arg-type]


def let_go(database: Database, **selection: object) -> int:
    with database.writing() as session:
        return release_votes(
            session,
            Selection(**selection),  # type: ignore[arg-type]
            reason="Checked.",
            now=START,
        ).votes


def statuses(database: Database) -> dict[int, VoteStatus]:
    with database.reading() as session:
        found = judge_votes(session, session.scalars(select(Vote)).all())
    return {number: verdict.status for number, verdict in found.items()}


def voter_of(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(Vote.voter_id)).first() or 0


def test_a_held_vote_says_so_everywhere_with_the_public_reason(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(1)
    first = booth.cast(battle.token, "a")
    assert (first.status, first.hold) == ("counted", None)
    assert hold(booth.database, vote_id=1) == 1
    again = booth.cast(battle.token, "a")
    expected = {"rule": "operator", "reason": REASON}
    assert (again.status, again.hold) == ("held", expected)
    with booth.database.reading() as session:
        vote = session.get_one(Vote, 1)
        receipt = receipt_response(vote, judge_votes(session, [vote])[1], None)
        assert receipt.status == "held"
        assert receipt.hold is not None
        assert receipt.hold.reason == REASON
        (own,) = own_votes(session, voter_key=booth.key)
        assert own.verdict.hold == expected
        (stored,) = stored_data(session, voter_key=booth.key)["votes"]
        assert (stored["status"], stored["hold"]) == (VoteStatus.HELD, expected)


def test_a_released_vote_counts_again_and_nothing_is_deleted(booth: Booth) -> None:
    for choice in ("a", "b", "skip"):
        booth.vote(choice)
    voter = voter_of(booth.database)
    assert hold(booth.database, voter_id=voter) == 2
    assert let_go(booth.database, vote_id=2) == 1
    assert statuses(booth.database) == {
        **{1: VoteStatus.HELD, 2: VoteStatus.COUNTED, 3: VoteStatus.SKIPPED}
    }
    with booth.database.reading() as session:
        events = [(each.event.kind, each.event.vote_id) for each in list_events(session)]
    assert events == [(HoldKind.HOLD, 1), (HoldKind.HOLD, 2), (HoldKind.RELEASE, 2)]
    assert hold(booth.database, voter_id=voter) == 1  # the one that counts


def test_a_voter_without_held_votes_can_be_vouched_for_once(booth: Booth) -> None:
    booth.vote("a")
    assert let_go(booth.database, voter_id=voter_of(booth.database)) == 1
    with booth.database.reading() as session:
        (event,) = read_events(session)
    assert (event.kind, event.rule) == (HoldKind.COUNT, "operator")
    with pytest.raises(BallotError, match="already"):
        let_go(booth.database, vote_id=1)


def test_events_are_numbered_without_gaps_and_chained_by_their_hashes(booth: Booth) -> None:
    for _ in range(3):
        booth.vote("a")
    for vote in (3, 1, 2):
        hold(booth.database, vote_id=vote)
    let_go(booth.database, vote_id=1)
    with booth.database.reading() as session:
        events = read_events(session)
        assert [event.number for event in events] == [1, 2, 3, 4]
        assert [event.vote_id for event in events] == [3, 1, 2, 1]
        assert all(sha256_hex(text_of(event)) == event.sha256 for event in events)
        assert [event.number for event in read_events(session, after=1, up_to=3)] == [2, 3]
    link = EMPTY_CHAIN
    for event in events:
        link = sha256_hex(link + event.sha256)
    assert extend_chain(EMPTY_CHAIN, [event.sha256 for event in events]) == link


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"vote_id": 99}, "no vote 99"),
        ({"voter_id": 99}, "no voter 99"),
        ({"vote_id": 2}, "a skip never does"),
    ],
)
def test_what_cannot_be_held_is_refused_in_a_sentence(
    booth: Booth, selection: dict[str, int], message: str
) -> None:
    booth.vote("a")
    booth.vote("skip")
    with pytest.raises((BallotError, NotFound), match=message):
        hold(booth.database, **selection)
    with pytest.raises((BallotError, NotFound)):
        let_go(booth.database, **selection)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301, "bell\x07"])
def test_a_reason_is_one_line_that_can_be_printed(booth: Booth, reason: str) -> None:
    booth.vote("a")
    with (
        pytest.raises(BallotError, match="reason"),
        booth.database.writing() as session,
    ):
        hold_votes(session, Selection(vote_id=1), reason=reason, now=START)


def test_only_rules_sign_as_the_arena(booth: Booth) -> None:
    booth.vote("a")
    with (
        pytest.raises(BallotError, match="author"),
        booth.database.writing() as session,
    ):
        hold_votes(session, Selection(vote_id=1), reason=REASON, author="arena", now=START)


def test_events_of_a_track_or_voter_can_be_listed_alone(booth: Booth) -> None:
    booth.vote("a")
    other = Booth(booth.database, key="b" * 32)
    other.now = booth.now + timedelta(seconds=5)
    other.vote("b")
    hold(booth.database, vote_id=1)
    hold(booth.database, vote_id=2)
    with booth.database.reading() as session:
        voters = [each.voter_id for each in list_events(session, track=TRACK)]
        assert len(list_events(session, voter_id=voters[0])) == 1
        assert list_events(session, track="other") == []


def test_a_vote_without_sound_stays_held_whatever_events_say() -> None:
    verdict = judge(Choice.A, picture_only=True, sampler="uniform")
    assert verdict.status is VoteStatus.HELD
    assert verdict.rule == HoldRule.PICTURE_ONLY
    assert judge(Choice.SKIP, picture_only=True, sampler="uniform").status is VoteStatus.SKIPPED


def test_every_rule_has_a_public_sentence() -> None:
    assert set(RULES) == set(HoldRule)
    for text in RULES.values():
        assert text.reason.endswith(".")
        assert text.version >= 1
