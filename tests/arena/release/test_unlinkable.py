"""What joins the voters of two releases, and what does not: somebody who has both tries."""

from itertools import product
from pathlib import Path

import pytest
from released_arena import let_people_vote, read_rows, release
from sqlalchemy import select

from arena.database import Database
from arena.models import Voter
from arena.release.schema import TABLES
from small_arena import TRACK, TRACK_WITH_SOUND

ANSWERS = ("votes", "simulated", "skips", "unanswered")
VOTER = "evaluation_session_id"
# What two votes of different voters have in common as well: settings, rules and answers.
SHARED = {
    *("winner", "language", "sampler", "probability", "first", "reasons", "voter_kind", "counted"),
    *(
        "categories",
        "prompt_id",
        "model_a",
        "model_b",
        "evaluation_order",
        "hold_rule",
        "repeat_of",
    ),
    *("watched_a_ms", "watched_b_ms", "heard_a_ms", "heard_b_ms", "decided_ms", "timestamp"),
    *("ended", "opened_at"),
}


@pytest.fixture(scope="module")
def pair(
    shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Database]:
    """Releases of two tracks, in which the same people voted."""
    let_people_vote(shared_database)
    folder = tmp_path_factory.mktemp("releases")
    first = release(shared_database, folder / "first", track=TRACK, salt=None)
    second = release(shared_database, folder / "second", track=TRACK_WITH_SOUND, salt=None)
    return first, second, shared_database


def by_voter(folder: Path) -> dict[str, list[dict[str, object]]]:
    voters: dict[str, list[dict[str, object]]] = {}
    for name in ANSWERS:
        for row in read_rows(folder, name):
            voters.setdefault(str(row[VOTER]), []).append(row)
    return voters


def test_no_value_is_one_voters_alone_in_both_releases(
    pair: tuple[Path, Path, Database],
) -> None:
    """A column that joined voters would have values that one voter has in each release, no other.

    Ids, battles, clips and pseudonyms of two tracks have nothing in common at all; other columns
    have values that many voters share.
    """
    first, second = by_voter(pair[0]), by_voter(pair[1])
    assert len(first) == len(second) == 5
    assert not set(first) & set(second)
    columns = {column for schema in TABLES if schema.name in ANSWERS for column in schema.names}
    for column in columns - SHARED:
        ours, theirs = (
            {row.get(column) for rows in voters.values() for row in rows} - {None}
            for voters in (first, second)
        )
        assert not ours & theirs, column


def test_the_order_in_which_voters_appear_joins_nothing(
    pair: tuple[Path, Path, Database],
) -> None:
    """Rows are in the order of votes, so that only times could suggest who is who."""
    for folder in pair[:2]:
        for name in ("votes", "simulated", "skips"):
            ids = [int(row["id"]) for row in read_rows(folder, name)]
            assert ids == sorted(ids)
        for voter, rows in by_voter(folder).items():
            numbered = [row["evaluation_order"] for row in rows if "evaluation_order" in row]
            assert sorted(numbered) == list(range(1, len(numbered) + 1)), voter


def test_pseudonyms_are_random_and_no_number_of_a_voter_is_released(
    pair: tuple[Path, Path, Database], tmp_path: Path
) -> None:
    again = release(pair[2], tmp_path / "again", track=TRACK, salt=None)
    assert not set(by_voter(pair[0])) & set(by_voter(again))
    with pair[2].reading() as session:
        secrets = {voter.key for voter in session.scalars(select(Voter))}
    for folder, path in product(pair[:2], ("votes.jsonl", "skips.jsonl", "unanswered.jsonl")):
        text = (folder / path).read_text()
        assert not [key for key in secrets if key in text]
        assert "voter_id" not in text


def test_the_same_votes_in_two_releases_join_by_their_ids_as_the_readme_says(
    pair: tuple[Path, Path, Database], tmp_path: Path
) -> None:
    again = release(pair[2], tmp_path / "again", track=TRACK, salt=None)
    ids = [{row["id"] for row in read_rows(folder, "votes")} for folder in (pair[0], again)]
    assert ids[0] == ids[1]
    stated = (again / "README.md").read_text()
    assert "can therefore match the pseudonyms of their voters" in " ".join(stated.split())
