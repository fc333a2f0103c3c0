"""A release has honey pairs in a table of their own, sealed and checked like votes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from honey_copies import add_copies
from released_arena import (
    NOW,
    forge_sums,
    let_people_vote,
    let_simulated_voters_vote,
    read_rows,
    release,
    rewrite,
)
from sqlalchemy import select

from arena.catalog.tracks import close_track, find_track
from arena.database import Database
from arena.errors import ReleaseError
from arena.models import Battle, Vote
from arena.release.schema import ANSWERS
from arena.release.verify import verify_release
from small_arena import TRACK, TRACK_WITH_SOUND, fill_small_arena, new_database

FORMATS = ("parquet",)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Votes in two tracks with damaged copies, a fourth of them on honey pairs."""
    opened = new_database(tmp_path_factory.mktemp("arena"))
    fill_small_arena(opened)
    for track in (TRACK, TRACK_WITH_SOUND):
        add_copies(opened, track=track)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.voting.issuing.HONEY_SHARE", 0.25)
        patch.setattr("arena.voting.issuing.REPEAT_SHARE", 0.0)
        let_people_vote(opened, people=6)
        let_simulated_voters_vote(opened)
    return opened


@pytest.fixture(scope="module")
def pristine(arena: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(arena, tmp_path_factory.mktemp("release") / "r", formats=FORMATS)


@pytest.fixture
def folder(arena: Database, tmp_path: Path) -> Path:
    return release(arena, tmp_path / "r", formats=FORMATS)


def test_every_answer_is_in_one_table_and_honey_pairs_are_in_traps(
    arena: Database, pristine: Path
) -> None:
    with arena.reading() as session:
        answers = select(Vote.id, Vote.choice, Battle.sampler)
        stored = session.execute(answers.join(Battle, Battle.id == Vote.battle_id)).all()
    rows = {name: read_rows(pristine, name) for name in ANSWERS}
    assert sorted(int(row["id"]) for part in rows.values() for row in part) == sorted(
        row.id for row in stored
    )
    honey = {str(row.id): row.choice for row in stored if row.sampler == "honey"}
    assert {row["id"]: row["choice"] for row in rows["traps"]} == honey
    assert {row["voter_kind"] for row in rows["traps"]} == {"person", "simulated"}
    for row in rows["traps"]:
        assert row["model_a"] == row["model_b"]
        said = {"a": row["damaged"] == "b", "b": row["damaged"] == "a", "tie": False}
        assert row["passed"] == said.get(row["choice"])
    copies = [row for row in read_rows(pristine, "clips") if row["damage"]]
    assert {row["reference"] for row in copies} == {
        row[f"clip_{row['damaged']}"] for row in rows["traps"]
    }


def test_a_release_with_traps_verifies_also_of_one_track(
    arena: Database, pristine: Path, tmp_path: Path
) -> None:
    assert verify_release(pristine).votes == len(read_rows(pristine, "votes"))
    assert verify_release(release(arena, tmp_path / "one", formats=FORMATS, track=TRACK))


def other(choice: str) -> str:
    return "tie" if choice == "skip" else "skip"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[0].update(choice=other(rows[0]["choice"])), "passed|changed"),
        (lambda rows: rows[0].update(damaged={"a": "b", "b": "a"}[rows[0]["damaged"]]), "damaged"),
        (lambda rows: rows.pop(0), "dropped|numbered|answer"),
        (lambda rows: rows[0].update(sampler="uniform"), "sampler"),
        (lambda rows: rows[0].update(clip_a=rows[0]["clip_b"]), "damaged copy|copy"),
    ],
    ids=["choice", "side", "dropped", "sampler", "clip"],
)
def test_a_changed_honey_pair_is_named(
    folder: Path, change: Callable[[Any], object], said: str
) -> None:
    number = read_rows(folder, "traps")[0]["id"]
    rewrite(folder, "traps", change, formats=FORMATS)
    forge_sums(folder)
    with pytest.raises(ReleaseError, match=said) as error:
        verify_release(folder)
    assert number in str(error.value)


def test_published_sets_have_no_honey_pairs(arena: Database, pristine: Path) -> None:
    with arena.reading() as session:
        query = select(Battle.id).where(Battle.sampler == "honey")
        honey = {str(number) for number in session.scalars(query)}
    votes = read_rows(pristine, "votes")
    assert honey.isdisjoint(row["battle_id"] for row in votes)
    assert honey.isdisjoint(row["battle_id"] for row in read_rows(pristine, "unanswered"))


def test_once_a_track_is_closed_traps_name_the_files(arena: Database, tmp_path: Path) -> None:
    with arena.writing() as session:
        close_track(session, find_track(session, TRACK), now=NOW)
    folder = release(arena, tmp_path / "r", formats=FORMATS, track=TRACK)
    verify_release(folder)
    hashes = {row["sha256"] for row in read_rows(folder, "clips")}
    assert None not in hashes
    for row in read_rows(folder, "traps"):
        assert {row["clip_a"], row["clip_b"]} <= hashes
