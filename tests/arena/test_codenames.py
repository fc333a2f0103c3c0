"""Until it is claimed, a codename hides everything that could name its model."""

import json
from datetime import date

import pytest

from arena.catalog import catalog
from arena.commands import entrants
from arena.commands.output import TableFormat
from arena.context import utc_now
from arena.database import Database
from arena.models import VoterKind
from arena.standings import standings
from arena.standings.boards import board_document
from small_arena import TRACK, entrant_entry

SECRET = ("Dogwood", "dogwood", "Kennel", "Odd-Licence-7", "2031", "8.25")


@pytest.fixture
def stealthy(arena_database: Database) -> Database:
    entry = entrant_entry(
        "Dogwood XL",
        slug="dogwood-xl",
        creator="Kennel Club",
        licence="Odd-Licence-7",
        release_date=date(2031, 5, 17),
        price_usd_per_minute=8.25,
        codename="Grey Colt",
    )
    with arena_database.writing() as session:
        catalog.add_entrant(session, entry, now=utc_now())
    return arena_database


def listed(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    identities: bool,
) -> str:
    class Opened:
        pass

    opened = Opened()
    opened.database = database  # type: ignore[attr-defined]
    monkeypatch.setattr(entrants, "open_configured_arena", lambda: opened)
    entrants.list_entrants(identities=identities, format=TableFormat.CSV)
    return capsys.readouterr().out


def test_the_list_of_entrants_shows_the_codename_alone(
    stealthy: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = listed(stealthy, monkeypatch, capsys, identities=False)
    assert "Grey Colt,Grey Colt,,,," in text
    assert not [word for word in SECRET if word in text]
    assert "dogwood-xl,Dogwood XL,Kennel Club,Odd-Licence-7,2031-05-17" in listed(
        stealthy, monkeypatch, capsys, identities=True
    )


def test_the_leaderboard_shows_the_codename_alone(stealthy: Database) -> None:
    board = standings.leaderboard(
        stealthy, track_name=TRACK, category="overall", voters=VoterKind.PERSON, now=utc_now()
    )
    document = json.dumps(board_document(board))
    assert "Grey Colt" in document
    assert not [word for word in SECRET if word in document]


def test_a_claim_shows_everything(stealthy: Database) -> None:
    with stealthy.writing() as session:
        entrant = catalog.find_entrant(session, "Grey Colt")
        assert (entrant.shown_slug, entrant.shown_licence) == ("Grey Colt", None)
        entrant.claimed_at = utc_now()
        assert (entrant.shown_slug, entrant.shown_licence) == ("dogwood-xl", "Odd-Licence-7")
        assert entrant.shown_release_date == date(2031, 5, 17)
