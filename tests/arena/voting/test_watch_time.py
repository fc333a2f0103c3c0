"""Reported watch times: stored as measured, and judged with a tolerance by the server."""

import re
from importlib.resources import files

import pytest
from sqlalchemy import text

from arena.database import Database
from arena.errors import StoreUnavailable
from arena.models import Battle, BattleFile, Vote
from arena.voting import ballots
from arena.voting.fetches import Fetch, FetchLedger, fetches_of
from arena.voting.limits import WATCH_TOLERANCE_MS, VotingRules
from arena.voting.schemas import VoteForm
from small_arena import START, TRACK_WITH_SOUND, Booth, track_entry


@pytest.mark.parametrize(
    ("shortfall_ms", "checked"),
    [(0, True), (WATCH_TOLERANCE_MS, True), (WATCH_TOLERANCE_MS + 1, False)],
)
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_watch_time_may_fall_short_by_the_tolerance(
    booth: Booth, side: str, shortfall_ms: int, checked: bool
) -> None:
    battle = booth.ask()
    required_ms = battle.min_watch_ms
    assert required_ms == 1000
    watched_ms = {"a": required_ms, "b": required_ms, side: required_ms - shortfall_ms}
    booth.wait(required_ms / 1000)
    result = booth.cast(battle.token, "a", watched_ms=watched_ms)
    assert (result.status, result.watch_checked) == ("counted", checked)
    with booth.database.reading() as session:
        vote = ballots.find_receipt(session, result.receipt)
        assert {"a": vote.watched_a_ms, "b": vote.watched_b_ms} == watched_ms


def test_a_missing_watch_time_could_not_be_checked_except_for_a_skip(booth: Booth) -> None:
    battle = booth.ask()
    booth.wait(battle.min_watch_ms / 1000)
    result = booth.cast(battle.token, "tie")
    assert (result.status, result.watch_checked) == ("counted", False)
    assert result.next is not None
    assert booth.cast(result.next.token, "skip").watch_checked


def test_without_a_required_watch_time_nothing_is_unchecked(booth: Booth) -> None:
    booth.rules = VotingRules(watch_time=False)
    assert booth.cast(booth.ask().token, "a").watch_checked


def watch(
    booth: Booth, *, watched_ms: dict[str, int], sent: dict[str, float], seconds: float = 1.0
) -> Vote:
    """Vote after some time; `sent` is the share of each clip's bytes that was sent before."""
    battle = booth.ask()
    fetches = FetchLedger(booth.database)
    size = track_entry().bytes
    for side, share in sent.items():
        fetches.record(battle.id, BattleFile(side), sent=round(share * size), now=booth.now)
    booth.wait(seconds)
    with booth.database.writing() as session:
        cast = ballots.cast_vote(
            session,
            voter_key=booth.key,
            token=battle.token,
            form=VoteForm.model_validate({"choice": "a", "watched_ms": watched_ms}),
            rules=booth.rules,
            now=booth.now,
            fetches=fetches,
        )
        assert cast.status == "counted"
        vote = ballots.find_receipt(session, cast.receipt)
        assert vote.watch_checked == cast.watch_checked
        return vote


FULL = {"a": 1000, "b": 1000}
SENT = {"a": 1.0, "b": 1.0}


def test_clips_that_were_sent_and_watched_are_checked(booth: Booth) -> None:
    assert watch(booth, watched_ms=FULL, sent=SENT).watch_checked


@pytest.mark.parametrize("sent", [{}, {"a": 1.0}, {"b": 1.0}, {"a": 1.0, "b": 0.3}])
def test_a_clip_that_was_never_sent_cannot_have_been_watched(
    booth: Booth, sent: dict[str, float]
) -> None:
    assert watch(booth, watched_ms=FULL, sent=sent).watch_checked is False


def test_watch_times_are_capped_by_the_servers_clock(booth: Booth) -> None:
    day_ms = 24 * 3600 * 1000
    vote = watch(booth, watched_ms={"a": day_ms, "b": 1000}, sent=SENT, seconds=3.2)
    assert (vote.watched_a_ms, vote.watched_b_ms) == (3200, 1000)
    assert vote.watch_checked is False


def test_a_clip_was_watched_no_longer_than_since_it_was_first_sent(booth: Booth) -> None:
    battle = booth.ask()
    fetches = FetchLedger(booth.database)
    size = track_entry().bytes
    fetches.record(battle.id, BattleFile.A, sent=size, now=booth.now)
    booth.wait(4)
    fetches.record(battle.id, BattleFile.B, sent=size, now=booth.now)
    booth.wait(0.5)
    with booth.database.writing() as session:
        form = VoteForm.model_validate({"choice": "b", "watched_ms": {"a": 4500, "b": 4500}})
        cast = ballots.cast_vote(
            session,
            voter_key=booth.key,
            token=battle.token,
            form=form,
            rules=booth.rules,
            now=booth.now,
            fetches=fetches,
        )
        vote = ballots.find_receipt(session, cast.receipt)
    assert (vote.watched_a_ms, vote.watched_b_ms) == (4500, 500)
    assert vote.watch_checked is False


def test_only_one_side_sounds_at_a_time(arena_database: Database) -> None:
    booth = Booth(arena_database, track=TRACK_WITH_SOUND)
    for heard, seconds, checked in ((1000, 2.0, True), (1000, 1.2, False)):
        battle = booth.ask()
        booth.wait(seconds)
        cast = booth.cast(battle.token, "a", watched_ms=FULL, heard_ms={"a": heard, "b": heard})
        assert (cast.status, cast.watch_checked) == ("counted", checked)


def test_what_was_sent_is_stored_for_other_processes_and_after_a_restart(booth: Booth) -> None:
    battle = booth.ask()
    size = track_entry().bytes
    first = FetchLedger(booth.database)
    for file in (BattleFile.A, BattleFile.B, BattleFile.A):
        first.record(battle.id, file, sent=size // 2, now=booth.now)
    first.store()
    assert first.unstored(battle.id) == {}
    booth.wait(1)
    second = FetchLedger(booth.database)
    second.record(battle.id, BattleFile.B, sent=size // 2, now=booth.now)
    with booth.database.reading() as session:
        stored = fetches_of(session.get_one(Battle, battle.id), second)
    assert stored == {
        BattleFile.A: Fetch(START, size // 2 * 2),
        BattleFile.B: Fetch(START, size // 2 * 2),
    }


def test_what_cannot_be_stored_is_kept_for_the_next_time(booth: Booth) -> None:
    battle = booth.ask()
    fetches = FetchLedger(booth.database)
    fetches.record(battle.id, BattleFile.A, sent=10, now=booth.now)
    with booth.database.writing() as session:
        session.execute(text("ALTER TABLE battle RENAME TO elsewhere"))
    with pytest.raises(StoreUnavailable):
        fetches.store()
    with booth.database.writing() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO battle"))
    fetches.record(battle.id, BattleFile.A, sent=10, now=booth.now)
    fetches.store()
    with booth.database.reading() as session:
        assert session.get_one(Battle, battle.id).fetched_a_bytes == 20


def test_the_page_enables_the_vote_with_the_same_tolerance() -> None:
    script = (files("arena.web.duel") / "assets" / "watch-account.js").read_text(encoding="utf-8")
    found = re.search(r"WATCH_TOLERANCE_MS = ([\d_]+);", script)
    assert found
    assert int(found[1]) == WATCH_TOLERANCE_MS == 100
