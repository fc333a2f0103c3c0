"""Reported watch times: stored as measured, and judged with a tolerance by the server."""

import re
from importlib.resources import files

import pytest

from arena.voting import ballots
from arena.voting.limits import WATCH_TOLERANCE_MS, VotingRules
from small_arena import Booth


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


def test_the_page_enables_the_vote_with_the_same_tolerance() -> None:
    script = (files("arena.web.duel") / "assets" / "watch-account.js").read_text(encoding="utf-8")
    found = re.search(r"WATCH_TOLERANCE_MS = ([\d_]+);", script)
    assert found
    assert int(found[1]) == WATCH_TOLERANCE_MS == 100
