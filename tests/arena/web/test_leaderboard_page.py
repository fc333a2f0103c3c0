"""The leaderboard's page: whose votes it opens on, and what it shows if the database fails."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from arena.context import Arena
from arena.database import Database
from arena.media import open_store
from arena.models import VoterKind
from arena.settings import Settings
from arena.standings import standings
from arena.voting import ballots
from arena.web.views.app_state import set_arena
from broken_stores import damage
from small_arena import START, TRACK, TRACK_WITH_SOUND, Booth


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Streamlit replaces `__main__` by the page's script, which later processes would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def shown(arena_database: Database, tmp_path: Path) -> Iterator[Database]:
    settings = Settings(home=tmp_path)
    set_arena(Arena(settings, arena_database, open_store(str(tmp_path / "media"))))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield arena_database
    st.cache_data.clear()
    st.cache_resource.clear()


def vote(database: Database, *, key: str, kind: VoterKind, track: str = TRACK) -> None:
    with database.writing() as session:
        ballots.admit_voter(session, key * 32, now=START, kind=kind)
    Booth(database, key=key * 32, track=track).vote("a")


def open_page(**query: str) -> AppTest:
    def script() -> None:
        from arena.web.views.leaderboard import show_leaderboard

        show_leaderboard()

    page = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def text_of(page: AppTest) -> str:
    assert not page.exception
    return " ".join(str(element.proto) for element in page.get("html"))


def test_the_page_opens_on_simulated_votes_where_there_are_no_others(shown: Database) -> None:
    vote(shown, key="f", kind=VoterKind.SIMULATED)
    page = text_of(open_page())
    assert "Simulated votes, not people" in page
    assert "No votes yet" not in page


def test_the_page_opens_on_peoples_votes_as_soon_as_there_is_one(shown: Database) -> None:
    vote(shown, key="f", kind=VoterKind.SIMULATED)
    vote(shown, key="a", kind=VoterKind.PERSON)
    page = text_of(open_page())
    assert "blind vote by people" in page
    assert "Simulated votes, not people" not in page


def test_each_track_opens_on_its_own_votes(shown: Database) -> None:
    vote(shown, key="f", kind=VoterKind.SIMULATED, track=TRACK_WITH_SOUND)
    assert "No votes yet" in text_of(open_page(track=TRACK))
    assert "Simulated votes, not people" in text_of(open_page(track=TRACK_WITH_SOUND))


def test_the_address_decides_whose_votes_are_shown(shown: Database) -> None:
    vote(shown, key="f", kind=VoterKind.SIMULATED)
    assert "No votes yet" in text_of(open_page(voters="people"))


@pytest.mark.databases("sqlite")
def test_a_database_that_fails_leaves_the_last_board_with_its_age(shown: Database) -> None:
    vote(shown, key="a", kind=VoterKind.PERSON)
    assert "does not respond" not in text_of(open_page())
    vote(shown, key="b", kind=VoterKind.PERSON)
    damage(shown)
    st.cache_data.clear()
    st.cache_resource.clear()
    page = text_of(open_page())
    assert "blind vote by people" in page
    assert "less than a minute old" in page
    assert "does not respond" in page


@pytest.mark.databases("sqlite")
def test_without_any_board_the_page_says_in_a_sentence_what_is_wrong(shown: Database) -> None:
    standings._memories.clear()
    damage(shown)
    page = open_page(track=TRACK_WITH_SOUND, voters="simulated")
    assert "cannot be shown" in text_of(page)


def test_the_page_shows_how_far_its_numbers_can_be_trusted(shown: Database) -> None:
    for number in range(8):
        vote(shown, key=f"{number}", kind=VoterKind.PERSON)
    page = text_of(open_page())
    assert "First place" in page
    assert "Votes for the left side" in page
    assert "not known: no pair of clips has been shown to a voter twice on purpose yet" in page
