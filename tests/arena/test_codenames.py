"""Until it is claimed, a codename hides everything that could name its model."""

import json
from datetime import date
from pathlib import Path

import pytest
from sealed_arena import signer_of

from arena.audit.proofs import published_seals
from arena.catalog.claims import claim
from arena.catalog.entering import enter
from arena.catalog.entrants import add_entrant, find_entrant
from arena.catalog.openings import read_opening
from arena.commands import entrants
from arena.commands.output import TableFormat
from arena.context import utc_now
from arena.database import Database
from arena.models import VoterKind
from arena.release import export_release
from arena.release.verify import verify_release
from arena.standings import standings
from arena.standings.boards import board_document
from small_arena import START, TRACK, entrant_entry

SECRET = ("Dogwood", "dogwood", "Kennel", "Odd-Licence-7", "2031-05-17", "8.25")


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
        add_entrant(session, entry, now=utc_now())
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
        entrant = find_entrant(session, "Grey Colt")
        assert (entrant.shown_slug, entrant.shown_licence) == ("Grey Colt", None)
        entrant.claimed_at = utc_now()
        assert (entrant.shown_slug, entrant.shown_licence) == ("dogwood-xl", "Odd-Licence-7")
        assert entrant.shown_release_date == date(2031, 5, 17)


def test_a_release_and_the_seals_show_the_codename_alone_until_the_claim(
    arena_database: Database, tmp_path: Path
) -> None:
    entry = entrant_entry(
        "Dogwood XL",
        slug="dogwood-xl",
        creator="Kennel Club",
        licence="Odd-Licence-7",
        release_date=date(2031, 5, 17),
        price_usd_per_minute=8.25,
        codename="Grey Colt",
    )
    weights = "abc123" * 10 + "abcd"
    entered = enter(
        arena_database, tmp_path, entry, fingerprint=f"weights_sha256:{weights}", now=START
    )
    assert entered.opening is not None
    opening = read_opening(entered.opening)
    secret = (*SECRET, weights, opening.nonce)

    def released(name: str) -> str:
        folder = tmp_path / name
        signer = signer_of(arena_database)
        export_release(arena_database, folder, signer=signer, formats=("csv",), now=START)
        verify_release(folder)
        texts = [path.read_text(encoding="utf-8") for path in folder.iterdir()]
        with arena_database.reading() as session:
            texts.append(json.dumps(published_seals(session)))
        return "\n".join(texts)

    before = released("before")
    assert "Grey Colt" in before
    assert opening.commitment in before
    assert not [word for word in secret if word in before]
    arena_database.write(lambda session: claim(session, "Grey Colt", opening, now=START))
    after = released("after")
    # A release has no slugs.
    assert not [word for word in secret if word not in after and word != "dogwood"]
