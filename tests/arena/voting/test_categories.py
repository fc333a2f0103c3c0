"""The battle after the open one follows the category that was asked for last."""

import pytest
from sqlalchemy import select

from arena.catalog.prompts import find_prompt, import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import close_track, find_track
from arena.database import Database
from arena.errors import NoPair, NotFound, SmallCategory
from arena.models import OVERALL, Battle, PromptCategory
from arena.voting.matchmaking import categories_to_ask_for
from small_arena import START, TRACK, TRACK_WITH_SOUND, Booth

EVEN, ODD = {"p-2", "p-4"}, {"p-1", "p-3"}


@pytest.fixture
def booth(arena_database: Database) -> Booth:
    """A voter in an arena whose prompts are all `even` or `odd`."""
    with arena_database.writing() as session:
        for key in ODD:
            find_prompt(session, key).category_rows = [PromptCategory(category="odd")]
    return Booth(arena_database)


def test_another_category_changes_the_next_battle_and_not_the_open_one(booth: Booth) -> None:
    first = booth.ask("even")
    again = booth.ask("odd")
    assert again.token == first.token
    assert again.next is not None
    assert again.next.prompt_id in ODD
    booth.wait(1)
    upcoming = booth.cast(first.token, "a").next
    assert upcoming is not None
    assert upcoming.token == again.next.token
    assert upcoming.next is not None
    assert upcoming.next.prompt_id in ODD


def test_all_prompts_can_be_asked_for_again(booth: Booth) -> None:
    first = booth.ask("even")
    booth.ask(None)
    booth.wait(1)
    shown, battle = set(), booth.cast(first.token, "a").next
    for _ in range(10):
        assert battle is not None
        shown.add(battle.prompt_id)
        booth.wait(1)
        battle = booth.cast(battle.token, "a").next
    assert shown == EVEN | ODD


def test_the_category_asked_last_holds_although_it_has_no_pair_left(booth: Booth) -> None:
    for _ in range(6):
        battle = booth.ask("odd")
        booth.wait(1)
        booth.cast(battle.token, "a")
    first = booth.ask("even")
    assert booth.ask("odd").next is None
    booth.wait(1)
    assert booth.cast(first.token, "a").next is None
    with pytest.raises(NoPair):
        booth.ask("odd")


def test_changing_the_category_back_and_forth_draws_no_further_pairs(booth: Booth) -> None:
    first = booth.ask("even")
    seen = {first.token}
    for _ in range(5):
        for category in ("odd", "even", None):
            upcoming = booth.ask(category).next
            assert upcoming is not None
            seen.add(upcoming.token)
    assert len(seen) == 4  # the open one, and one for each category and for all prompts
    with booth.database.reading() as session:
        assert len(session.scalars(select(Battle)).all()) == 4


def test_a_battle_put_aside_is_not_shown_again_once_its_prompt_is_retired(booth: Booth) -> None:
    first = booth.ask("even")
    assert first.next is not None
    booth.ask("odd")
    with booth.database.writing() as session:
        find_prompt(session, first.next.prompt_id).retired_at = START
    upcoming = booth.ask("even").next
    assert upcoming is None or upcoming.prompt_id != first.next.prompt_id


def test_repeating_a_vote_keeps_the_category_asked_since(booth: Booth) -> None:
    first = booth.ask("even")
    booth.wait(1)
    booth.cast(first.token, "a")
    asked = booth.ask("odd")
    assert booth.cast(first.token, "a").next == asked


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("category", ["no-such-category", "", "EVEN"])
def test_an_unknown_category_is_not_found(booth: Booth, category: str, is_open: bool) -> None:
    if is_open:
        booth.ask()
    with pytest.raises(NotFound, match="even, odd"):
        booth.ask(category)


def test_a_category_of_another_track_is_not_found(booth: Booth) -> None:
    with booth.database.writing() as session:
        entry = PromptEntry(id="q-1", text="x", categories=("far",), tracks=(TRACK_WITH_SOUND,))
        import_prompts(session, [entry], now=START)
    with pytest.raises(NotFound):
        booth.ask("far")


def test_overall_means_all_prompts_as_in_leaderboards(booth: Booth) -> None:
    assert booth.ask(OVERALL).track == TRACK
    with booth.database.reading() as session:
        assert session.scalars(select(Battle.category)).all() == [None, None]


def test_a_category_of_few_prompts_cannot_be_asked_for(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.catalog.track_index.MIN_CATEGORY_PROMPTS", 3)
    with pytest.raises(SmallCategory, match=r"only 2 prompts .* needs 10") as refused:
        booth.ask("even")
    assert refused.value.http_status == 409
    with pytest.raises(NotFound):
        booth.ask("no-such-category")
    assert booth.ask(OVERALL).token
    with booth.database.reading() as session:
        track = find_track(session, TRACK)
        assert categories_to_ask_for(session, track) == [OVERALL]
        monkeypatch.setattr("arena.catalog.track_index.MIN_CATEGORY_PROMPTS", 2)
        assert categories_to_ask_for(session, track) == [OVERALL, "even", "odd"]


def test_battles_of_a_category_that_became_small_are_of_all_prompts(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = booth.ask("even")
    monkeypatch.setattr("arena.catalog.track_index.MIN_CATEGORY_PROMPTS", 3)
    booth.wait(1)
    booth.cast(first.token, "a")
    shown = {booth.vote("a").choice for _ in range(4)}
    assert shown == {"a"}
    with booth.database.reading() as session:
        assert set(session.scalars(select(Battle.prompt_id))) & ODD


def test_a_track_without_pairs_says_so_whatever_the_category(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.catalog.track_index.MIN_CATEGORY_PROMPTS", 3)
    with booth.database.writing() as session:
        close_track(session, find_track(session, TRACK), now=START)
    with pytest.raises(NoPair):
        booth.ask("even")
