"""Battles are counted by entrant and day, finished or not, and then deleted if nobody voted."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from arena.catalog.tracks import find_track
from arena.database import Database
from arena.models import Battle, Completion, Entrant, Track, Visitor, Vote
from arena.voting import ballots
from arena.voting.completion import (
    CompletionFlag,
    completion_flags,
    count_battles,
    votes_to_review,
)
from arena.voting.visitors import sweep_visitors
from small_arena import START, TRACK, Booth

LATER = START + timedelta(minutes=5)


def count_all(database: Database, *, now: datetime = LATER) -> int:
    return count_battles(database, now=now)


def totals(database: Database) -> tuple[int, int]:
    """Battles issued and voted on: each shows two entrants."""
    with database.reading() as session:
        issued, voted = session.execute(
            select(func.sum(Completion.issued), func.sum(Completion.voted))
        ).one()
        return (issued or 0) // 2, (voted or 0) // 2


def test_finished_and_abandoned_battles_are_counted_once(booth: Booth) -> None:
    booth.vote("a")
    booth.vote("skip")
    Booth(booth.database, key="b" * 32).ask()
    count_all(booth.database)
    # Two voters, each with one issued ahead; two answers drew one more battle each.
    assert totals(booth.database) == (4 + 2, 1)
    assert count_all(booth.database) == 0
    booth.vote("b")
    count_all(booth.database, now=LATER + timedelta(minutes=5))
    assert totals(booth.database) == (7, 2)


def test_battles_of_the_last_minute_wait_for_others_that_are_not_committed_yet(
    booth: Booth,
) -> None:
    booth.ask()
    assert count_all(booth.database, now=START + timedelta(seconds=30)) == 0
    assert count_all(booth.database) == 2


def test_who_did_not_vote_is_deleted_a_day_later_and_stays_counted(booth: Booth) -> None:
    booth.vote("a")
    for key in "bcd":
        Booth(booth.database, key=key * 32).ask()
    last = Booth(booth.database, key="e" * 32)
    last.now = START + timedelta(days=3)
    last.ask()

    def sweep(days: float) -> int:
        return sweep_visitors(booth.database, now=START + timedelta(days=days))

    assert sweep(2) == 0  # not counted yet
    count_all(booth.database, now=START + timedelta(days=4))
    before = totals(booth.database)
    assert sweep(0.5) == 0
    assert sweep(2) == 3
    with booth.database.reading() as session:
        assert session.scalars(select(Visitor.key)).all() == [last.key]
        assert session.scalar(select(func.count(Battle.id))) == 3 + 2
    assert totals(booth.database) == before
    assert sweep(9) == 0  # the newest battle keeps its number
    booth.vote("a")


def test_leaving_without_a_vote_hides_no_battle_from_the_count(booth: Booth) -> None:
    booth.ask()
    with booth.database.writing() as session:
        ballots.forget_voter(session, voter_key=booth.key)
    count_all(booth.database)
    assert totals(booth.database) == (2, 0)
    with booth.database.reading() as session:
        assert booth.key not in session.scalars(select(Visitor.key)).all()


@pytest.mark.databases("sqlite")
def test_an_entrant_whose_battles_alone_are_finished_is_flagged(booth: Booth) -> None:
    with booth.database.writing() as session:
        track = session.scalars(select(Track).where(Track.name == TRACK)).one()
        alder, birch, cedar = session.scalars(select(Entrant).order_by(Entrant.id))
        for number in range(5):
            day = (START + timedelta(days=number - 5)).date()
            for entrant in (alder, birch, cedar):
                session.add(
                    Completion(
                        track_id=track.id,
                        day=day,
                        entrant_id=entrant.id,
                        issued=2000,
                        voted=1900 if entrant is birch and number == 4 else 1300,
                    )
                )
    with booth.database.reading() as session:
        track = find_track(session, TRACK)
        (flag,) = completion_flags(session, track)
        assert (flag.name, flag.issued, flag.voted) == ("Birch", 2000, 1900)
        assert flag.z > 4
        assert flag.rate == pytest.approx(0.95)
        assert flag.expected < 0.6
        assert votes_to_review(session, track, flag) == []


def test_an_alarm_puts_the_votes_of_those_who_voted_rarely_under_review(booth: Booth) -> None:
    regular, once = booth, Booth(booth.database, key="b" * 32)
    for _ in range(5):
        regular.vote("a")
    battle = once.ask()
    once.wait(1)
    once.cast(battle.token, "b")
    skipped = Booth(booth.database, key="c" * 32)
    skipped.vote("skip")
    count_all(booth.database)
    with booth.database.reading() as session:
        track = find_track(session, TRACK)
        row = session.scalars(select(Battle).where(Battle.token == battle.token)).one()
        vote = session.scalars(select(Vote.id).where(Vote.battle_id == row.id)).one()
        entrant = row.clip_a.entrant_id
        flag = CompletionFlag(entrant, "", START.date(), 1, 1, rate=1.0, expected=0.5, z=9.0)
        assert votes_to_review(session, track, flag) == [vote]
