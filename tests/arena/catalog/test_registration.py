"""A registered track publishes its rules before the first vote, and every later change is said."""

import json
from datetime import timedelta

import pytest
from released_arena import NOW, let_people_vote, release
from sealed_arena import seal, tamper
from sqlalchemy import select

from arena.audit.database_check import audit_seals
from arena.canonical import canonical_json, sha256_hex
from arena.catalog import retirement
from arena.catalog.prompts import import_prompts
from arena.catalog.registration import (
    describe_deviation,
    find_registration,
    note_deviations,
    register_track,
)
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import close_track, find_track
from arena.database import Database
from arena.errors import CatalogError, ReleaseError
from arena.models import Prompt, Registration, Seal
from arena.release.verify import verify_release
from arena.simulation import simulate
from small_arena import START, TRACK, Booth


def register(opened: Database, **options: str) -> str:
    with opened.writing() as session:
        track = find_track(session, TRACK)
        return register_track(session, track, now=START, **options).sha256


def found(opened: Database):
    with opened.reading() as session:
        return find_registration(session, find_track(session, TRACK))


def test_a_registration_states_prompts_and_rules_and_a_seal_covers_it(
    arena_database: Database,
) -> None:
    with arena_database.writing() as session:
        session.get_one(Prompt, "p-4").private = True
    sha256 = register(arena_database, stopping="At 100 votes.")
    registered = found(arena_database)
    document = registered.document
    assert sha256 == registered.sha256 == sha256_hex(canonical_json(document))
    assert document["stopping_rule"] == "At 100 votes."
    assert (document["ties"], document["sampler"]) == ("half", "adaptive")
    assert document["settings"]["min_watch_ms"] == 1000
    assert document["settings"]["prompt_rewriting"] == "maker-default"
    prompts = {each["id"]: each for each in document["prompts"]}
    assert prompts["p-1"]["text"] == "Prompt p-1"
    assert (prompts["p-4"]["text"], prompts["p-4"]["held_out"]) == (None, True)
    assert len(prompts["p-4"]["sha256"]) == 64
    assert "Prompt p-4" not in json.dumps(document)
    seal(arena_database)
    with arena_database.reading() as session:
        payload = json.loads(session.get_one(Seal, 0).payload)
    assert payload["registrations"] == [
        {"registered_at": "2026-11-23T12:00:00Z", "sha256": sha256, "track": TRACK}
    ]
    assert audit_seals(arena_database).faults == ()
    tamper(arena_database, "UPDATE registration SET document = '{}'")
    assert "registration of text-to-video" in audit_seals(arena_database).faults[0]


def test_a_track_with_a_vote_cannot_be_registered(booth: Booth) -> None:
    booth.vote("skip")
    with pytest.raises(CatalogError, match=r"has votes by people \(skips and honey") as error:
        register(booth.database)
    assert str(error.value).count(".") == 1


def test_simulated_votes_are_no_obstacle_to_a_registration(
    arena_database: Database, tmp_path
) -> None:
    """They are from before it, in a release as well; votes by people are from after it."""
    simulate(
        arena_database,
        **{"votes": 20, "track": TRACK, "voters": 2, "seed": 1, "now": START},
        on_vote=lambda: None,
    )
    with arena_database.writing() as session:
        register_track(session, find_track(session, TRACK), now=START + timedelta(minutes=1))
    let_people_vote(arena_database, people=1, days_later=1)
    folder = release(arena_database, tmp_path / "release")
    assert verify_release(folder).registrations == 1


def test_a_track_is_registered_once_and_not_after_its_close(arena_database: Database) -> None:
    register(arena_database)
    with pytest.raises(CatalogError, match="is registered already"):
        register(arena_database)
    with arena_database.writing() as session:
        track = find_track(session, "text-to-video-audio")
        close_track(session, track, now=START)
        with pytest.raises(CatalogError, match="is closed"):
            register_track(session, track, now=START)


def test_later_changes_are_deviations_until_they_are_undone(arena_database: Database) -> None:
    register(arena_database)
    with arena_database.writing() as session:
        entry = PromptEntry(id="p-5", text="Late", tracks=(TRACK,))
        import_prompts(session, [entry], now=NOW)
        retirement.retire(session, session.get_one(Prompt, "p-2"), now=NOW)
    said = [describe_deviation(each) for each in found(arena_database).deviations]
    assert said == ["prompt p-5 was added", "prompt p-2 was removed"]
    assert {each["noted_at"] for each in found(arena_database).deviations} == {
        "2026-11-23T13:00:00Z"
    }
    with arena_database.writing() as session:
        retirement.restore(session, session.get_one(Prompt, "p-2"), now=NOW)
    registered = found(arena_database)
    assert describe_deviation(registered.deviations[-1]) == "prompt p-2 is as registered again"
    assert [each["what"] for each in registered.changed] == ["prompt p-5"]


def test_a_term_that_an_earlier_version_did_not_register_is_not_a_deviation(
    arena_database: Database,
) -> None:
    register(arena_database)
    with arena_database.writing() as session:
        registration = session.scalars(select(Registration)).one()
        document = json.loads(registration.document)
        del document["settings"]["prompt_rewriting"]
        registration.document = canonical_json(document)
        assert note_deviations(session, now=START) == 0
        find_track(session, TRACK).prompt_rewriting = "off"
        assert note_deviations(session, now=START) == 1
    (deviation,) = found(arena_database).deviations
    assert describe_deviation(deviation) == (
        "settings.prompt_rewriting was maker-default and became off"
    )


def test_a_change_behind_the_arenas_back_is_noted_with_the_next_seal(
    arena_database: Database,
) -> None:
    register(arena_database)
    tamper(arena_database, "UPDATE track SET ties = 'davidson'")
    seal(arena_database)
    (deviation,) = found(arena_database).deviations
    assert describe_deviation(deviation) == "ties was half and became davidson"
    with arena_database.writing() as session:
        assert note_deviations(session, now=NOW) == 0


def test_a_release_contains_the_registration_and_verify_checks_it(
    arena_database: Database, tmp_path
) -> None:
    sha256 = register(arena_database)
    let_people_vote(arena_database, people=1)
    with arena_database.writing() as session:
        entry = PromptEntry(id="p-5", text="Late", tracks=(TRACK,))
        import_prompts(session, [entry], now=NOW)
    folder = release(arena_database, tmp_path / "release")
    report = verify_release(folder)
    assert report.registrations == 1
    assert "1 registered track checked" in str(report)
    path = folder / "registrations.json"
    document = json.loads(path.read_text())
    (released,) = document["registrations"]
    assert released["sha256"] == sha256
    released["document"]["stopping_rule"] = "Whenever we like."
    path.write_text(json.dumps(document))
    with pytest.raises(ReleaseError, match="text-to-video: the document does not have the hash"):
        verify_release(folder)
    released["sha256"] = sha256_hex(canonical_json(released["document"]))
    path.write_text(json.dumps(document))
    with pytest.raises(ReleaseError, match="not the registration that a seal covers"):
        verify_release(folder)
    path.write_text('{"registrations": []}')
    with pytest.raises(ReleaseError, match="lacks text-to-video"):
        verify_release(folder)
